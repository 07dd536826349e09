import json
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import canonical
from audit.contract import IngestProfile
from audit.ingest.otlp import decode_json
from audit.ingest.prepare import MAX_ATTRIBUTE, Source, days_of, prepare
from audit.ingest.rows import JSON_FIELDS, LEAF_FIELDS, leaf_of
from audit.ingest.wire import WireEvent, WireSpan
from audit.merkle import leaf_hash
from audit.payloads import DataKey, span_name
from tests.audit.sending import request_json, span

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
KEY = DataKey(UUID(int=1), bytes(32))
KEYS = {NOW.date(): KEY, NOW.date() - timedelta(days=1): KEY, NOW.date() - timedelta(days=2): KEY}


def source(**profile):
    return Source("support-bot", "production", 1, IngestProfile(**profile))


def prepared(*spans, resource=None, **profile):
    wires = list(decode_json(request_json(*spans, resource=resource)))
    return prepare(wires, source=source(**profile), keys=KEYS, now=NOW)


def one(*spans, **more):
    batch = prepared(*spans, **more)
    assert not batch.refused
    return batch.spans[0]


def test_personal_data_is_taken_out_of_every_string_of_a_span():
    secret = "zoe@example.com"
    everywhere = span(
        f"name {secret}",
        start=NOW,
        status={"code": 2, "message": f"status {secret}"},
        events=[
            {
                "name": f"event {secret}",
                "timeUnixNano": "1",
                "attributes": [{"key": "exception.message", "value": {"stringValue": f"No user {secret}"}}],
            }
        ],
        user__id=secret,
        url__query="q=zoe%40example.com&x=1",
        nested={"list": [{"deep": secret}], secret: 1},
        readiness__request_id=secret,
        readiness__tenant=secret,
        readiness__release=secret,
        readiness__component=secret,
        readiness__fallback=secret,
        readiness__source_ids=[secret],
        error__type=secret,
        gen_ai__request__model=secret,
        gen_ai__prompt__name=secret,
        gen_ai__prompt__version=secret,
        gen_ai__input__messages=secret,
    )
    found = one(everywhere, resource={"host.name": secret, "service.name": secret})
    said = json.dumps([getattr(found.row, name) for name in LEAF_FIELDS], default=str)
    assert "zoe" not in said
    assert "[email]" in found.row.tenant
    assert found.row.redactions > 10
    assert found.payload is not None
    document = KEY.open(span_name("support-bot", found.row.trace_id, found.row.span_id), found.payload[1])
    assert document == {"mode": "redacted", "input": {"gen_ai.input.messages": "[email]"}, "output": {}}


def test_texts_are_cut_after_redaction_and_never_before():
    text = "x" * (MAX_ATTRIBUTE - 12) + " zoe@example.com and more" + "y" * 100
    row = one(span(start=NOW, note=text)).row
    assert "zoe" not in row.attributes["note"]
    assert len(row.attributes["note"]) == MAX_ATTRIBUTE
    assert row.attributes["note"].endswith("[cut]")


def test_prompt_and_answer_leave_the_attributes_and_keep_a_commitment():
    sent = span(
        start=NOW, gen_ai__operation__name="chat", gen_ai__input__messages="hello", gen_ai__output__messages="bye"
    )
    found = one(sent)
    assert set(found.row.attributes) == {"gen_ai.operation.name"}
    name = span_name("support-bot", found.row.trace_id, found.row.span_id)
    assert found.row.input_commitment == KEY.commit(name, "input", {"gen_ai.input.messages": "hello"})
    assert found.row.output_commitment == KEY.commit(name, "output", {"gen_ai.output.messages": "bye"})
    assert found.payload is not None
    assert b"hello" not in found.payload[1]


@pytest.mark.parametrize(
    ("mode", "kept"), [("raw", "I am zoe@example.com"), ("redacted", "I am [email]"), ("none", None)]
)
def test_the_profile_says_what_is_kept_of_a_prompt(mode, kept):
    found = one(span(start=NOW, gen_ai__input__messages="I am zoe@example.com"), payload_mode=mode)
    assert found.row.input_commitment is not None
    if kept is None:
        assert found.payload is None
        return
    assert found.payload is not None
    name = span_name("support-bot", found.row.trace_id, found.row.span_id)
    assert KEY.open(name, found.payload[1])["input"] == {"gen_ai.input.messages": kept}


def test_content_in_events_is_content_too():
    event = {
        "name": "gen_ai.user.message",
        "timeUnixNano": "1",
        "attributes": [{"key": "content", "value": {"stringValue": "hello"}}],
    }
    found = one(span(start=NOW, events=[event]))
    assert found.row.events == [
        {"name": "gen_ai.user.message", "offset_us": found.row.events[0]["offset_us"], "attributes": {}}
    ]
    assert found.row.input_commitment is not None


def test_a_policy_may_refuse_instead():
    batch = prepared(span(start=NOW, user__id="zoe@example.com"), span(start=NOW), pii_policy="refuse")
    assert dict(batch.refused) == {"it carries what the data policy refuses: email": 1}
    assert len(batch.spans) == 1


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (NOW - timedelta(hours=48, seconds=1), "it started more than 48 hours ago"),
        (NOW + timedelta(minutes=5, seconds=1), "it starts more than 5 minutes in the future"),
        (NOW - timedelta(hours=47), None),
        (NOW + timedelta(minutes=4), None),
    ],
)
def test_times_that_are_too_late_or_too_early(start, reason):
    batch = prepared(span(start=start))
    assert dict(batch.refused) == ({reason: 1} if reason else {})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"traceId": "00" * 16}, "the trace id is not 16 bytes"),
        ({"traceId": "zz"}, "the trace id is not 16 bytes"),
        ({"spanId": ""}, "the span id is not 8 bytes"),
        ({"parentSpanId": "00" * 16}, "the parent id is not 8 bytes"),
        ({"endTimeUnixNano": "1"}, "it ends before it starts"),
    ],
)
def test_a_bad_span_does_not_spoil_its_batch(change, reason):
    batch = prepared(span(start=NOW) | change, span(start=NOW))
    assert dict(batch.refused) == {reason: 1}
    assert len(batch.spans) == 1


@pytest.mark.parametrize("nanoseconds", [0, 2**63, 2**64 - 1, -1])
def test_times_beyond_all_bounds_are_refused_not_a_crash(nanoseconds):
    wire = WireSpan(bytes([1] * 16), bytes([1] * 8), b"", "x", 0, nanoseconds, 2**64 - 1, 0, "", {}, {}, "")
    batch = prepare([wire], source=source(), keys=KEYS, now=NOW)
    assert batch.refused.total() == 1
    assert days_of([wire], now=NOW) == set()


def test_too_much_in_one_span_is_refused():
    many = span(start=NOW, **{f"key{n}": "v" * 4000 for n in range(20)})
    long = span(start=NOW, text="v" * 300_000)
    deep = span(start=NOW, deep=[[[[[[[[[[[[[[1]]]]]]]]]]]]]])
    assert prepared(many, long, deep).refused.total() == 3


def test_the_token_says_what_a_span_belongs_to():
    row = one(span(start=NOW, readiness__system="other", readiness__environment="staging")).row
    assert (row.system, row.environment) == ("support-bot", "production")
    assert {"system-differs", "environment-differs"} <= set(row.flags)
    assert one(span(start=NOW)).row.flags == []


def test_cost_is_priced_here_and_claimed_only_where_there_is_no_price():
    usage = {
        "gen_ai__usage__input_tokens": 1000,
        "gen_ai__usage__output_tokens": 100,
        "gen_ai__operation__name": "chat",
    }
    known = one(span(start=NOW, gen_ai__request__model="gpt-4.1-mini", readiness__cost_usd="9", **usage)).row
    assert (known.cost_nanousd, known.price_source[:13]) == (560_000, "genai-prices/")
    own = one(span(start=NOW, gen_ai__request__model="m", **usage), prices={"m": {"input": "1", "output": "1"}}).row
    assert (own.cost_nanousd, own.price_source) == (1_100_000, "profile")
    claimed = one(span(start=NOW, gen_ai__request__model="m", readiness__cost_usd="0.5", **usage)).row
    assert (claimed.cost_nanousd, claimed.price_source) == (500_000_000, "claimed")
    assert one(span(start=NOW, gen_ai__request__model="m", **usage)).row.cost_nanousd is None


def test_the_contract_is_checked_on_what_was_sent():
    schema = {"type": "object", "required": ["answer"]}
    good = one(span(start=NOW, readiness__output='{"answer": 1}'), output_schema=schema).row
    bad = one(span(start=NOW, readiness__output="{}"), output_schema=schema).row
    assert (good.output_ok, bad.output_ok, bad.contract_source, bad.flags) == (
        True,
        False,
        "checked",
        ["output-schema"],
    )


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)


@given(attributes=st.dictionaries(NAMES, VALUES, max_size=6))
def test_whatever_comes_can_be_hashed_stored_and_hashed_again(attributes):
    """The leaf survives a trip through JSON: jsonb gives back the same values, not the same bytes."""
    start = int(NOW.timestamp()) * 10**9
    wire = WireSpan(
        bytes([1] * 16), bytes([2] * 8), b"", "x", 0, start, start + 1, 0, "", dict(attributes), {}, "",
        [WireEvent("e", start, dict(attributes))],
    )  # fmt: skip
    batch = prepare([wire], source=source(), keys=KEYS, now=NOW)
    for item in batch.spans:
        for name in JSON_FIELDS:
            setattr(item.row, name, json.loads(json.dumps(getattr(item.row, name))))
        assert leaf_hash(canonical.dumps(leaf_of(item.row))) == item.leaf_hash
    assert len(batch.spans) + batch.refused.total() == 1


def test_the_same_span_has_the_same_leaf():
    sent = span(start=NOW, gen_ai__input__messages="hello", note="x")
    assert one(sent).leaf_hash == one(sent).leaf_hash
    assert one(sent).leaf_hash != one(sent | {"name": "other"}).leaf_hash


def test_days_are_those_of_the_storable_spans():
    wires = list(decode_json(request_json(span(start=NOW), span(start=NOW - timedelta(days=30)))))
    assert days_of(wires, now=NOW) == {date(2026, 11, 24)}
