"""Which environments do not count as production: tests and shadow runs, as agreed by two people and capped in volume.

What is agreed holds while it stands: the day on which more requests come in than agreed ends it, and then all of them
count. Nobody escapes a limit by calling traffic staging. Money is another matter: whatever is spent is spent, so the
budget counts every environment (docs/decisions).
"""

from datetime import datetime, timedelta

from django.db.models import Q, QuerySet, Sum

from audit import ledger
from audit.actors import SYSTEM, Actor
from audit.models import Rollup, SideEnvironment
from audit.rollups import QUARTER
from jobs.outbox import emit

DAY = timedelta(days=1)
TOPIC = "audit.environment-over"


def aside(system: str) -> QuerySet[SideEnvironment]:
    """Those in force now."""
    return SideEnvironment.objects.filter(system=system, ended_at=None).exclude(confirmed_at=None)


def production(system: str) -> Q:
    """For rows with an environment: those that count as production. Part of the query, so that it costs none."""
    return ~Q(environment__in=aside(system).values("name"))


def requests_of(environment: SideEnvironment, *, now: datetime) -> int:
    """Of the last day."""
    rows = Rollup.objects.filter(
        system=environment.system, environment=environment.name, width=QUARTER, bucket__gt=now - DAY
    )
    return int(rows.aggregate(total=Sum("requests", default=0))["total"])


def end(environment: SideEnvironment, *, reason: str, by: Actor, now: datetime) -> bool:
    """It counts as production from now on, with all that it sent. False: somebody was quicker."""
    open_ones = SideEnvironment.objects.filter(pk=environment.pk, ended_at=None)
    if not open_ones.update(ended_at=now, ended_reason=reason):
        return False
    ledger.append(
        kind="system.environment-ended",
        by=by,
        subject=f"system:{environment.system}",
        system=environment.system,
        now=now,
        payload={"environment": environment.name, "reason": reason},
    )
    return True


def end_those_over(*, now: datetime) -> int:
    """Called by a worker after requests were summed up."""
    ended = 0
    for environment in SideEnvironment.objects.filter(ended_at=None).exclude(confirmed_at=None):
        if (seen := requests_of(environment, now=now)) <= environment.daily_requests:
            continue
        reason = f"{seen} requests in a day; {environment.daily_requests} were agreed."
        if end(environment, reason=reason, by=SYSTEM, now=now):
            payload = {"system": environment.system, "environment": environment.name, "said": reason}
            emit(TOPIC, subject=f"system:{environment.system}", payload=payload, now=now)
            ended += 1
    return ended
