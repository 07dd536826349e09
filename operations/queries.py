"""What others ask of operations: the facts of the gate, and the figures of the pages."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from uuid import UUID

from django.db.models import Min, OuterRef, Q, QuerySet, Subquery

from accounts.models import User
from accounts.queries import roles_of
from operations.models import Channel, Delivery, Drill, Freeze, Incident, Notification, RunbookVersion, StatusChange
from operations.rules import Person, StatusState
from systems.models import System
from web.prepared import Prepared
from web.problems import NotFound

NOTHING_HERE = "There is nothing here, or you may not see it."
ALARM_TOPIC = "operations.budget-exceeded"
BUDGET_TOPICS = (ALARM_TOPIC, "operations.budget-alert", "operations.tenant-exceeded", "operations.tenant-alert")


def person(user: User, *, system: System | None, now: datetime) -> Person:
    """Whom the rules judge: a user with the roles that they hold on the system now."""
    return Person(id=str(user.pk), roles=roles_of(user, system=system.slug if system else "", now=now))


def freezes_at(system: System, now: datetime) -> QuerySet[Freeze]:
    """The freezes that hold at a moment, oldest first."""
    lifted_later = Q(lifted_at=None) | Q(lifted_at__gt=now)
    return Freeze.objects.filter(lifted_later, system=system, imposed_at__lte=now).order_by("imposed_at", "pk")


def active_freezes(system: System, now: datetime) -> list[Freeze]:
    people = "imposed_by", "mitigation_by", "confirmed_engineering_by", "confirmed_operations_by"
    return list(freezes_at(system, now).select_related("system", *people))


_passed = Prepared(
    lambda system, since, now: (
        Drill.objects.filter(system=system, outcome=Drill.Outcome.PASSED, ended_at__gt=since, ended_at__lte=now)
        .order_by("kind", "-ended_at")
        .distinct("kind")
        .only("kind", "ended_at", "measured")
    )
)


def latest_passed(system: System, *kinds: str, now: datetime, validity_days: int) -> list[Drill]:
    """The latest passed drill of each kind that still counts. An older one is as good as none."""
    found = _passed(system=system.pk, since=now - timedelta(days=validity_days), now=now)
    latest = {drill.kind: drill for drill in found}
    return [latest[kind] for kind in kinds if kind in latest]


def status_now(system: System, now: datetime) -> StatusState:
    """What callers are told. A degraded mode whose end has passed is over; a stop has no end."""
    change = StatusChange.objects.select_related("plan").filter(system=system, changed_at__lte=now).first()
    if change is None or (change.expires_at is not None and change.expires_at <= now):
        return StatusState(status=StatusChange.Status.NORMAL, changed_by=None)
    return StatusState(
        status=change.status,
        changed_by=str(change.changed_by_id) if change.changed_by_id else None,
        until=change.expires_at,
        since=change.changed_at,
        reason=change.reason,
        step=change.step,
        plan=change.plan.number if change.plan else None,
        gives_up=change.plan.steps[change.step - 1]["do"] if change.plan and change.step else "",
    )


@dataclass(frozen=True)
class Alarm:
    """One alarm, and how long it took from the breach until the first channel or person had it. One that is still on
    its way counts with its age, so that silence never looks fast."""

    notification: Notification
    delivered_at: datetime | None
    delay: timedelta


def alarms(system: System, now: datetime, *, days: int = 30) -> list[Alarm]:
    rows = _alarms(system, now - timedelta(days=days)).select_related("acknowledged_by").order_by("-created_at")
    return [Alarm(row, row.arrived, (row.arrived or now) - row.breach_at) for row in rows if row.breach_at]


def _alarms(system: System, since: datetime) -> QuerySet[Any]:
    lately = Notification.objects.filter(system=system, breach_at__isnull=False, created_at__gte=since)
    return lately.annotate(arrived=Min("deliveries__sent_at"))


_budget_alarms = Prepared(
    lambda system, since: (
        _alarms(system, since).filter(topic__in=BUDGET_TOPICS).order_by().values_list("breach_at", "arrived")
    )
)


@dataclass(frozen=True)
class AlarmDelays:
    alarms: int
    undelivered: int
    worst: timedelta | None
    typical: timedelta | None  # the median


def alarm_delays(system: System, now: datetime, *, days: int = 30) -> AlarmDelays:
    """The figure that the standard asks for: the slowest budget alarm of the last thirty days, a drill's among them.

    Other alarms have delays of their own making: an hour of silence is noticed after that hour.
    """
    found = _budget_alarms(system=system.pk, since=now - timedelta(days=days))
    delays = [(arrived or now) - breach for breach, arrived in found]
    return AlarmDelays(
        alarms=len(found),
        undelivered=sum(arrived is None for _, arrived in found),
        worst=max(delays, default=None),
        typical=median(delays) if delays else None,
    )


def channels_for(system: System | None) -> QuerySet[Channel]:
    """Channels that hear of a system: its own and the organisation's."""
    return Channel.objects.filter(Q(system=None) | Q(system=system)).select_related("system")


def incidents_of(system: System, *, request: str = "", release: str = "") -> QuerySet[Incident]:
    """Incidents of a system; of these, where named, the ones that name a request or a release."""
    found = Incident.objects.filter(system=system)
    if request:
        found = found.filter(requests__contains=[request])
    return found.filter(release_label=release) if release else found


def newest_versions(system: System) -> QuerySet[RunbookVersion]:
    """The version of each runbook that counts."""
    newest = RunbookVersion.objects.filter(runbook=OuterRef("runbook")).order_by("-number").values("pk")[:1]
    rows = RunbookVersion.objects.filter(runbook__system=system, pk=Subquery(newest))
    return rows.select_related("runbook").order_by("runbook__title")


_ready = Prepared(
    lambda system: (
        channels_for(system)
        .select_related(None)
        .filter(state=Channel.State.ACTIVE, tested_at__isnull=False)
        .only("topics")
    )
)


def proven_alarm_channels(system: System) -> int:
    """Channels that a budget alarm would reach: switched on, listening, and a test message has arrived there."""
    return sum(channel.hears(ALARM_TOPIC) for channel in _ready(system=system.pk))


def find_channel(channel_id: UUID, *, by: User, now: datetime) -> Channel:
    """The channel, for whoever holds a role where it belongs; others do not learn that it exists."""
    found = Channel.objects.select_related("system").filter(pk=channel_id).first()
    if found is None or not person(by, system=found.system, now=now).roles:
        raise NotFound(NOTHING_HERE)
    return found


def find_delivery(delivery_id: UUID, *, by: User, now: datetime) -> Delivery:
    rows = Delivery.objects.select_related("notification__system", "channel", "person")
    found = rows.filter(pk=delivery_id).first()
    if found is None or not person(by, system=found.notification.system, now=now).roles:
        raise NotFound(NOTHING_HERE)
    return found
