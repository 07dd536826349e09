"""The request trail, as upper floors read it: find a request, rates of a window, spend of a day.

What is read here are labels and numbers of what happened; what they mean (which release, was it right) is known above.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Min, Q

from audit import requestproof, spanlog
from audit.derivation import row_of
from audit.fingerprints import approvals_of
from audit.ingest.rows import leaf_bytes
from audit.merkle import leaf_hash
from audit.models import Request, Span, SpanBatch, SpanLog
from audit.rates import RateBin, Rates, rates, spend
from audit.summary import summarise
from web.prepared import Prepared
from web.problems import Problem

__all__ = [
    "RateBin",
    "Rates",
    "RequestView",
    "SpanView",
    "check",
    "find",
    "last_checkpoint",
    "of_trace",
    "proof_of",
    "rates",
    "spend",
    "view_of",
    "waiting_since",
]

# Spans of one trace lie near to its beginning, as a rule: it spares looking through every day's partition. Where some
# are missing there, they are looked for further away, and in the end everywhere: people answer after days.
_AROUND = (timedelta(minutes=10), timedelta(days=2), timedelta(days=20_000))
MAX_FOUND = 50
MAX_SPANS = 2_000


class NotProven(Problem):
    code = "not-proven"


@dataclass(frozen=True, slots=True)
class SpanView:
    row: Span
    depth: int
    counted: bool  # its tokens and cost are part of the request's

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@dataclass(frozen=True, slots=True)
class RequestView:
    system: str
    environment: str
    trace_id: str
    request_id: str
    started_at: datetime
    duration_ms: float
    name: str
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
    calls: int
    calls_unknown: int
    source_ids: tuple[str, ...] | None
    contract: str  # valid, invalid, or empty: nothing is known
    contract_source: str
    complete: bool
    flags: tuple[str, ...]
    retries: int
    timeouts: int
    fallback: str
    handoff: bool
    approval: str
    approved_release_id: str
    span_count: int
    derived: bool  # False: summed up just now, its spans are still coming in
    spans: tuple[SpanView, ...]

    @property
    def unapproved(self) -> bool:
        return self.approval == Request.Approval.UNAPPROVED


def find(request_id: str, *, system: str | None = None) -> list[RequestView]:
    """Every request that is quoted by this id, or has it as its trace id. Several may: quoted ids need not be unique.

    A trace whose spans came just now is summed up on the spot.
    """
    request_id = request_id.strip()
    trace = _trace_id(request_id)
    if not request_id:
        return []
    rows = _quoted(request_id=request_id) if system is None else _quoted_in(request_id=request_id, system=system)
    if trace is not None:
        traced = (row for row in _traced(trace=trace) if system in (None, row.system))
        rows += [row for row in traced if row.request_id != request_id]
    found = _views(rows)
    if not found and trace is not None:
        found = _not_yet_derived(trace, system)
    return found


def of_trace(trace: UUID, system: str) -> list[RequestView]:
    """The requests of a system with this trace id: one for each environment in which it was received."""
    rows = [row for row in _traced(trace=trace) if row.system == system]
    return _views(rows) or _not_yet_derived(trace, system)


def _views(rows: list[Request]) -> list[RequestView]:
    """The newest first."""
    return [view_of(row) for row in sorted(rows, key=lambda row: row.started_at, reverse=True)[:MAX_FOUND]]


# That it is not empty is said in the text as well: the index holds those only.
_SAID = Request.objects.exclude(request_id="").order_by("-started_at")
_quoted = Prepared(lambda request_id: _SAID.filter(request_id=request_id)[:MAX_FOUND])
_quoted_in = Prepared(lambda request_id, system: _SAID.filter(request_id=request_id, system=system)[:MAX_FOUND])
_traced = Prepared(lambda trace: Request.objects.filter(trace_id=trace))


def view_of(row: Request) -> RequestView:
    return _view(row, _spans(row), derived=True)


def _not_yet_derived(trace: UUID, system: str | None) -> list[RequestView]:
    spans = Span.objects.filter(trace_id=trace)
    if system is not None:
        spans = spans.filter(system=system)
    groups: dict[tuple[str, str], list[Span]] = {}
    for span in spans.order_by("started_at", "span_id")[:MAX_SPANS]:
        groups.setdefault((span.system, span.environment), []).append(span)
    views = []
    for group in groups.values():
        summary = summarise(group)
        row = row_of(summary, approvals_of(summary.system), now=summary.started_at)
        views.append(_view(row, group, derived=False))
    return views


def _view(row: Request, spans: list[Span], *, derived: bool) -> RequestView:
    contract = {True: "valid", False: "invalid", None: ""}[row.output_ok]
    if row.input_ok is False:
        contract = "invalid"
    return RequestView(
        system=row.system,
        environment=row.environment,
        trace_id=row.trace_id.hex,
        request_id=row.request_id,
        started_at=row.started_at,
        duration_ms=row.duration_us / 1000,
        name=row.name,
        release=row.release,
        tenant=row.tenant,
        prompt_name=row.prompt_name,
        prompt_version=row.prompt_version,
        prompt_hash=row.prompt_hash,
        prompt_hash_source=row.prompt_hash_source,
        model=row.model,
        models_seen=tuple(row.models_seen),
        failed=row.failed,
        error_type=row.error_type,
        tokens_in=row.tokens_in,
        tokens_out=row.tokens_out,
        cost_nanousd=row.cost_nanousd,
        calls=row.calls,
        calls_unknown=row.calls_unknown,
        source_ids=None if row.source_ids is None else tuple(row.source_ids),
        contract=contract,
        contract_source=row.contract_source,
        complete=row.complete,
        flags=tuple(row.flags),
        retries=row.retries,
        timeouts=row.timeouts,
        fallback=row.fallback,
        handoff=row.handoff,
        approval=row.approval,
        approved_release_id=row.approved_release_id,
        span_count=row.span_count,
        derived=derived,
        spans=tuple(_in_tree_order(spans)),
    )


def _spans(row: Request) -> list[Span]:
    about = {"trace": row.trace_id, "system": row.system, "environment": row.environment}
    spans: list[Span] = []
    for around in _AROUND:
        spans = _spans_around(**about, since=row.started_at - around, until=row.started_at + around)
        if len(spans) >= min(row.span_count, MAX_SPANS):
            break
    return spans


_spans_around = Prepared(
    lambda trace, system, environment, since, until: Span.objects.filter(
        trace_id=trace, system=system, environment=environment, started_at__gte=since, started_at__lte=until
    ).order_by("started_at", "span_id")[:MAX_SPANS]
)


def _in_tree_order(spans: list[Span]) -> list[SpanView]:
    """Each span below its parent, by time; spans whose parent is missing (or loops) start trees of their own."""
    counted = {call.span_id for call in summarise(spans).calls} if spans else set()
    present = {span.span_id for span in spans}
    children: dict[str, list[Span]] = {}
    for span in spans:
        children.setdefault(span.parent_id if span.parent_id in present else "", []).append(span)
    result: list[SpanView] = []
    seen: set[str] = set()
    waiting = [(span, 0) for span in reversed(children.get("", []))]
    while waiting:
        span, depth = waiting.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        result.append(SpanView(span, depth, span.span_id in counted))
        waiting += [(child, depth + 1) for child in reversed(children.get(span.span_id, []))]
    return result + [SpanView(span, 0, span.span_id in counted) for span in spans if span.span_id not in seen]


def check(request: RequestView) -> tuple[bool | None, str]:
    """Are the stored spans the ones that were received? (True, False, or None while not sealed yet) and a sentence.

    Each row is hashed again; its hash must be the one that its batch holds at its place, and lead to the root of a
    signed checkpoint.
    """
    if not request.spans:
        return False, "The spans of this request are not stored any more."
    missing = min(request.span_count, MAX_SPANS) - len(request.spans)
    if missing > 0:
        return False, f"{missing} of the {request.span_count} spans of this request are not stored any more."
    found, signed = _hashed_again(request)
    for view, _, leaf, place in found:
        span = view.row
        if place is None or not leaf == bytes(span.leaf_hash) == place[1]:
            return False, f"The stored span {span.name!r} ({span.span_id}) is not the one that was received."
    indexes = [(place[0] + view.row.position, leaf) for view, _, leaf, place in found if place and place[0] is not None]
    return spanlog.check_sealed(indexes, signed, waiting=len(found) - len(indexes))


def proof_of(request: RequestView) -> bytes:
    """The request as a document that anybody can check without us (audit.requestproof)."""
    ok, sentence = check(request)
    if not ok:
        raise NotProven(sentence)
    found, _ = _hashed_again(request)
    indexes = [place[0] + view.row.position for view, _, _, place in found if place and place[0] is not None]
    proofs, origin, keys = spanlog.inclusions(indexes)
    about = {name: getattr(request, name) for name in ("system", "environment", "trace_id", "request_id")}
    spans = [(text, proofs[at]) for (_, text, _, _), at in zip(found, indexes, strict=True)]
    return requestproof.write(about, spans, origin=origin, keys=keys)


type HashedAgain = list[tuple[SpanView, bytes, bytes, tuple[int | None, bytes] | None]]


def _hashed_again(request: RequestView) -> tuple[HashedAgain, spanlog.Signed | None]:
    """Each span with its leaf as text, that text's hash, and what the log holds at its place; and the newest head."""
    places, signed = spanlog.places_of([(view.row.batch_id, view.row.position) for view in request.spans])
    found = []
    for view in request.spans:
        text = leaf_bytes(view.row)
        found.append((view, text, leaf_hash(text), places.get((view.row.batch_id, view.row.position))))
    return found, signed


def last_checkpoint() -> dict[str, Any] | None:
    """The newest signed head of the request log: what a decision refers to."""
    return spanlog.last_checkpoint()


def waiting_since() -> datetime | None:
    """When the oldest spans came in that are not part of a derived request yet; None where all are.

    Counts of what was received later than this still grow.
    """
    not_derived = Q(first_index=None) | Q(first_index__gte=SpanLog.objects.get().derived_to)
    return SpanBatch.objects.filter(not_derived).aggregate(oldest=Min("received_at"))["oldest"]


def _trace_id(text: str) -> UUID | None:
    """A trace id as people paste it: 32 hex digits, with or without the dashes of a UUID."""
    try:
        return UUID(text) if len(text) in (32, 36) else None
    except ValueError:
        return None
