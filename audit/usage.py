"""Which spans of a trace are provider calls, so that each call counts once. Pure.

Instrumentations nest: a parent repeats its child's tokens (Vercel AI SDK: a plain sum is twice the truth), LlamaIndex
puts up to three model spans around one call, of which only the innermost has tokens. So a call is the innermost model
span with usage. A model span without usage is a call of unknown size, unless a call was counted inside or around it.

A call that failed without usage used nothing that is billed, except where it timed out: then the provider may have
worked on, and the size is unknown.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

# Kinds whose spans are calls that a provider bills by tokens.
BILLED = frozenset({"model", "embedding"})


class Spanlike(Protocol):
    span_id: str
    parent_id: str
    kind: str
    tokens_in: int | None
    tokens_out: int | None
    failed: bool
    timed_out: bool


@dataclass(frozen=True, slots=True)
class Calls:
    counted: frozenset[str]  # span ids with usage
    unknown: frozenset[str]  # span ids of calls whose usage was not reported
    failed: frozenset[str]  # span ids of calls that failed and used nothing


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
    failed = {key for key in silent if by_id[key].failed and not by_id[key].timed_out}
    return Calls(frozenset(counted), frozenset(silent - failed), frozenset(failed))


def _has_usage(span: Spanlike) -> bool:
    return span.tokens_in is not None or span.tokens_out is not None


def _ancestors(by_id: dict[str, Spanlike], span_id: str) -> set[str]:
    seen: set[str] = set()
    parent = by_id[span_id].parent_id
    while parent in by_id and parent not in seen:
        seen.add(parent)
        parent = by_id[parent].parent_id
    return seen
