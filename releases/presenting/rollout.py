"""The rollout of a release while it runs, and after (releases/parts/rollout.html)."""

from datetime import datetime, timedelta
from typing import Any

from metrics.judges.canary import Bin, CanaryVerdict
from releases.facts import judge_rollout
from releases.models import Release, Rollout
from releases.presenting.rows import release_url
from systems.policy import ReleaseBars
from web.figures import Limit, Series, time_series
from web.templatetags.ui import percent

WORDS = {"pass": "passed", "fail": "breached", "inconclusive": "inconclusive", "running": "running"}


def rollout(release: Release, bars: ReleaseBars, *, now: datetime) -> dict[str, Any] | None:
    plan = Rollout.objects.select_related("source").filter(release=release).first()
    if plan is None or plan.started_at is None:
        return None
    judged = judge_rollout(release, plan, bars, now=now)
    running = plan.state == Rollout.State.RUNNING
    return {
        "title": plan.get_strategy_display(),
        "status": WORDS[judged.outcome] if running else plan.state,
        "share": f"{percent(plan.share)} of traffic",
        "started_at": plan.started_at,
        "ends_at": plan.started_at + timedelta(hours=plan.hours) if running else None,
        "covered": judged.covered_hours,
        "needed": max(plan.hours, bars.canary_hours),
        "cells": _cells(judged, plan, now=now),
        "measures": _measures(judged, plan, bars),
        "figure": _figure(judged, plan),
        "summary": _summary(judged, plan),
        "rows": _table(judged),
        "note": plan.end_reason or f"Watched with {plan.source.name}. {' '.join(judged.reasons)}",
        "poll_url": release_url(release, "rollout") if running else "",
    }


def _cells(judged: CanaryVerdict, plan: Rollout, *, now: datetime) -> list[tuple[str, str]]:
    """One cell an hour: covered, missing, breached, running, not begun."""
    cells = []
    for one in judged.bins:
        hour = f"{one.since:%H:%M} to {one.until:%H:%M} UTC"
        if any(b.since < one.until and b.until > one.since for b in judged.breached):
            cells.append(("breached", f"{hour}: breached"))
        elif one.covered:
            cells.append(("ok", f"{hour}: covered, {one.requests} requests"))
        elif not one.complete and plan.state == Rollout.State.RUNNING:
            cells.append(("running", f"{hour}: running"))
        else:
            cells.append(("missing", f"{hour}: {percent(one.answered)} of the pulls were answered"))
    return cells + [("not-started", "not begun")] * max(0, plan.hours - len(cells))


def _measures(judged: CanaryVerdict, plan: Rollout, bars: ReleaseBars) -> list[dict[str, Any]]:
    errors = min(plan.error_rate_max, bars.error_rate_max)
    rate = judged.error_rate
    return [
        {
            "name": "Error rate",
            "value": None if rate is None else percent(rate),
            "limit": percent(errors),
            "status": "unknown" if rate is None else "failed" if rate > errors else "ok",
            "spark": [_rate(one) for one in judged.bins],
            "spark_limit": float(errors) * 100,
        },
        {
            "name": "p95 latency",
            "value": None if judged.p95_ms is None else f"{judged.p95_ms:.0f} ms",
            "limit": f"{min(plan.p95_ms_max, bars.p95_ms_max)} ms",
            "status": "unknown" if judged.p95_ms is None else "failed" if judged.p95_ms > plan.p95_ms_max else "ok",
            "spark": [None if one.p95_ms is None else float(one.p95_ms) for one in judged.bins],
            "spark_limit": plan.p95_ms_max,
        },
        {
            "name": "Requests",
            "value": str(judged.requests),
            "limit": f"{bars.min_requests} to decide",
            "status": "ok" if judged.requests >= bars.min_requests else "inconclusive",
            "spark": [float(one.requests) for one in judged.bins],
        },
    ]


def _rate(one: Bin) -> float | None:
    return one.errors * 100 / one.requests if one.requests else None


def _figure(judged: CanaryVerdict, plan: Rollout) -> dict[str, Any] | None:
    if not judged.bins:
        return None
    latency = Series("p95 latency", [one.since for one in judged.bins], [one.p95_ms for one in judged.bins])
    return time_series([latency], unit="ms", limits=[Limit(f"limit {plan.p95_ms_max} ms", plan.p95_ms_max)], height=180)


def _summary(judged: CanaryVerdict, plan: Rollout) -> str:
    worst = max((one.p95_ms for one in judged.bins if one.p95_ms is not None), default=None)
    if worst is None:
        return "No latency has been measured yet."
    return f"p95 latency by hour: at most {worst:.0f} ms, and {plan.p95_ms_max} ms would roll back."


def _table(judged: CanaryVerdict) -> list[list[Any]]:
    heading = ["Hour (UTC)", "Requests", "Errors", "p95 ms", "Covered"]
    return [
        heading,
        *(
            [f"{b.since:%d %b %H:%M}", b.requests, b.errors, "unknown" if b.p95_ms is None else f"{b.p95_ms:.0f}",
             "yes" if b.covered else "no"]
            for b in judged.bins
        ),
    ]  # fmt: skip
