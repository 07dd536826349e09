"""The charts of a system in operation: what its requests showed, against its limits, with the moments of its releases.

Everything is read from rollups (audit.trends). A point leads to the requests behind it: the search of its bucket.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from audit import ledger, trends
from audit.models import Payload
from audit.trends import Point, Window
from systems.models import RunningPolicy, System
from systems.policy import SHIPPED_RUNNING_LIMITS, RunningLimits, running_limits
from web.figures import Limit, Marker, Series, bars, time_series
from web.problems import BadRequest

RANGES = {"24h": timedelta(hours=24), "7d": timedelta(days=7), "30d": timedelta(days=30)}
COLOURS = ("--info-solid", "--hold-solid", "--ok-solid", "--warn-solid", "--bad-solid")
NANO = 1_000_000_000
_MARKED = {
    "release.rollout-started": "canary",
    "release.promoted": "live",
    "release.rolled-back": "rolled back",
}


@dataclass(frozen=True)
class Chart:
    id: str
    title: str
    figure: dict[str, Any]
    summary: str
    rows: list[list[str]]  # the numbers as a table, its heading first
    searches: list[str]  # the requests behind each row of the table, heading left out

    @property
    def heading(self) -> list[str]:
        return self.rows[0] if self.rows else []

    @property
    def numbers(self) -> list[tuple[list[str], str]]:
        return list(zip(self.rows[1:], self.searches, strict=True))


@dataclass(frozen=True)
class Asked:
    """What the page was asked for: part of its address."""

    length: str
    release: str
    environment: str

    @classmethod
    def of(cls, given: Any) -> "Asked":
        length = given.get("range") or "24h"
        if length not in RANGES:
            raise BadRequest(f"range is one of {', '.join(RANGES)}.")
        return cls(length, given.get("release", ""), given.get("environment", ""))


def charts(system: System, asked: Asked, *, now: datetime) -> tuple[Window, list[Chart]]:
    over = trends.window(RANGES[asked.length], until=now)
    narrow = {"release": asked.release, "environment": asked.environment}
    points = trends.requests(system.slug, over, **narrow)
    by_component = trends.components(system.slug, over, **narrow)
    draw = _Drawing(system, asked, over, limits_of(system), markers(system, over))
    return over, [
        draw.by_component("p95", "p95 latency by component", by_component, lambda p: p.p95_ms, "ms", points),
        draw.by_component("errors", "Error rate by component", by_component, _percent("errors", "spans"), "%", points),
        draw.schema(points),
        draw.retries(points),
        draw.cost(points),
        draw.spend(narrow),
    ]


def limits_of(system: System) -> RunningLimits:
    """The running limits in force; the shipped ones where a system has none of its own."""
    policy = RunningPolicy.objects.filter(system=system, state=RunningPolicy.State.APPROVED).first()
    return running_limits(policy.body) if policy else SHIPPED_RUNNING_LIMITS


def markers(system: System, over: Window) -> list[Marker]:
    """When releases began and ended serving, as the ledger has it."""
    entries = ledger.entries(system=system.slug).filter(
        kind__in=list(_MARKED), recorded_at__gte=over.since, recorded_at__lt=over.until
    )
    found = {entry.index: entry for entry in entries}
    said = {row.pk: row.read() for row in Payload.objects.filter(pk__in=list(found))}
    return [
        Marker(f"{(said.get(index) or {}).get('label', '')} {_MARKED[entry.kind]}".strip(), entry.at)
        for index, entry in found.items()
    ]


def _percent(part: str, whole: str) -> Callable[[Point], Decimal | None]:
    def of(point: Point) -> Decimal | None:
        share = point.share(part, whole)
        return None if share is None else 100 * share

    return of


@dataclass(frozen=True)
class _Drawing:
    system: System
    asked: Asked
    over: Window
    limits: RunningLimits
    markers: Sequence[Marker]

    def by_component(
        self,
        name: str,
        title: str,
        found: dict[str, list[Point]],
        value: Callable[[Point], Decimal | None],
        unit: str,
        requests: Sequence[Point],
    ) -> Chart:
        """A line for each of the busiest components, and one for whole requests."""
        whole = (lambda p: p.p95_ms) if unit == "ms" else _percent("errors", "requests")
        lines = [("whole requests", [whole(point) for point in requests])]
        lines += [(component, [value(p) for p in points]) for component, points in list(found.items())[:4]]
        limit = [Limit("SLO", Decimal(self.limits.slo_p95_ms), "--bad-solid")] if unit == "ms" else []
        return self._chart(name, title, lines, unit=unit, limits=limit, tokens="outcome:error" if unit == "%" else "")

    def schema(self, points: Sequence[Point]) -> Chart:
        valid = [_percent("schema_valid", "schema_checked")(point) for point in points]
        failed = [None if share is None else 100 - share for share in valid]
        limit = Limit("SLO", 100 * self.limits.slo_schema_failure, "--bad-solid")
        lines = [("schema failures", failed)]
        return self._chart(
            "schema", "Schema validation failures", lines, unit="%", limits=[limit], tokens="outcome:invalid"
        )

    def retries(self, points: Sequence[Point]) -> Chart:
        lines = [(name, [_percent(name, "requests")(point) for point in points]) for name in ("retries", "timeouts")]
        limit = Limit("SLO for retries", 100 * self.limits.slo_retry, "--bad-solid")
        title = "Retries and timeouts per 100 requests"
        return self._chart("retries", title, lines, unit="%", limits=[limit], tokens="outcome:retried outcome:timeout")

    def cost(self, points: Sequence[Point]) -> Chart:
        each = [None if (cost := p.share("cost_nanousd", "cost_known")) is None else cost / NANO * 100 for p in points]
        return self._chart("cost", "Cost per request", [("cost per request", each)], unit="¢")

    def spend(self, narrow: dict[str, str]) -> Chart:
        zone = ZoneInfo(self.system.time_zone)
        since = max(self.over.since, self.over.until - timedelta(days=30))
        found = trends.daily_spend(self.system.slug, since=since, until=self.over.until, zone=zone, **narrow)
        days = [f"{day.astimezone(zone):%Y-%m-%d}" for day in found]
        usd = [Decimal(total) / NANO for total in found.values()]
        figure = bars(days, usd, unit="USD")
        top = max([*usd, self.limits.budget_daily_usd], default=Decimal(1))
        if usd and max(usd) * 4 > self.limits.budget_daily_usd:
            figure["layout"] |= _line_at(self.limits.budget_daily_usd, "daily cap")
            figure["layout"]["yaxis"]["range"] = [0, float(top) * 1.15]
        searches = [self._search(day, day.astimezone(zone) + timedelta(days=1)) for day in found]
        figure["data"][0]["customdata"] = searches
        summary = (
            f"Known cost by day ({self.system.time_zone}); the daily cap is {self.limits.budget_daily_usd} USD, "
            f"the most was {max(usd):.2f} USD."
            if usd
            else "No known cost in this time."
        )
        rows = [["Day", "USD"], *([day, f"{value:.4f}"] for day, value in zip(days, usd, strict=True))] if days else []
        return Chart("spend", "Spend by day", figure, summary, rows, searches)

    def _chart(
        self,
        name: str,
        title: str,
        lines: Sequence[tuple[str, Sequence[Decimal | None]]],
        *,
        unit: str,
        limits: Sequence[Limit] = (),
        tokens: str = "",
    ) -> Chart:
        at = self.over.buckets
        series = [Series(label, at, values, COLOURS[i % 5]) for i, (label, values) in enumerate(lines)]
        figure = time_series(series, unit=unit, limits=limits, markers=self.markers)
        step = timedelta(minutes=self.over.width)
        searches = [self._search(moment, moment + step, tokens) for moment in at]
        for line in figure["data"]:
            line |= {"customdata": searches, "mode": "lines+markers", "marker": {"size": 5}}
        filled = [index for index in range(len(at)) if any(values[index] is not None for _, values in lines)]
        rows = [["From (UTC)", *(f"{label}, {unit}" for label, _ in lines)]] if filled else []
        rows += [
            [
                f"{at[index]:%Y-%m-%d %H:%M}",
                *("" if values[index] is None else _told(values[index]) for _, values in lines),
            ]
            for index in filled
        ]
        summary = _summary(title, lines, unit, limits)
        return Chart(name, title, figure, summary, rows, [searches[index] for index in filled])

    def _search(self, begin: datetime, end: datetime, tokens: str = "") -> str:
        """The requests behind a point, as words for the list of requests."""
        words = [f"system:{self.system.slug}"]
        words += [f"{key}:{value}" for key in ("release", "environment") if (value := getattr(self.asked, key))]
        words += [f"{key}:{at.astimezone(UTC):%Y-%m-%dT%H:%MZ}" for key, at in (("since", begin), ("until", end))]
        return " ".join([*words, *([tokens] if tokens else [])])


def _summary(
    title: str, lines: Sequence[tuple[str, Sequence[Decimal | None]]], unit: str, limits: Sequence[Limit]
) -> str:
    latest = []
    for label, values in lines:
        last = next((value for value in reversed(values) if value is not None), None)
        if last is not None:
            latest.append(f"{label} {_told(last)} {unit}")
    if not latest:
        return f"{title}: no data in this time."
    limit = f" {limits[0].label}: {_told(limits[0].value)} {unit}." if limits else ""
    return f"{title}, latest: {', '.join(latest)}.{limit}"


def _told(value: Any) -> str:
    number = Decimal(value)
    return f"{number:,.0f}" if number >= 100 else f"{number:.2f}".rstrip("0").rstrip(".")


def _line_at(value: Decimal, label: str) -> dict[str, Any]:
    y = float(value)
    line = {"color": "--bad-solid", "width": 1.25, "dash": "dash"}
    where = {"xref": "paper", "x": 1, "xanchor": "right", "y": y, "yanchor": "bottom", "showarrow": False}
    return {
        "shapes": [{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": line}],
        "annotations": [{**where, "text": label, "font": {"color": "--bad", "size": 12}}],
    }
