"""Looking at every launched system once a minute: errors, broken answers, silence, cost spikes; and at ourselves.
What froze a system for a cause freezes it again for the same one only once the fix had its time."""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from audit import trail
from operations import health
from operations.actions.freezes import impose_freeze
from operations.budget import day_of, limits_of, usd
from operations.budget_watch import reached_at
from operations.conditions import begin, end, open_conditions
from operations.models import Condition, Freeze, Launch
from operations.numbers import bars_of
from operations.spending import spike
from systems.models import System

log = logging.getLogger(__name__)

LOOK, QUARTER, HOUR, DAY = timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
# The watch runs every minute: a gap of this length means that beat, broker or worker was away.
BEAT_GAP = timedelta(minutes=3)
FIX_TIME = timedelta(days=7)
# Conditions that the minutes decide; the others end with their day, or when a person says so.
PASSING = (Condition.Kind.ERROR_RATE, Condition.Kind.SCHEMA_FAILURE, Condition.Kind.SILENCE)


def watch_all(*, now: datetime) -> None:
    """One system's trouble must not silence the others' alarms, so each is looked at for itself."""
    failed = []
    for system in System.objects.all():
        try:
            watch(system, now=now)
            watch_spending(system, now=now)
        except Exception as error:
            log.exception("%s could not be watched", system.slug)
            failed.append(f"{system.slug}: {error}")
    if failed:
        raise RuntimeError("Not watched: " + "; ".join(failed))


def watch(system: System, *, now: datetime) -> None:
    """What the last minutes of requests show. Each finding is told once, until it is over."""
    minutes = trail.rates(system.slug, since=now - QUARTER, until=now)
    found = [
        health.error_rate(minutes, limit=bars_of(system).error_rate_max),
        health.schema_failure(minutes, limit=limits_of(system).slo_schema_failure),
    ]
    if Launch.objects.filter(system=system, ended_at=None, live_at__lte=now - DAY - HOUR).exists():
        hour = trail.rates(system.slug, since=now - HOUR, until=now)
        found.append(health.silence(hour, trail.rates(system.slug, since=now - HOUR - DAY, until=now - HOUR)))
    findings = {finding.kind: finding for finding in found if finding is not None}
    for condition in open_conditions(system):
        if condition.kind in PASSING and condition.kind not in findings:
            end(condition, now=now)
    for finding in findings.values():
        label = Condition.Kind(finding.kind).label
        # At the look before it was not so yet: it began since then, and the delay is measured from there.
        began = now - (HOUR if finding.kind == Condition.Kind.SILENCE else LOOK)
        begin(system=system, kind=finding.kind, title=f"{system.name}: {label.lower()}", said=finding.said,
              began_at=began, now=now)  # fmt: skip


def watch_spending(system: System, *, now: datetime) -> None:
    """A cost spike: today lies above so many times the median of the last seven days. It freezes the system."""
    limits, today = limits_of(system), day_of(system.time_zone, now)
    past = [day_of(system.time_zone, today.start - DAY * n + timedelta(hours=12)) for n in range(1, 8)]
    before = [trail.spend(system.slug, since=day.start, until=day.end) for day in past]
    found = spike(trail.spend(system.slug, since=today.start, until=today.end), before, times=limits.cost_spike)
    for condition in open_conditions(system):
        if condition.kind == Condition.Kind.COST_SPIKE and condition.began_at < today.start:
            end(condition, now=now)
    if found is None:
        return
    said = (
        f"{usd(found.spent_nanousd)} were spent today, {found.times} times the usual {usd(found.usual_nanousd)} "
        f"(median of seven days); {limits.cost_spike.normalize():f} times is a spike."
    )
    with transaction.atomic():
        told = begin(
            system=system,
            kind=Condition.Kind.COST_SPIKE,
            title=f"{system.name} spends more than usual",
            said=said,
            began_at=reached_at(system, found.threshold_nanousd, now=now),
            now=now,
            roles=("operations", "engineering", "product"),
        )
        if told is not None and may_freeze_again(system, Freeze.Cause.COST_SPIKE, now=now):
            impose_freeze(system=system, reason=said, cause=Freeze.Cause.COST_SPIKE, by=None, now=now)


def weigh_drift(system: System, *, drifted: list[str], said: str, at: datetime, now: datetime) -> None:
    """What a weekly report found. Drift freezes the system until a mitigation is confirmed; a week without any ends the
    alarm and lifts nothing: people do."""
    told = [one for one in open_conditions(system) if one.kind == Condition.Kind.DRIFT]
    if not drifted:
        for condition in told:
            end(condition, now=now)
        return
    what = ", ".join(drifted)
    reason = f"Not as in the week before: {what}. {said}"[:2000]
    with transaction.atomic():
        begin(system=system, kind=Condition.Kind.DRIFT, title=f"{system.name} drifts: {what}", said=reason,
              began_at=at, now=now, roles=("operations", "engineering", "product"))  # fmt: skip
        if may_freeze_again(system, Freeze.Cause.DRIFT, now=now):
            impose_freeze(system=system, reason=reason, cause=Freeze.Cause.DRIFT, by=None, now=now)


def may_freeze_again(system: System, cause: str, *, now: datetime) -> bool:
    """A mitigation that named a release as the fix gives it its time: until that release has ended, or is seven days
    live."""
    last = Freeze.objects.filter(system=system, cause=cause, lifted_at__isnull=False).order_by("-lifted_at").first()
    if last is None or not last.mitigation_release:
        return True
    fix = Launch.objects.filter(system=system, release_label=last.mitigation_release).order_by("-live_at").first()
    if fix is None:  # not live yet
        return last.lifted_at is None or now >= last.lifted_at + FIX_TIME
    return fix.ended_at is not None or now >= fix.live_at + FIX_TIME


def watch_beat(last: datetime | None, *, now: datetime) -> Condition | None:
    """The watch did not run since `last`: alarms of that time came late or not at all. Told once it runs again, since
    nobody can tell while it does not; `/readyz` says it meanwhile."""
    if last is None or now - last <= BEAT_GAP:
        return None
    minutes = int((now - last).total_seconds() // 60)
    condition = begin(
        system=None,
        kind=Condition.Kind.MISSED_BEAT,
        title=f"Nothing was watched for {minutes} minutes",
        said=f"Between {last:%Y-%m-%d %H:%M} and {now:%H:%M} UTC no background work ran. Alarms of that time are late.",
        began_at=last,
        now=now,
        roles=("admin", "platform", "operations"),
    )
    if condition is not None:
        end(condition, now=now)
    return condition
