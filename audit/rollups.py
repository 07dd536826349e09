"""Sums per bucket of time, kept so that rates, budgets and charts never scan requests.

The smallest bucket is a quarter of an hour, because every time zone's midnight falls on one: a budget day is a whole
number of buckets. Hours and UTC days are kept beside it for longer charts. What a request, span or call adds is a pure
function of its row; deriving it again subtracts what the old row added and adds what the new one does, so the sums
always equal a count over the rows.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol

from django.db.models import QuerySet

from audit.histogram import add_all, bin_of
from audit.models import Call, ComponentRollup, Request, Rollup, Spend

BUCKET = timedelta(minutes=15)
QUARTER, HOURLY, DAILY = 15, 60, 1440  # minutes
WIDTHS = (QUARTER, HOURLY, DAILY)

REQUEST_SUMS = (
    "requests",
    "errors",
    "schema_checked",
    "schema_valid",
    "with_sources",
    "with_request_id",
    "unapproved",
    "cost_nanousd",
    "cost_known",
    "retries",
    "timeouts",
)
COMPONENT_SUMS = ("spans", "errors", "retries", "timeouts")
SPEND_SUMS = ("calls", "calls_unknown", "tokens_in", "tokens_out", "cost_nanousd")

# Columns that tell rows apart, in the order of the keys below.
_ROLLUP_KEY = ("system", "width", "bucket", "environment", "release")
_COMPONENT_KEY = (*_ROLLUP_KEY, "component")
_SPEND_KEY = ("system", "bucket", "environment", "release", "tenant")

type Key = tuple[Any, ...]
type Sums = defaultdict[Key, Counter[str]]
type Histograms = defaultdict[Key, Counter[int]]


class SpanCounted(Protocol):
    """What of a span the sums of its component count."""

    @property
    def system(self) -> str: ...
    @property
    def environment(self) -> str: ...
    @property
    def component(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def duration_us(self) -> int: ...
    @property
    def failed(self) -> bool: ...
    @property
    def retries(self) -> int | None: ...
    @property
    def timed_out(self) -> bool: ...


def bucket_of(at: datetime, width: int = QUARTER) -> datetime:
    """The start of the bucket that `at` lies in."""
    step = width * 60
    return _moment(at.timestamp() // step * step)


# Most spans of a batch lie in the same few buckets, and a time is dear to make and to hash.
@lru_cache(maxsize=1024)
def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def sums_of(request: Request) -> dict[str, int]:
    """What one request adds."""
    return {
        "requests": 1,
        "errors": int(request.failed),
        "schema_checked": int(request.output_ok is not None),
        "schema_valid": int(request.output_ok is True),
        "with_sources": int(bool(request.source_ids)),
        "with_request_id": int(request.with_request_id),
        "unapproved": int(request.approval == Request.Approval.UNAPPROVED),
        "cost_nanousd": request.cost_nanousd or 0,
        "cost_known": int(request.cost_nanousd is not None),
        "retries": request.retries,
        "timeouts": request.timeouts,
    }


def spend_of(call: Call) -> dict[str, int]:
    return {
        "calls": 1,
        "calls_unknown": int(call.cost_nanousd is None),
        "tokens_in": call.tokens_in or 0,
        "tokens_out": call.tokens_out or 0,
        "cost_nanousd": call.cost_nanousd or 0,
    }


@dataclass
class Delta:
    """What a run of derivation changes, summed up before it is written."""

    requests: Sums = field(default_factory=lambda: defaultdict(Counter))
    latency: Histograms = field(default_factory=lambda: defaultdict(Counter))
    components: Sums = field(default_factory=lambda: defaultdict(Counter))
    component_latency: Histograms = field(default_factory=lambda: defaultdict(Counter))
    spend: Sums = field(default_factory=lambda: defaultdict(Counter))

    def request(self, row: Request, sign: int) -> None:
        key = (row.system, QUARTER, bucket_of(row.started_at), row.environment, row.release)
        sums = self.requests[key]
        for name, value in sums_of(row).items():
            sums[name] += sign * value
        self.latency[key][bin_of(row.duration_us)] += sign

    def span(self, span: SpanCounted, release: str, sign: int) -> None:
        key = (span.system, QUARTER, bucket_of(span.started_at), span.environment, release, span.component)
        sums = self.components[key]
        sums["spans"] += sign
        if span.failed:
            sums["errors"] += sign
        if span.retries:
            sums["retries"] += sign * span.retries
        if span.timed_out:
            sums["timeouts"] += sign
        self.component_latency[key][bin_of(span.duration_us)] += sign

    def call(self, row: Call, sign: int) -> None:
        sums = self.spend[row.system, bucket_of(row.started_at), row.environment, row.release, row.tenant]
        for name, value in spend_of(row).items():
            sums[name] += sign * value

    def apply(self) -> None:
        """Adds to the stored sums. One writer at a time: the caller holds the derivation lock."""
        _add(
            Rollup.objects.all(), _ROLLUP_KEY, REQUEST_SUMS, _in_all_widths(self.requests), _in_all_widths(self.latency)
        )
        _add(
            ComponentRollup.objects.all(),
            _COMPONENT_KEY,
            COMPONENT_SUMS,
            _in_all_widths(self.components),
            _in_all_widths(self.component_latency),
        )
        _add(Spend.objects.all(), _SPEND_KEY, SPEND_SUMS, self.spend, {})


def _in_all_widths[T](fine: Mapping[Key, Counter[T]]) -> dict[Key, Counter[T]]:
    result: defaultdict[Key, Counter[T]] = defaultdict(Counter)
    for (system, _, bucket, *rest), counts in fine.items():
        for width in WIDTHS:
            total = result[system, width, bucket_of(bucket, width), *rest]
            for name, value in counts.items():
                total[name] += value
    return result


def _add(
    rows: QuerySet[Any],
    key_names: tuple[str, ...],
    sum_names: tuple[str, ...],
    sums: Mapping[Key, Counter[str]],
    histograms: Mapping[Key, Counter[int]],
) -> None:
    stored = {_key(row, key_names): row for row in _stored(rows, key_names, sums)}
    for key, added in sums.items():
        row = stored.setdefault(key, rows.model(**dict(zip(key_names, key, strict=True))))
        for name, value in added.items():
            setattr(row, name, getattr(row, name) + value)
        if counts := histograms.get(key):
            row.latency = add_all(row.latency, counts)
    rows.bulk_create(
        stored.values(),
        update_conflicts=True,
        unique_fields=list(key_names),
        update_fields=[*sum_names, *(["latency"] if histograms else [])],
    )


def _stored(rows: QuerySet[Any], key_names: tuple[str, ...], wanted: Iterable[Key]) -> Iterator[Any]:
    keys = set(wanted)
    columns: list[set[Any]] = [set(values) for values in zip(*keys, strict=True)]
    # System, width and time narrow it down in the index; the rest is told apart here.
    narrowing = {f"{name}__in": values for name, values in zip(key_names, columns, strict=False) if name in _NARROW}
    for row in rows.filter(**narrowing) if keys else ():
        if _key(row, key_names) in keys:
            yield row


_NARROW = ("system", "width", "bucket")


def _key(row: Any, key_names: tuple[str, ...]) -> Key:
    return tuple(getattr(row, name) for name in key_names)
