"""What the worker reminds people of: drills that are planned or about to lapse, follow-ups, risks to look at again.

Each is told once. A drill that lapsed is an alarm: from then on the gate blocks, or an item is backed by nothing.
"""

import logging
from datetime import datetime, timedelta

from django.db.models import Max
from django.urls import reverse

from operations.actions.drills import start_drill
from operations.models import Drill, FollowUp, Risk
from operations.notify import notify
from operations.numbers import bars_of
from operations.rules import MAY_DRILL
from systems.models import System
from web.problems import Problem

log = logging.getLogger(__name__)

BEFORE = timedelta(days=2)  # of a date that somebody set
LAPSES_SOON = timedelta(days=14)
# What lapsed longer ago than this when it is first looked at is on the page, and wakes nobody.
OLDEST = timedelta(days=7)


def look(*, now: datetime) -> None:
    start_scheduled(now=now)
    remind_of_drills(now=now)
    for system in System.objects.all():
        watch_validity(system, now=now)
    remind_of_follow_ups(now=now)
    remind_of_risks(now=now)


def start_scheduled(*, now: datetime) -> None:
    """The product starts its own drills on their day, for whoever planned them, unless that role has ended."""
    due = Drill.objects.filter(state=Drill.State.PLANNED, by_product=True, scheduled_for__lte=now.date())
    for drill in due.select_related("planned_by"):
        try:
            start_drill(drill=drill, by=drill.planned_by, now=now)
        except Problem as problem:
            log.warning("%s of %s was not started: %s", drill, drill.system_id, problem)


def remind_of_drills(*, now: datetime) -> None:
    soon = Drill.objects.filter(
        state=Drill.State.PLANNED, by_product=False, reminded_at=None, scheduled_for__lte=(now + BEFORE).date()
    )
    for drill in soon.select_related("system"):
        if not Drill.objects.filter(pk=drill.pk, reminded_at=None).update(reminded_at=now):
            continue
        notify(
            topic="operations.drill-due",
            system=drill.system,
            subject=f"drill:{drill.pk}",
            title=f"{drill} of {drill.system.name} on {drill.scheduled_for}",
            body=f"{drill.plan}\n\nIt is run in {drill.environment}. Its clock starts when somebody starts it.",
            url=reverse("operations:drill", args=[drill.system.slug, drill.pk]),
            now=now,
            roles=MAY_DRILL,
            people=drill.participants.all(),
            key=f"drill-due:{drill.pk}",
        )


def watch_validity(system: System, *, now: datetime) -> None:
    """Two weeks before the latest passed drill of a kind lapses people are reminded; once it has, they are alarmed."""
    validity = timedelta(days=bars_of(system).drill_validity_days)
    passed = Drill.objects.filter(system=system, outcome=Drill.Outcome.PASSED).order_by()
    for kind, ended_at in passed.values_list("kind").annotate(Max("ended_at")):
        lapses, label = ended_at + validity, Drill.Kind(kind).label
        if now < lapses - LAPSES_SOON or now > lapses + OLDEST:
            continue
        lapsed = now >= lapses
        notify(
            topic="operations.drill-lapsed" if lapsed else "operations.drill-due",
            system=system,
            subject=f"system:{system.slug}",
            title=f"{label} drill of {system.name} {'has lapsed' if lapsed else f'lapses on {lapses:%Y-%m-%d}'}",
            body=f"The last one was passed on {ended_at:%Y-%m-%d} and counts for {validity.days} days. Plan the next.",
            url=reverse("operations:drills", args=[system.slug]),
            now=now,
            roles=MAY_DRILL,
            key=f"drill-{'lapsed' if lapsed else 'lapses'}:{system.pk}:{kind}:{ended_at.isoformat()}",
            breach_at=lapses if lapsed else None,
        )


def remind_of_follow_ups(*, now: datetime) -> None:
    """Its owner two days before it is due; who runs the system, too, once it is overdue."""
    undone = FollowUp.objects.filter(done_at=None).select_related("incident__system", "owner")
    for follow_up in undone.filter(reminded_at=None, due_on__lte=(now + BEFORE).date()):
        if FollowUp.objects.filter(pk=follow_up.pk, reminded_at=None).update(reminded_at=now):
            _tell_follow_up(follow_up, "is due", overdue=False, now=now)
    for follow_up in undone.filter(due_on__lt=now.date(), due_on__gte=(now - OLDEST).date()):
        _tell_follow_up(follow_up, "was due", overdue=True, now=now)


def _tell_follow_up(follow_up: FollowUp, when: str, *, overdue: bool, now: datetime) -> None:
    incident = follow_up.incident
    notify(
        topic="operations.follow-up-due",
        system=incident.system,
        subject=f"incident:{incident.pk}",
        title=f"A follow-up of {incident.title} {when} on {follow_up.due_on}",
        body=f"{follow_up.text} Owner: {follow_up.owner}.",
        url=reverse("operations:incident", args=[incident.system.slug, incident.pk]),
        now=now,
        roles=("operations", "engineering") if overdue else (),
        people=[follow_up.owner],
        key=f"follow-up-{'overdue' if overdue else 'due'}:{follow_up.pk}",
    )


def remind_of_risks(*, now: datetime) -> None:
    due = Risk.objects.filter(state=Risk.State.OPEN, reminded_at=None, review_on__lte=now.date())
    for risk in due.select_related("system", "owner"):
        if not Risk.objects.filter(pk=risk.pk, reminded_at=None).update(reminded_at=now):
            continue
        notify(
            topic="operations.risk-due",
            system=risk.system,
            subject=f"risk:{risk.pk}",
            title=f"Look again at a risk of {risk.system.name}: {risk.title}",
            body=f"It was to be looked at on {risk.review_on}. What is done about it: {risk.mitigation}",
            url=reverse("operations:risk", args=[risk.system.slug, risk.pk]),
            now=now,
            people=[risk.owner],
            key=f"risk-due:{risk.pk}:{risk.review_on}",
        )
