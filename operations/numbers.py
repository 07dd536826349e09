"""The numbers of one period of a system, gathered so that they can be frozen: plain JSON, money and shares as text."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Count

from audit import trail
from metrics.models import DriftReport
from operations.budget import NANO, day_of, limits_of
from operations.models import BudgetAlarm, Drill, Feedback, Freeze, Incident, Notification
from operations.objectives import objectives
from operations.spending import variance
from systems.models import ReleasePolicy, System
from systems.policy import SHIPPED_RELEASE_BARS, ReleaseBars, release_bars

HOUR = timedelta(hours=1)
MOST_DAYS = 92


def bars_of(system: System) -> ReleaseBars:
    """The release policy in force; the shipped one where a system has none of its own."""
    policy = ReleasePolicy.objects.filter(system=system, state=ReleasePolicy.State.APPROVED).first()
    return release_bars(policy.body) if policy else SHIPPED_RELEASE_BARS


def gather(system: System, *, since: datetime, until: datetime, release: str = "") -> dict[str, Any]:
    """What a review is made on. Requests of one release where it is about one; money is always the whole system's."""
    seen = trail.rates(system.slug, since=since, until=until, release=release or None)
    within = {"system": system}
    return {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "release": release,
        "requests": {
            "count": seen.requests,
            "errors": seen.errors,
            "error_rate": _share(seen.errors, seen.requests),
            "p95_ms": _text(seen.latency_p95_ms),
            "schema_checked": seen.schema_checked,
            "schema_valid": seen.schema_valid,
            "retries": seen.retries,
            "timeouts": seen.timeouts,
            "unapproved": seen.unapproved,
        },
        "cost": costs(system, since=since, until=until),
        "objectives": [
            {"key": one.key, "label": one.label, "bad": one.bad, "counted": one.counted, "used": _text(one.used)}
            for one in objectives_of(system, since=since, until=until)
        ],
        "incidents": [
            {"id": str(row.pk), "title": row.title, "severity": row.severity, "state": row.state}
            for row in Incident.objects.filter(**within, opened_at__gte=since, opened_at__lt=until)[:200]
        ],
        "drift": _drift(system, since=since, until=until),
        "feedback": _feedback(system, since=since, until=until, release=release),
        "alarms": Notification.objects.filter(
            **within, breach_at__isnull=False, created_at__gte=since, created_at__lt=until
        ).count(),
        "budget_alarms": BudgetAlarm.objects.filter(**within, noticed_at__gte=since, noticed_at__lt=until).count(),
        "freezes": Freeze.objects.filter(**within, imposed_at__gte=since, imposed_at__lt=until).count(),
        "drills": Drill.objects.filter(**within, ended_at__gte=since, ended_at__lt=until, outcome="passed").count(),
    }


def costs(system: System, *, since: datetime, until: datetime) -> dict[str, Any]:
    """Spending of the window, day by day, and against the window of the same length before it."""
    total = trail.spend(system.slug, since=since, until=until)
    before = trail.spend(system.slug, since=since - (until - since), until=since)
    seen = trail.rates(system.slug, since=since, until=until)
    each = Decimal(seen.cost_nanousd) / NANO / seen.cost_known if seen.cost_known else None
    change = variance(total, before)
    limit = limits_of(system).budget_variance
    return {
        "total_usd": usd(total),
        "before_usd": usd(before),
        "variance": _text(change),
        "variance_max": _text(limit),
        "within": change is None or abs(change) <= limit,
        "per_request_usd": f"{each:.6f}" if each is not None else None,
        "unpriced": seen.requests - seen.cost_known,
        "days": [{"day": day.isoformat(), "usd": usd(spent)} for day, spent in daily(system, since=since, until=until)],
    }


def daily(system: System, *, since: datetime, until: datetime) -> list[tuple[date, int]]:
    """Spending of each budget day that the window touches, the whole day's."""
    found: list[tuple[date, int]] = []
    at = since
    while at < until and len(found) < MOST_DAYS:
        day = day_of(system.time_zone, at)
        found.append((day.day, trail.spend(system.slug, since=day.start, until=min(day.end, until))))
        at = day.end
    return found


def objectives_of(system: System, *, since: datetime, until: datetime) -> Any:
    window = trail.rates(system.slug, since=since, until=until)
    hour = trail.rates(system.slug, since=max(since, until - HOUR), until=until)
    return objectives(window, hour, limits=limits_of(system), error_rate_max=bars_of(system).error_rate_max)


def _drift(system: System, *, since: datetime, until: datetime) -> dict[str, Any] | None:
    """The latest weekly report whose week ended in the period: the largest stability index, and what drifted."""
    report = DriftReport.objects.filter(system=system, until__gt=since, until__lte=until).first()
    if report is None:
        return None
    indexes = {figure["name"]: Decimal(figure["psi"]) for figure in report.figures if figure.get("psi") is not None}
    most = max(indexes, key=lambda name: indexes[name], default="")
    return {
        "report": str(report.pk),
        "until": report.until.isoformat(),
        "index": _text(indexes[most]) if most else None,
        "feature": most,
        "threshold": _text(report.psi_max.normalize()),
        "drifted": report.drifted,
        "digest": report.digest,
    }


def _feedback(system: System, *, since: datetime, until: datetime, release: str) -> dict[str, int]:
    rows = Feedback.objects.filter(system=system, received_at__gte=since, received_at__lt=until)
    if release:
        rows = rows.filter(release_label=release)
    counts = dict(rows.order_by().values_list("rating").annotate(n=Count("pk")))
    return {rating: counts.get(rating, 0) for rating in Feedback.Rating.values}


def usd(nanousd: int) -> str:
    return f"{Decimal(nanousd) / NANO:f}"


def _share(part: int, whole: int) -> str | None:
    return str((Decimal(part) / whole).quantize(Decimal("0.0001"))) if whole else None


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"
