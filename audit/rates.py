"""What a system's requests showed in a window: exact counts, and latency quantiles right within one per cent.

Whole quarter hours come from the rollups, the pieces at the two ends from the rows themselves, so any window is exact.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet, Sum

from audit.environments import production
from audit.histogram import add, bin_of, merge, quantile
from audit.models import Call, Request, Rollup, Spend
from audit.rollups import BUCKET, QUARTER, REQUEST_SUMS, bucket_of, sums_of
from web.prepared import Prepared

P95 = Decimal("0.95")
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Counts:
    requests: int
    errors: int
    schema_checked: int
    schema_valid: int
    with_sources: int
    with_request_id: int
    unapproved: int
    cost_nanousd: int  # of the requests whose cost is known: divide by `cost_known`
    cost_known: int
    retries: int
    timeouts: int
    latency_p95_ms: Decimal | None
    latency: tuple[int, ...]  # requests per bin of audit.histogram, which add up over windows where percentiles do not


@dataclass(frozen=True, slots=True)
class RateBin(Counts):
    """One clock hour of the window, or the part of it that the window covers. Hours without requests are there too."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Rates(Counts):
    bins: tuple[RateBin, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    at: datetime
    sums: Counter[str]
    latency: list[int]


def rates(
    system: str,
    *,
    since: datetime,
    until: datetime,
    environments: Collection[str] | None = None,
    release: str | None = None,
) -> Rates:
    """Requests that started in [since, until). None means all of production (audit.environments), every release."""
    chosen = Q(system=system)
    chosen &= production(system) if environments is None else Q(environment__in=list(environments))
    if release is not None:
        chosen &= Q(release=release)
    pieces = list(_pieces(chosen, since, until))
    by_hour: dict[datetime, list[_Piece]] = {}
    for piece in pieces:
        by_hour.setdefault(_hour_of(piece.at), []).append(piece)
    bins = []
    start = since
    while start < until:
        end = min(_hour_of(start) + HOUR, until)
        bins.append(RateBin(**_counts(by_hour.get(_hour_of(start), [])), since=start, until=end))
        start = end
    return Rates(**_counts(pieces), bins=tuple(bins))


_spent = Prepared(
    lambda system, first, last: (
        Spend.objects.filter(system=system, bucket__gte=first, bucket__lt=last)
        .order_by()
        .values("system")
        .values_list(Sum("cost_nanousd"), flat=True)
    )
)


def spend(system: str, *, since: datetime, until: datetime, tenant: str | None = None) -> int:
    """Known cost in nano-USD of the provider calls that started in [since, until), in every environment."""
    filters: dict[str, Any] = {"system": system} if tenant is None else {"system": system, "tenant": tenant}
    first, last = _whole_buckets(since, until)
    total = 0
    if first < last and tenant is None:
        total += sum(_spent(system=system, first=first, last=last))
    elif first < last:
        rows = Spend.objects.filter(**filters, bucket__gte=first, bucket__lt=last)
        total += rows.aggregate(total=Sum("cost_nanousd", default=0))["total"]
    for start, end in _edges(since, until):
        calls = Call.objects.filter(**filters, started_at__gte=start, started_at__lt=end)
        total += calls.aggregate(total=Sum("cost_nanousd", default=0))["total"]
    return int(total)


def _hour_of(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)


def _whole_buckets(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    first = bucket_of(since)
    return (first if first == since else first + BUCKET), bucket_of(until)


def _edges(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The pieces of the window that whole buckets do not cover."""
    first, last = _whole_buckets(since, until)
    pieces = [(since, until)] if first >= last else [(since, first), (last, until)]
    return ((start, end) for start, end in pieces if start < end)


def _pieces(chosen: Q, since: datetime, until: datetime) -> Iterator[_Piece]:
    first, last = _whole_buckets(since, until)
    if first < last:
        for row in Rollup.objects.filter(chosen, width=QUARTER, bucket__gte=first, bucket__lt=last):
            yield _Piece(row.bucket, Counter({name: getattr(row, name) for name in REQUEST_SUMS}), row.latency)
    for start, end in _edges(since, until):
        found = Request.objects.filter(chosen, started_at__gte=start, started_at__lt=end)
        yield from _from_requests(found, start)


def _from_requests(found: QuerySet[Request], start: datetime) -> Iterator[_Piece]:
    """Summed up per clock hour, as far as bins are told apart."""
    sums: dict[datetime, Counter[str]] = {}
    latency: dict[datetime, list[int]] = {}
    for request in found.defer("name", "flags", "models_seen").iterator():
        key = max(start, request.started_at.replace(minute=0, second=0, microsecond=0))
        sums.setdefault(key, Counter()).update(sums_of(request))
        latency[key] = add(latency.get(key, []), bin_of(request.duration_us), 1)
    return (_Piece(key, sums[key], latency[key]) for key in sums)


def _counts(pieces: list[_Piece]) -> dict[str, Any]:
    total: Counter[str] = Counter()
    for piece in pieces:
        total.update(piece.sums)
    counts: dict[str, Any] = {name: total[name] for name in REQUEST_SUMS}
    latency = merge(piece.latency for piece in pieces)
    counts["latency"] = tuple(latency)
    counts["latency_p95_ms"] = quantile(latency, P95)
    return counts
