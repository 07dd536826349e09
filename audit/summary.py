"""From the spans of one trace to one request: what users and the gate ask about it. Pure.

Spans come in pieces and in any order, sometimes without their root; the summary of the same spans is the same however
they came. What no span says stays unknown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import msgspec

from audit.approval import SCHEMAS, schema_name
from audit.usage import Calls, Spanlike, provider_calls

# Where the entry does not carry a label, the first span that does is asked, in order of time.
_LABELS = ("request_id", "release", "tenant")
_PROMPT = ("prompt_name", "prompt_version", "prompt_hash", "prompt_hash_source")
MAX_LISTED = 200
EVENT = "event"  # a log record below its span: it says something, but is no step of the request
REPORTED_TWICE = "reported-twice"
SERVER, CONSUMER = 2, 5  # OTLP span kinds


class SpanFacts(Spanlike, Protocol):
    system: str
    environment: str
    trace_id: UUID
    name: str
    otlp_kind: int
    error_type: str
    request_id: str
    release: str
    tenant: str
    prompt_name: str
    prompt_version: str
    prompt_hash: str
    prompt_hash_source: str
    cost_nanousd: int | None
    source_ids: list[str] | None
    input_ok: bool | None
    output_ok: bool | None
    contract_source: str
    flags: list[str]
    retries: int | None
    fallback: str
    handoff: bool
    attributes: Mapping[str, Any] | None  # at least where one of SCHEMAS is among them


# By name, for whoever fetches them.
SPAN_FACTS = (*Spanlike.__annotations__, *SpanFacts.__annotations__)


class CallSummary(msgspec.Struct, frozen=True):
    span_id: str
    started_at: datetime
    release: str
    tenant: str
    model: str
    tokens_in: int | None
    tokens_out: int | None
    cost_nanousd: int | None


class RequestSummary(msgspec.Struct, frozen=True, kw_only=True):
    system: str
    environment: str
    trace_id: UUID
    request_id: str
    started_at: datetime
    duration_us: int
    name: str
    entry_span_id: str
    span_count: int
    release: str
    tenant: str
    prompt_name: str
    prompt_version: str
    prompt_hash: str
    prompt_hash_source: str
    model: str
    models_seen: tuple[str, ...]
    failed: bool
    error_type: str
    tokens_in: int | None
    tokens_out: int | None
    cost_nanousd: int | None
    source_ids: tuple[str, ...] | None
    input_ok: bool | None
    output_ok: bool | None
    contract_source: str
    complete: bool
    with_request_id: bool
    flags: tuple[str, ...]
    retries: int
    timeouts: int
    fallback: str
    handoff: bool
    calls: tuple[CallSummary, ...]
    prompt_hashes: frozenset[str]
    releases: frozenset[str]
    schemas: frozenset[str]

    @property
    def seen(self) -> dict[str, frozenset[str]]:
        """What the request shows of itself, for `audit.approval`."""
        return {
            "prompt_hash": self.prompt_hashes,
            "model": frozenset(self.models_seen),
            "release": self.releases,
            "schema": self.schemas,
        }


def summarise(spans: Iterable[SpanFacts]) -> RequestSummary:
    """One request from all known spans of one trace (at least one)."""
    ordered = sorted(spans, key=lambda span: (span.started_at, span.span_id))
    present = {span.span_id for span in ordered}
    entry = _entry(ordered, present)
    found = provider_calls(ordered)
    calls = _calls(ordered, entry, found)
    speaking = [entry, *(span for span in ordered if span is not entry)]
    labels = {name: next((value for span in speaking if (value := getattr(span, name))), "") for name in _LABELS}
    prompted = next((span for span in speaking if any(getattr(span, name) for name in _PROMPT)), entry)
    outcome = _outcome(ordered, entry)
    quoted = {span.request_id for span in ordered if span.request_id}
    # Called from outside, the entry's parent is its caller's business. Any other absent parent is a gap.
    outside = entry if entry.kind == "request" or entry.otlp_kind in (SERVER, CONSUMER) else None
    complete = all(not span.parent_id or span.parent_id in present or span is outside for span in ordered)
    sources = [span.source_ids for span in ordered if span.source_ids is not None]
    return RequestSummary(
        system=entry.system,
        environment=entry.environment,
        trace_id=entry.trace_id,
        **labels,
        started_at=entry.started_at,
        # Of the entry where it is the root: work after the answer is not latency. Else of what there is.
        duration_us=entry.duration_us if complete else _until_the_last_end(ordered, entry),
        name=entry.name,
        entry_span_id=entry.span_id,
        span_count=len(ordered),
        **{name: getattr(prompted, name) for name in _PROMPT},
        model=next((call.model for call in calls if call.model), ""),
        models_seen=tuple(sorted({call.model for call in calls if call.model})),
        failed=entry.failed,
        error_type=entry.error_type,
        tokens_in=_total([call.tokens_in for call in calls]),
        tokens_out=_total([call.tokens_out for call in calls]),
        cost_nanousd=_total([call.cost_nanousd for call in calls]),
        source_ids=_listed(name for names in sources for name in names) if sources else None,
        input_ok=outcome.input_ok if outcome else None,
        output_ok=outcome.output_ok if outcome else None,
        contract_source=outcome.contract_source if outcome else "",
        complete=complete,
        with_request_id=bool(entry.request_id) and len(quoted) == 1 and complete,
        flags=_listed(sorted({flag for span in ordered for flag in span.flags} | _overlap(found))),
        retries=sum([span.retries or 0 for span in ordered]),
        timeouts=sum([span.timed_out for span in ordered]),
        fallback=next((span.fallback for span in speaking if span.fallback), ""),
        handoff=any(span.handoff for span in ordered),
        calls=calls,
        prompt_hashes=frozenset({span.prompt_hash for span in ordered if span.prompt_hash}),
        releases=frozenset({span.release for span in ordered if span.release}),
        schemas=frozenset({said for span in ordered if span.attributes for said in _schemas(span.attributes)}),
    )


def _schemas(attributes: Mapping[str, Any]) -> Iterator[str]:
    """As `schema_name` has them. What is neither a text nor a number names no schema, so no release pins it."""
    for name, side in SCHEMAS.items():
        if (value := attributes.get(name)) not in (None, ""):
            yield schema_name(side, value)


def _entry(ordered: Sequence[SpanFacts], present: set[str]) -> SpanFacts:
    """The root; without one, the first span whose parent is not there (its caller is traced elsewhere, or lost)."""
    steps = [span for span in ordered if span.kind != EVENT] or ordered
    for span in steps:
        if not span.parent_id:
            return span
    return next((span for span in steps if span.parent_id not in present), steps[0])


def _overlap(found: Calls) -> set[str]:
    return {REPORTED_TWICE} if found.twice else set()


def _calls(ordered: Sequence[SpanFacts], entry: SpanFacts, found: Calls) -> tuple[CallSummary, ...]:
    calls = []
    for span in ordered:
        tokens_in = tokens_out = cost = None
        if span.span_id in found.counted:
            tokens_in, tokens_out, cost = span.tokens_in, span.tokens_out, span.cost_nanousd
            if tokens_out is None and span.kind == "embedding":
                tokens_out = 0  # an embedding has no output: that nothing is said about it is no gap
        elif span.span_id in found.failed:
            tokens_in = tokens_out = cost = 0
        elif span.span_id not in found.unknown:
            continue
        calls.append(
            CallSummary(
                span_id=span.span_id,
                started_at=span.started_at,
                release=span.release or entry.release,
                tenant=span.tenant or entry.tenant,
                model=span.model_requested or span.model_answered,
                tokens_in=tokens_in,
                tokens_out=tokens_out,
                cost_nanousd=cost,
            )
        )
    return tuple(calls)


def _outcome(ordered: Sequence[SpanFacts], entry: SpanFacts) -> SpanFacts | None:
    """Whose word about the contract is the request's: the entry's own, else the last span that says something.

    The last one, since a repaired or retried answer is what the user got.
    """
    saying = [span for span in ordered if span.output_ok is not None] or [
        span for span in ordered if span.input_ok is not None
    ]
    if entry in saying:
        return entry
    return max(saying, key=lambda span: span.started_at + timedelta(microseconds=span.duration_us), default=None)


def _until_the_last_end(ordered: Sequence[SpanFacts], entry: SpanFacts) -> int:
    """In microseconds."""
    end = max([span.started_at + timedelta(microseconds=span.duration_us) for span in ordered])
    return round((end - entry.started_at) / timedelta(microseconds=1))


def _total(values: Sequence[int | None]) -> int | None:
    """The sum; unknown where one part is unknown, or where there is no part."""
    known = [value for value in values if value is not None]
    return sum(known) if known and len(known) == len(values) else None


def _listed(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))[:MAX_LISTED]
