"""Requests and sums out of spans that come in pieces, late, twice and in any order."""

import random
from collections import Counter
from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from audit import derivation, fingerprints, spanlog, trail
from audit.histogram import bin_of
from audit.models import Call, ComponentRollup, Request, Rollup, Span, Spend, Unapproved
from audit.rollups import COMPONENT_SUMS, REQUEST_SUMS, SPEND_SUMS, WIDTHS, bucket_of, spend_of, sums_of
from jobs.models import Event
from tests.audit.sending import chat_trace, span
from tests.audit.trailing import new_system, send, settle

pytestmark = pytest.mark.django_db
HASH = "sha256:" + "a" * 64


@pytest.fixture
def system():
    return new_system()


def sums_are_counts_over_the_rows(system):
    """The stored sums, in every width, against a plain count over requests, spans and calls."""
    requests, latency = Counter(), Counter()
    for row in Request.objects.filter(system=system):
        for width in WIDTHS:
            key = (width, bucket_of(row.started_at, width), row.environment, row.release)
            requests.update({(*key, name): value for name, value in sums_of(row).items()})
            latency[*key, bin_of(row.duration_us)] += 1
    stored, stored_latency = Counter(), Counter()
    for row in Rollup.objects.filter(system=system):
        key = (row.width, row.bucket, row.environment, row.release)
        stored.update({(*key, name): getattr(row, name) for name in REQUEST_SUMS})
        stored_latency.update({(*key, index): count for index, count in enumerate(row.latency)})
    assert +stored == +requests
    assert +stored_latency == +latency

    components = Counter()
    releases = {(r.environment, r.trace_id): r.release for r in Request.objects.filter(system=system)}
    for row in Span.objects.filter(system=system):
        release = releases[row.environment, row.trace_id]
        for width in WIDTHS:
            key = (width, bucket_of(row.started_at, width), row.environment, release, row.component)
            values = (1, row.failed, row.retries or 0, row.timed_out, 1)
            components.update({(*key, n): v for n, v in zip((*COMPONENT_SUMS, "timed"), values, strict=True)})
    stored = Counter()
    for row in ComponentRollup.objects.filter(system=system):
        key = (row.width, row.bucket, row.environment, row.release, row.component)
        stored.update({(*key, name): getattr(row, name) for name in COMPONENT_SUMS})
        stored[*key, "timed"] += sum(row.latency)
    assert +stored == +components

    calls = Counter()
    for row in Call.objects.filter(system=system):
        key = (bucket_of(row.started_at), row.environment, row.release, row.tenant)
        calls.update({(*key, name): value for name, value in spend_of(row).items()})
    stored = Counter()
    for row in Spend.objects.filter(system=system):
        key = (row.bucket, row.environment, row.release, row.tenant)
        stored.update({(*key, name): getattr(row, name) for name in SPEND_SUMS})
    assert +stored == +calls


def test_a_request_is_summed_up_from_its_spans(system):
    entry, retrieval, call = chat_trace(request_id="req-derived")
    send(entry, retrieval, call, system=system)
    settle()
    (row,) = Request.objects.filter(system=system)
    assert (row.request_id, row.release, row.span_count) == ("req-derived", "2026.11.2", 3)
    assert (row.tokens_in, row.tokens_out, row.calls, row.calls_unknown) == (1000, 100, 1, 0)
    assert (row.source_ids, row.complete, row.with_request_id) == (["doc-1", "doc-2"], True, True)
    assert row.duration_us == 500_000
    sums_are_counts_over_the_rows(system)


def test_nothing_is_derived_before_the_trace_is_quiet(system):
    now = timezone.now()
    send(*chat_trace(), system=system, now=now)
    spanlog.sequence(now=now)
    derivation.derive(now=now + derivation.QUIET - timedelta(seconds=1))
    assert not Request.objects.filter(system=system).exists()
    derivation.derive(now=now + derivation.QUIET)
    assert Request.objects.filter(system=system).count() == 1


def test_the_model_call_before_its_root_and_the_root_a_minute_later_are_one_request(system):
    entry, retrieval, call = chat_trace(readiness__release="2026.11.9")
    send(call, system=system)
    settle()
    (early,) = Request.objects.filter(system=system)
    assert not early.complete
    assert early.tokens_in == 1000
    sums_are_counts_over_the_rows(system)
    send(retrieval, entry, system=system)
    settle()
    (late,) = Request.objects.filter(system=system)
    assert late.id == early.id
    assert (late.complete, late.span_count, late.name, late.tokens_in) == (True, 3, "POST /ask", 1000)
    # The entry names another release than the call did: what the call had added moved with it.
    assert (early.release, late.release) == ("2026.11.9", "2026.11.2")
    assert not ComponentRollup.objects.filter(system=system, release="2026.11.9", spans__gt=0).exists()
    sums_are_counts_over_the_rows(system)


def test_sums_hold_whatever_order_and_pieces_spans_come_in(system):
    luck = random.Random(7)
    base = timezone.now() - timedelta(hours=30)
    spans = []
    for number in range(60):
        start = base + timedelta(minutes=luck.randrange(0, 29 * 60))
        trace = chat_trace(start=start, release=f"r{number % 3}", readiness__tenant=f"t{number % 2}")
        if number % 4 == 0:
            trace[0]["status"] = {"code": 2}
        if number % 5 == 0:
            trace[2] = span("chat", trace=trace[0]["traceId"], parent=trace[0]["spanId"], start=start, ms=30_000,
                            gen_ai__operation__name="chat", error__type="timeout", readiness__retries=2,
                            status={"code": 2})  # fmt: skip
        spans += trace
    luck.shuffle(spans)
    while spans:
        piece, spans = spans[:17], spans[17:]
        send(*piece, *piece[:3], system=system, environment=luck.choice(("production", "staging")))
        settle()
        if len(spans) % 2:
            sums_are_counts_over_the_rows(system)
    sums_are_counts_over_the_rows(system)
    assert sum(Rollup.objects.filter(system=system, width=1440).values_list("requests", flat=True)) >= 60


def test_the_same_trace_of_two_systems_is_two_requests(system):
    other = new_system("other")
    trace = chat_trace()
    send(*trace, system=system)
    send(*trace, system=other)
    settle()
    assert Request.objects.filter(system__in=[system, other]).count() == 2
    sums_are_counts_over_the_rows(system)
    sums_are_counts_over_the_rows(other)


def test_a_trace_touched_two_days_later_keeps_its_first_spans(system):
    now = timezone.now()
    start = now - timedelta(days=4)
    entry, retrieval, call = chat_trace(start=start)
    send(entry, retrieval, system=system, now=start + timedelta(seconds=5))
    settle()
    assert Request.objects.get(system=system).tokens_in is None
    send(call, system=system, now=start + timedelta(hours=47))
    settle()
    row = Request.objects.get(system=system)
    assert (row.span_count, row.tokens_in) == (3, 1000)
    sums_are_counts_over_the_rows(system)


def events_of(system):
    return Event.objects.filter(topic="audit.unapproved-traffic", subject=f"system:{system}")


def approve(system, now, **pins):
    pins = {"prompt_hash": [HASH], "model": ["gpt-4.1-mini"], "release": ["2026.11.2"], **pins}
    fingerprints.approve(
        system=system, release_label="2026.11.2", release_id=f"id-{system}", fingerprint=pins, share=None, now=now
    )


def test_a_clean_day_raises_no_alarm(system):
    """A day replayed: every request carries the approved prompt, model and release; none is called unapproved."""
    now = timezone.now()
    approve(system, now - timedelta(days=2))
    for hour in range(24):
        start = now - timedelta(hours=24 - hour)
        send(*(s for m in range(10) for s in chat_trace(start=start + timedelta(minutes=5 * m))), system=system)
    settle()
    assert Request.objects.filter(system=system, approval="approved").count() == 240
    assert not Request.objects.filter(system=system).exclude(approval="approved").exists()
    assert not Unapproved.objects.filter(system=system).exists()
    assert not events_of(system).exists()


def test_an_edited_prompt_under_the_same_label_alarms_once_and_again_after_an_hour(system):
    now = timezone.now()
    approve(system, now - timedelta(days=2))
    edited = {"readiness__prompt__hash": "sha256:" + "b" * 64}
    received = now
    send(*chat_trace(**edited), *chat_trace(**edited), system=system, now=received)
    later = settle(received)
    assert later - received <= timedelta(seconds=60)
    (seen,) = Unapproved.objects.filter(system=system)
    assert seen.requests == 2
    assert seen.fingerprint["prompt_hash"] == edited["readiness__prompt__hash"]
    assert events_of(system).count() == 1
    send(*chat_trace(**edited), system=system, now=now)
    settle(now)
    assert events_of(system).count() == 1, "the same traffic within the hour"
    Unapproved.objects.filter(system=system).update(alarmed_at=now - derivation.ALARM_EVERY)
    send(*chat_trace(**edited), system=system, now=now)
    settle(now)
    assert events_of(system).count() == 2
    assert Unapproved.objects.get(system=system).requests == 4


INPUT, OUTPUT = "sha256:" + "1" * 64, "sha256:" + "2" * 64
SCHEMA = [f"input {INPUT}", "input 3", f"output {OUTPUT}", "output 1"]
FITTING = {"readiness__schema__input__hash": INPUT, "readiness__schema__output__version": 1}


def test_another_schema_under_the_same_label_alarms_and_says_which(system):
    now = timezone.now()
    approve(system, now - timedelta(days=2), schema=SCHEMA)
    other = "sha256:" + "3" * 64
    changed = chat_trace(**FITTING | {"readiness__schema__input__hash": other})
    send(*chat_trace(**FITTING), *changed, *chat_trace(), system=system, now=now)
    settle(now)
    states = Request.objects.filter(system=system).values_list("approval", flat=True)
    assert sorted(states) == ["approved", "approved", "unapproved"]
    (seen,) = Unapproved.objects.filter(system=system)
    assert (seen.example_trace.hex, seen.requests) == (changed[0]["traceId"], 1)
    assert seen.fingerprint["schemas"] == [f"input {other}", "output 1"]
    assert events_of(system).get().payload["fingerprint"] == seen.fingerprint


def test_a_day_with_schemas_and_one_without_raise_no_alarm(system):
    now = timezone.now()
    approve(system, now - timedelta(days=2), schema=SCHEMA)
    for hour in range(24):
        start = now - timedelta(hours=24 - hour)
        send(*chat_trace(start=start, **FITTING), *chat_trace(start=start), system=system)
    settle()
    assert Request.objects.filter(system=system, approval="approved").count() == 48
    assert not any("schema" in flag for row in Request.objects.filter(system=system) for flag in row.flags)
    assert not Unapproved.objects.filter(system=system).exists() and not events_of(system).exists()


def test_a_schema_that_comes_late_is_judged_with_the_rest(system):
    now = timezone.now()
    approve(system, now - timedelta(days=2), schema=SCHEMA)
    entry, retrieval, call = chat_trace(readiness__schema__output__hash="sha256:" + "4" * 64)
    send(entry, retrieval, system=system, now=now)
    settle(now)
    assert not events_of(system).exists()
    send(call, system=system, now=now)
    settle(now)
    assert Request.objects.get(system=system).approval == "unapproved" and events_of(system).count() == 1


def test_what_hides_its_prompt_hash_is_incomplete_and_flagged(system):
    now = timezone.now()
    approve(system, now - timedelta(days=2))
    send(*chat_trace(readiness__prompt__hash=""), system=system)
    settle()
    row = Request.objects.get(system=system)
    assert row.approval == "incomplete"
    assert "prompt-hash-not-reported" in row.flags
    assert not events_of(system).exists()


@pytest.mark.parametrize("hours", [17, 60])
def test_a_request_is_shown_whole_though_a_span_lies_far_from_its_beginning(system, hours):
    """A person who was asked to look over an answer does so on Monday."""
    began = timezone.now() - timedelta(hours=hours)
    entry, *rest = chat_trace(start=began)
    send(entry, *rest, system=system, now=began + timedelta(minutes=1))
    settle(began + timedelta(minutes=1))
    send(span("tidy up", trace=entry["traceId"], parent=entry["spanId"]), system=system)
    settle()
    (view,) = trail.find(entry["traceId"], system=system)
    assert [each.name for each in view.spans] == ["POST /ask", "retrieve", "chat gpt-4.1-mini", "tidy up"]
    assert (view,) == tuple(trail.of_trace(UUID(entry["traceId"]), system))
    assert trail.of_trace(UUID(entry["traceId"]), new_system()) == []
