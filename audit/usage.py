"""Which spans of a trace are provider calls, so that each call counts once. Pure.

Instrumentations nest: a parent repeats its child's tokens (Vercel AI SDK: a plain sum is twice the truth), LlamaIndex
puts up to three model spans around one call, of which only the innermost has tokens. So a call is the innermost model
span with usage. A model span without usage is a call of unknown size, unless a call was counted inside or around it.

Two instrumentations side by side (a chain library's and the client's; or one of them and the spans that the client
library makes by itself) report each call twice, as neighbours in the trace. They are one call where they come from
different scopes at the same time and nothing that they say disagrees; `twice` names the spans left out. And logfire
tells of a stream in two spans: the call, and a point in time beside it, which has the usage, when the stream has ended.

A call that failed without usage used nothing that is billed, except where it timed out: then the provider may have
worked on, and the size is unknown.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

# Kinds whose spans are calls that a provider bills by tokens.
BILLED = frozenset({"model", "embedding"})
# Around a call: how much later the inner of two spans may end, where both end when the same stream does.
SLACK = timedelta(milliseconds=5)


class Spanlike(Protocol):
    span_id: str
    parent_id: str
    kind: str
    scope: str
    started_at: datetime
    duration_us: int
    model_requested: str
    model_answered: str
    response_id: str
    tokens_in: int | None
    tokens_out: int | None
    failed: bool
    timed_out: bool


@dataclass(frozen=True, slots=True)
class Calls:
    counted: frozenset[str]  # span ids with usage
    unknown: frozenset[str]  # span ids of calls whose usage was not reported
    failed: frozenset[str]  # span ids of calls that failed and used nothing
    twice: frozenset[str]  # span ids that report a call which another span stands for


def provider_calls(spans: Iterable[Spanlike]) -> Calls:
    """Counts over one trace. A chain of parents that loops (forged or damaged ids) ends where it meets itself."""
    by_id = {span.span_id: span for span in spans}
    billed = {key for key, span in by_id.items() if span.kind in BILLED}
    with_usage = {key for key in billed if _has_usage(by_id[key])}
    above = {key: _ancestors(by_id, key) for key in billed}
    around_usage = {ancestor for key in with_usage for ancestor in above[key]}
    counted = with_usage - around_usage
    around_any = {ancestor for key in billed for ancestor in above[key]}
    silent = {
        key
        for key in billed - with_usage
        # Not innermost: whatever is inside speaks for it. Inside a counted call: that one speaks for it.
        if key not in around_any and counted.isdisjoint(above[key])
    }
    # Two spans that are each other's parents hide one another: without an innermost one, none may vanish.
    if billed and not counted and not silent:
        silent = {min(billed)}
    spoken_for = _spoken_for([by_id[key] for key in counted | silent])
    counted, silent = counted - spoken_for.keys(), silent - spoken_for.keys()
    twice = frozenset(key for key, by in spoken_for.items() if by_id[key].scope != by.scope)
    failed = {key for key in silent if by_id[key].failed and not by_id[key].timed_out}
    return Calls(frozenset(counted), frozenset(silent - failed), frozenset(failed), twice)


def _spoken_for(calls: list[Spanlike]) -> dict[str, Spanlike]:
    """The spans that another one stands for, and which. It stands for at most one span of each other form."""
    if len({_form(call) for call in calls}) < 2:
        return {}
    # Who has usage speaks first; then the shorter, which is the nearer to the provider.
    calls = sorted(calls, key=lambda call: (not _has_usage(call), call.duration_us, call.started_at, call.span_id))
    kept: list[tuple[Spanlike, set[tuple[str, bool]]]] = []
    spoken_for = {}
    for call in calls:
        for other, forms in kept:
            if _form(call) not in forms and _same_call(call, other):
                forms.add(_form(call))
                spoken_for[call.span_id] = other
                break
        else:
            kept.append((call, {_form(call)}))
    return spoken_for


def _form(span: Spanlike) -> tuple[str, bool]:
    """One instrumentation reports a call in one span; a point in time is another way of telling."""
    return span.scope, span.duration_us == 0


def _same_call(one: Spanlike, other: Spanlike) -> bool:
    """Nothing disagrees, and one happened during the other (with the provider's own id: at the same time at least)."""
    if one.kind != other.kind or not _models_agree(one, other):
        return False
    for name in ("tokens_in", "tokens_out"):
        here, there = getattr(one, name), getattr(other, name)
        if here is not None and there is not None and here != there:
            return False
    if one.scope == other.scope:
        return _ends(one, other) or _ends(other, one)
    if one.response_id and other.response_id:
        return one.response_id == other.response_id and _overlap(one, other)
    return one.failed == other.failed and (_during(one, other) or _during(other, one))


def _models_agree(one: Spanlike, other: Spanlike) -> bool:
    """Some spans have only the name that was asked for, some only the dated one that answered, a failed one neither."""
    names = [{span.model_requested, span.model_answered} - {""} for span in (one, other)]
    if not all(names):
        return True
    return any(here.startswith(there) or there.startswith(here) for here in names[0] for there in names[1])


def _ends(point: Spanlike, call: Spanlike) -> bool:
    """The point tells how the call beside it ended, which said nothing about usage."""
    beside = point.parent_id == call.parent_id and call.started_at <= point.started_at
    return point.duration_us == 0 and beside and not _has_usage(call)


def _overlap(one: Spanlike, other: Spanlike) -> bool:
    return one.started_at <= _end(other) and other.started_at <= _end(one)


def _during(inner: Spanlike, outer: Spanlike) -> bool:
    return outer.started_at <= inner.started_at and _end(inner) <= _end(outer) + SLACK


def _end(span: Spanlike) -> datetime:
    return span.started_at + timedelta(microseconds=span.duration_us)


def _has_usage(span: Spanlike) -> bool:
    return span.tokens_in is not None or span.tokens_out is not None


def _ancestors(by_id: dict[str, Spanlike], span_id: str) -> set[str]:
    seen: set[str] = set()
    parent = by_id[span_id].parent_id
    while parent in by_id and parent not in seen:
        seen.add(parent)
        parent = by_id[parent].parent_id
    return seen
