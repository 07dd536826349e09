"""What the worker does about reviews: puts them into the calendar, freezes, reminds, and says aloud what is overdue."""

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse

from accounts.models import User
from audit.actors import SYSTEM
from audit.ledger import append
from operations import calendar, rules
from operations.actions.freezes import impose_freeze
from operations.actions.reviews import freeze_numbers, schedule
from operations.models import Freeze, Launch, Review
from operations.notify import notify
from systems.kinds import Area
from systems.models import System
from systems.registry import ownership_map


def look(*, now: datetime) -> None:
    """One look at the calendar of every launched system."""
    for system in System.objects.filter(launches__isnull=False).distinct():
        plan(system, now=now)
    for review in _open().filter(until__lte=now, frozen_at=None):
        freeze_numbers(review=review, by=None, now=now)
    for review in _open().filter(reminded_at=None, due_at__lte=now + calendar.REMIND_BEFORE, due_at__gt=now):
        remind(review, now=now)
    for review in _open().filter(overdue_at=None, due_at__lte=now):
        overdue(review, now=now)
    for review in _open().filter(escalated_at=None, due_at__lte=now - calendar.ESCALATE_AFTER):
        escalate(review, now=now)


def plan(system: System, *, now: datetime) -> None:
    """Every review that the system owes, from its first launch on."""
    first = Launch.objects.filter(system=system).order_by("live_at").first()
    if first is None:
        return
    for kind, cadence in calendar.CADENCES.items():
        for period in calendar.periods(cadence, first=first.live_at, now=now):
            schedule(system=system, kind=kind, period=period, now=now)


def remind(review: Review, *, now: datetime) -> None:
    with transaction.atomic():
        if not _mark(review, "reminded_at", now):
            return
        _tell(
            review,
            topic="operations.review-due",
            title=f"A review of {review.system.name} is due on {review.due_at:%Y-%m-%d}",
            body=f"{review}. Its numbers are frozen when its period ends, or when you say so.",
            now=now,
        )


def overdue(review: Review, *, now: datetime) -> None:
    """Nobody made it in time. The review after a launch freezes the system: the next release waits for it."""
    with transaction.atomic():
        if not _mark(review, "overdue_at", now):
            return
        _tell(
            review,
            topic="operations.review-overdue",
            title=f"A review of {review.system.name} is overdue",
            body=f"{review} was due on {review.due_at:%Y-%m-%d %H:%M} UTC.",
            now=now,
            breach_at=review.due_at,
        )
        if review.kind == Review.Kind.POST_LAUNCH:
            reason = f"The review after the launch of {review.release_label} was due on {review.due_at:%Y-%m-%d}."
            impose_freeze(system=review.system, reason=reason, cause=Freeze.Cause.OVERDUE_REVIEW, by=None, now=now)


def escalate(review: Review, *, now: datetime) -> None:
    """Still nobody: whoever things are escalated to hears of it, and the admins."""
    with transaction.atomic():
        if not _mark(review, "escalated_at", now):
            return
        _tell(
            review,
            topic="operations.escalated",
            title=f"Escalated: a review of {review.system.name} is {(now - review.due_at).days} days overdue",
            body=f"{review} was due on {review.due_at:%Y-%m-%d %H:%M} UTC, and nobody made it.",
            now=now,
            people=escalation_of(review.system, now=now),
            roles=("admin",),
        )


def escalation_of(system: System, *, now: datetime) -> list[User]:
    """Who the ownership map says is next; nobody where that area has a gap."""
    owned = ownership_map(system, now=now)
    return [one.user for one in owned if one.area == Area.ESCALATION and one.user is not None and not one.gap]


def _open() -> QuerySet[Review]:
    return Review.objects.filter(done_at=None).select_related("system").order_by("due_at")


def _mark(review: Review, field: str, now: datetime) -> bool:
    """Whether it is ours to tell: of two workers, one."""
    which = {"pk": review.pk, "done_at": None, field: None}
    if not Review.objects.filter(**which).update(**{field: now}):
        return False
    append(
        kind=f"review.{field.removesuffix('_at')}",
        by=SYSTEM,
        subject=f"review:{review.pk}",
        system=review.system.slug,
        now=now,
        payload={"review": review.kind, "release": review.release_label, "due_at": review.due_at},
    )
    return True


def _tell(
    review: Review,
    *,
    topic: str,
    title: str,
    body: str,
    now: datetime,
    breach_at: datetime | None = None,
    people: list[User] | None = None,
    roles: tuple[str, ...] | None = None,
) -> None:
    system = review.system
    notify(
        topic=topic,
        system=system,
        subject=f"review:{review.pk}",
        title=title,
        body=body,
        url=reverse("operations:review", args=[system.slug, review.pk]),
        now=now,
        roles=roles if roles is not None else rules.reviewers(review.kind),
        people=people or (),
        key=f"{topic}:{review.pk}",
        breach_at=breach_at,
    )
