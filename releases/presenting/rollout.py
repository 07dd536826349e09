"""The rollout of a release while it runs, and after (releases/parts/rollout.html)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from audit import shares
from metrics.judges.canary import Bin, CanaryVerdict
from releases.facts import judge_rollout
from releases.models import Release, Rollout, ShadowRun
from releases.presenting.rollout_events import events
from releases.presenting.rows import release_url
from releases.shadow import judge_shadow
from systems.policy import ReleaseBars
from web.figures import Limit, Series, time_series
from web.templatetags.ui import percent

WORDS = {"pass": "passed", "fail": "breached", "inconclusive": "inconclusive", "running": "running"}


def rollout(release: Release, bars: ReleaseBars, *, now: datetime) -> dict[str, Any] | None:
    plan = getattr(release, "rollout", None)
    if plan is None or plan.started_at is None:
        return None
    judged = judge_rollout(release, plan, bars, now=now)
    running = plan.state == Rollout.State.RUNNING
    return {
        "title": "Canary",
        "status": WORDS[judged.outcome] if running else plan.state,
        "share": f"{percent(plan.share_now)} of traffic",
        "seen": _seen(release, now=now) if running else None,
        "step": _step(plan) if plan.steps else "",
        "events": events(release, plan, judged),
        "started_at": plan.started_at,
        "ends_at": plan.started_at + timedelta(hours=plan.hours) if running else None,
        "covered": judged.covered_hours,
        "needed": max(plan.hours, bars.canary_hours),
        "cells": _cells(judged, plan, now=now),
        "measures": _measures(judged, plan, bars),
        "figures": _figures(judged, plan, bars),
        "note": plan.end_reason or f"Watched with {plan.source.name}. {' '.join(judged.reasons)}",
        "poll_url": release_url(release, "rollout") if running else "",
    }


def _step(plan: Rollout) -> str:
    """Where it is on its way to the planned share."""
    share, until = plan.stages[plan.step]
    here = f"Step {plan.step + 1} of {len(plan.stages)}: {percent(share)} of traffic"
    if plan.step + 1 == len(plan.stages):
        return f"{here}, the planned share."
    return f"{here} until {until} hours are covered, then {percent(plan.stages[plan.step + 1][0])}."


def _seen(release: Release, *, now: datetime) -> dict[str, Any] | None:
    """What the trail sees of its share, in words."""
    share = shares.now_of(str(release.pk), now=now)
    if share is None or share.seen is None:
        return None
    counted = f"{share.requests} of {share.all_requests} requests since {share.since:%H:%M} UTC"
    return {"exceeded": share.exceeded, "sentence": f"{percent(share.seen)} of the traffic reached it: {counted}."}


def shadow(release: Release) -> dict[str, Any] | None:
    """The newest shadow run (releases/parts/shadow.html)."""
    run = release.shadow_runs.select_related("source").first()
    if run is None:
        return None
    running = run.state == ShadowRun.State.RUNNING
    judged = judge_shadow(run, until=run.watched_until) if running else None
    covered = judged.covered_hours if judged else (run.report or {}).get("covered_hours", 0)
    return {
        "run": run,
        "status": "ended" if run.state == ShadowRun.State.ABORTED else run.state,
        "covered": covered,
        "report": run.report,
        "answers": [one for one in (run.report or {}).get("answers", []) if one["outcome"] != "unknown"],
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


def _figures(judged: CanaryVerdict, plan: Rollout, bars: ReleaseBars) -> list[dict[str, Any]]:
    """What is judged, hour by hour, beside what would roll it back."""
    if not judged.bins:
        return []
    hours = [one.since for one in judged.bins]
    errors, p95 = min(plan.error_rate_max, bars.error_rate_max), min(plan.p95_ms_max, bars.p95_ms_max)
    rate = Series("error rate", hours, [_rate(one) for one in judged.bins])
    latency = Series("p95 latency", hours, [one.p95_ms for one in judged.bins])
    limits = Limit(f"limit {percent(errors)}", float(errors) * 100), Limit(f"limit {p95} ms", p95)
    return [
        {
            "id": "rollout-errors",
            "figure": time_series([rate], unit="%", limits=limits[:1], height=180),
            "summary": f"Error rate by hour: {_worst(rate.y, '%')}, and {percent(errors)} would roll back.",
        },
        {
            "id": "rollout-chart",
            "figure": time_series([latency], unit="ms", limits=limits[1:], height=180),
            "summary": f"p95 latency by hour: {_worst(latency.y, 'ms')}, and {p95} ms would roll back.",
            "rows": _table(judged),
        },
    ]


def _worst(values: Sequence[Any], unit: str) -> str:
    known = [float(value) for value in values if value is not None]
    return f"at most {max(known):.3g} {unit}" if known else "nothing has been measured yet"


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
