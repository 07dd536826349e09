"""Counts beside a list of requests: which releases, prompts, models, outcomes it holds, each a link that narrows it.

Counted over the newest matching requests, up to a bound that keeps the answer quick at any size of the trail. Below the
bound the counts are exact; at the bound the page says so.
"""

import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from audit.explorer import Search
from web.filters import Filter

NEWEST = 5_000
LISTED = 10

_COLUMNS = (
    "system",
    "environment",
    "release",
    "prompt_name",
    "prompt_version",
    "models_seen",
    "tenant",
    "error_type",
    "failed",
    "output_ok",
    "input_ok",
    "approval",
    "fallback",
    "handoff",
    "timeouts",
    "retries",
    "complete",
    "cost_nanousd",
)
LABELS = {
    "outcome": "Outcome",
    "release": "Release",
    "prompt": "Prompt",
    "model": "Model",
    "tenant": "Tenant",
    "error": "Error",
    "environment": "Environment",
    "system": "System",
}


@dataclass(frozen=True, slots=True)
class Value:
    value: str
    count: int
    query: str  # the search narrowed to it, or without it where it is asked for already
    here: bool


@dataclass(frozen=True, slots=True)
class Facet:
    key: str
    label: str
    values: tuple[Value, ...]
    more: int  # values that are not listed


@dataclass(frozen=True, slots=True)
class Facets:
    counted: int
    exact: bool
    groups: tuple[Facet, ...]


def facets(search: Search) -> Facets:
    counts: dict[str, Counter[str]] = {key: Counter() for key in LABELS}
    total = 0
    rows = search.rows.order_by(*search.order)[:NEWEST]
    for row in rows.values_list(*_COLUMNS, named=True):
        total += 1
        for key, value in _values(row):
            counts[key][value] += 1
    groups = tuple(_facet(key, counter, search.filter) for key, counter in counts.items() if counter)
    return Facets(total, total < NEWEST, groups)


def _values(row: Any) -> Iterator[tuple[str, str]]:
    yield from (("outcome", name) for name in outcomes(row))
    yield "system", row.system
    yield "environment", row.environment
    if row.release:
        yield "release", row.release
    if row.prompt_name and row.prompt_version:
        yield "prompt", f"{row.prompt_name}@{row.prompt_version}"
    elif prompt := row.prompt_name or row.prompt_version:
        yield "prompt", prompt
    yield from (("model", model) for model in row.models_seen)
    if row.tenant:
        yield "tenant", row.tenant
    if row.error_type:
        yield "error", row.error_type


def outcomes(row: Any) -> Iterator[str]:
    """The words of `outcome:` that find this request: the same rules as explorer.OUTCOMES, for a row in hand."""
    invalid = row.output_ok is False or row.input_ok is False
    if not row.failed and row.output_ok is not False:
        yield "ok"
    if row.failed:
        yield "error"
    if invalid:
        yield "invalid"
    if row.approval == "unapproved":
        yield "unapproved"
    if row.fallback:
        yield "fallback"
    if row.handoff:
        yield "handoff"
    if row.timeouts:
        yield "timeout"
    if row.retries:
        yield "retried"
    if not row.complete:
        yield "broken-chain"
    if row.cost_nanousd is None:
        yield "unknown-cost"


def _facet(key: str, counts: Counter[str], asked: Filter) -> Facet:
    here = asked.tokens.get(key, [])
    listed = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    values = tuple(Value(name, n, toggled(asked, key, name), name in here) for name, n in listed[:LISTED])
    return Facet(key, LABELS[key], values, max(0, len(listed) - LISTED))


def toggled(asked: Filter, key: str, value: str) -> str:
    """The search with `key:value` in it, or without where it is there. One value a key: a click narrows."""
    tokens = {name: values for name, values in asked.tokens.items() if name != key}
    if value and value not in asked.tokens.get(key, []):
        tokens[key] = [value]
    return written(tokens, asked.text)


def written(tokens: dict[str, list[str]], text: str = "") -> str:
    words = [f"{key}:{shlex.quote(value)}" for key, values in tokens.items() for value in values]
    return " ".join([*words, *([text] if text else [])])
