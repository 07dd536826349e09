"""What a system's requests showed over time: the points of its charts. Read from the rollups, never from requests."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper, Sum
from django.db.models.functions import TruncDay

from audit import environments
from audit.histogram import merge, quantile
from audit.models import ComponentRollup, Rollup, Spend
from audit.rollups import COMPONENT_SUMS, DAILY, HOURLY, QUARTER, REQUEST_SUMS, bucket_of
from web.prepared import Prepared

P95 = Decimal("0.95")


@dataclass(frozen=True, slots=True)
class Point:
    at: datetime
    sums: Counter[str]
    p95_ms: Decimal | None

    def share(self, part: str, whole: str) -> Decimal | None:
        """Of none there is no share: the chart has a gap there."""
        return Decimal(self.sums[part]) / self.sums[whole] if self.sums[whole] else None


@dataclass(frozen=True, slots=True)
class Window:
    """A range of whole buckets."""

    since: datetime
    until: datetime
    width: int  # minutes

    @property
    def buckets(self) -> list[datetime]:
        step = timedelta(minutes=self.width)
        return [self.since + number * step for number in range((self.until - self.since) // step)]


def window(length: timedelta, *, until: datetime) -> Window:
    """The buckets that a chart of this length has: fine enough to see, few enough to read."""
    width = QUARTER if length <= timedelta(hours=26) else HOURLY if length <= timedelta(days=8) else DAILY
    last = bucket_of(until, width)
    return Window(bucket_of(until - length, width), last + timedelta(minutes=width), width)


def requests(system: str, over: Window, **narrow: str) -> list[Point]:
    """One point for each bucket, empty ones too. `narrow`: release, environment."""
    grouped: dict[datetime, list[Any]] = {}
    for bucket, *values in _narrowed(_requests(**_of(system, over)), **narrow):
        grouped.setdefault(bucket, []).append(values)
    return list(_points(over, grouped, REQUEST_SUMS))


def components(system: str, over: Window, **narrow: str) -> dict[str, list[Point]]:
    """The same for the spans of each component, the busiest first."""
    grouped: dict[str, dict[datetime, list[Any]]] = {}
    for name, bucket, *values in _narrowed(_components(**_of(system, over)), **narrow):
        grouped.setdefault(name, {}).setdefault(bucket, []).append(values)
    found = {name: list(_points(over, buckets, COMPONENT_SUMS)) for name, buckets in grouped.items()}
    return dict(sorted(found.items(), key=lambda item: (-sum(p.sums["spans"] for p in item[1]), item[0])))


def daily_spend(system: str, *, since: datetime, until: datetime, zone: Any, **narrow: Any) -> dict[datetime, int]:
    """Known cost in nano-USD by day of the system's own time zone."""
    given = {name: value for name, value in narrow.items() if value}
    rows = Spend.objects.filter(system=system, bucket__gte=since, bucket__lt=until, **given)
    days = rows.annotate(day=TruncDay("bucket", tzinfo=zone)).values_list("day").annotate(total=Sum("cost_nanousd"))
    return dict(days.order_by("day"))


def releases_seen(system: str, over: Window) -> list[str]:
    rows = Rollup.objects.filter(system=system, width=over.width, bucket__gte=over.since, bucket__lt=over.until)
    return sorted(set(rows.exclude(release="").values_list("release", flat=True)), reverse=True)


def environments_seen(system: str, over: Window) -> dict[str, bool]:
    """Each environment that sent something, and whether it counts as production."""
    return dict(sorted(_environments(**_of(system, over))))


def _narrowed(rows: Iterable[Any], release: str = "", environment: str = "") -> Iterator[list[Any]]:
    """The rows of this release and this environment, without the two; of all, where none is named."""
    for of_release, of_environment, *values in rows:
        if release in ("", of_release) and environment in ("", of_environment):
            yield values


def _of(system: str, over: Window) -> dict[str, Any]:
    return {"system": system, "width": over.width, "since": over.since, "until": over.until}


_requests = Prepared(
    lambda system, width, since, until: Rollup.objects.filter(
        system=system, width=width, bucket__gte=since, bucket__lt=until
    ).values_list("release", "environment", "bucket", *REQUEST_SUMS, "latency"),
    binary=True,
)
_components = Prepared(
    lambda system, width, since, until: ComponentRollup.objects.filter(
        system=system, width=width, bucket__gte=since, bucket__lt=until
    ).values_list("release", "environment", "component", "bucket", *COMPONENT_SUMS, "latency"),
    binary=True,
)
_environments = Prepared(
    lambda system, width, since, until: (
        Rollup.objects.filter(system=system, width=width, bucket__gte=since, bucket__lt=until)
        .values_list("environment", ExpressionWrapper(environments.production(system), BooleanField()))
        .distinct()
    )
)


def _points(over: Window, grouped: dict[datetime, list[Any]], names: tuple[str, ...]) -> Iterator[Point]:
    for bucket in over.buckets:
        if bucket not in grouped:
            yield Point(bucket, Counter(), None)
            continue
        *columns, histograms = zip(*grouped[bucket], strict=True)
        sums = Counter(dict(zip(names, map(sum, columns), strict=True)))
        latency = histograms[0] if len(histograms) == 1 else merge(histograms)
        yield Point(bucket, sums, quantile(latency, P95))
