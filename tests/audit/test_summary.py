from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from audit.summary import summarise

TRACE = UUID(int=7)
T0 = datetime(2026, 11, 24, 10, tzinfo=UTC)


@dataclass
class Span:
    span_id: str
    parent_id: str = ""
    at_ms: int = 0
    ms: int = 100
    kind: str = "other"
    system: str = "support-bot"
    environment: str = "production"
    trace_id: UUID = TRACE
    name: str = "span"
    otlp_kind: int = 1
    failed: bool = False
    error_type: str = ""
    request_id: str = ""
    release: str = ""
    tenant: str = ""
    prompt_name: str = ""
    prompt_version: str = ""
    prompt_hash: str = ""
    prompt_hash_source: str = ""
    model_requested: str = ""
    model_answered: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_nanousd: int | None = None
    source_ids: list[str] | None = None
    input_ok: bool | None = None
    output_ok: bool | None = None
    contract_source: str = ""
    flags: list[str] = field(default_factory=list)
    retries: int | None = None
    timed_out: bool = False
    fallback: str = ""
    handoff: bool = False
    attributes: dict[str, object] | None = None
    scope: str = "lib"
    response_id: str = ""

    @property
    def started_at(self):
        return T0 + timedelta(milliseconds=self.at_ms)

    @property
    def duration_us(self):
        return self.ms * 1000


def call(span_id, parent_id="", **values):
    defaults = {"kind": "model", "model_requested": "m1", "tokens_in": 10, "tokens_out": 5, "cost_nanousd": 100}
    return Span(span_id, parent_id, **{**defaults, **values})


ROOT = Span("root", ms=500, name="POST /ask", request_id="req-1", release="2026.11.2", kind="request")
RETRIEVAL = Span("ret", "root", 10, 50, source_ids=["d1", "d2"])
CALL = call("call", "root", at_ms=100, ms=300, prompt_hash="sha256:aa", prompt_hash_source="claimed", prompt_name="p")


def test_what_an_auditor_asks():
    found = summarise([CALL, RETRIEVAL, ROOT])
    assert (found.request_id, found.release, found.name, found.entry_span_id) == (
        "req-1",
        "2026.11.2",
        "POST /ask",
        "root",
    )
    assert (found.tokens_in, found.tokens_out, found.cost_nanousd, found.model) == (10, 5, 100, "m1")
    assert (found.prompt_name, found.prompt_hash, found.source_ids) == ("p", "sha256:aa", ("d1", "d2"))
    assert (found.duration_us, found.complete, found.with_request_id, found.span_count) == (500_000, True, True, 3)
    assert found.seen == {
        "prompt_hash": frozenset(["sha256:aa"]),
        "model": frozenset(["m1"]),
        "release": frozenset(["2026.11.2"]),
        "schema": frozenset(),
    }


@given(st.permutations([ROOT, RETRIEVAL, CALL, call("again", "root", at_ms=400, ms=50), Span("orphan", "gone", 5)]))
def test_the_order_of_arrival_does_not_matter(spans):
    ordered = [ROOT, RETRIEVAL, CALL, call("again", "root", at_ms=400, ms=50), Span("orphan", "gone", 5)]
    assert summarise(spans) == summarise(ordered)


def test_a_missing_parent_breaks_the_chain():
    assert not summarise([ROOT, Span("x", "lost")]).complete


def test_a_caller_that_is_traced_elsewhere_does_not():
    remote = Span("in", "their-span", ms=500, request_id="req-1", kind="request")
    assert summarise([remote, Span("x", "in")]).complete
    assert summarise([Span("in", "their-span", kind="agent", otlp_kind=2), Span("x", "in")]).complete
    # A model call alone is not an entry: what called it is lost, or still on its way.
    assert not summarise([call("call", "lost")]).complete


def test_without_its_root_a_request_is_what_there_is():
    found = summarise([CALL, RETRIEVAL])
    assert (found.entry_span_id, found.complete) == ("ret", False)
    assert found.duration_us == 390_000  # from the first start to the last end


def test_one_unknown_call_makes_the_sums_unknown():
    found = summarise([ROOT, CALL, call("stream", "root", tokens_in=None, tokens_out=None, cost_nanousd=None)])
    assert (found.tokens_in, found.cost_nanousd, len(found.calls)) == (None, None, 2)


def test_a_failed_attempt_before_a_good_one_leaves_them_known():
    failed = call("first", "root", at_ms=50, tokens_in=None, tokens_out=None, cost_nanousd=None, failed=True, retries=1)
    found = summarise([ROOT, failed, CALL])
    assert (found.tokens_in, found.cost_nanousd, found.retries, found.failed) == (10, 100, 1, False)


def test_an_embedding_has_no_output_to_be_unknown():
    embedding = call("e", "root", kind="embedding", tokens_out=None, cost_nanousd=1)
    assert summarise([ROOT, embedding, CALL]).tokens_out == 5


def test_no_call_seen_is_unknown_cost_not_free():
    assert summarise([ROOT]).cost_nanousd is None


def test_the_entry_has_the_last_word_on_the_contract():
    slip = call("first", "root", at_ms=50, ms=20, output_ok=False)
    repaired = call("second", "root", at_ms=90, ms=20, output_ok=True, contract_source="checked")
    assert summarise([ROOT, slip, repaired]).output_ok is True
    entry = Span("root", ms=500, output_ok=False, contract_source="claimed")
    assert summarise([entry, repaired]).output_ok is False


def test_sources_unknown_none_and_some():
    assert summarise([ROOT]).source_ids is None
    assert summarise([ROOT, Span("r", "root", source_ids=[])]).source_ids == ()
    assert summarise([ROOT, RETRIEVAL, Span("r", "root", 60, source_ids=["d2", "d3"])]).source_ids == (
        "d1",
        "d2",
        "d3",
    )


def test_two_quoted_ids_in_one_trace_are_not_one_chain():
    assert not summarise([ROOT, Span("x", "root", request_id="req-other")]).with_request_id
