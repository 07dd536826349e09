"""An alarm that nobody acknowledged in time goes on to whoever the ownership map names, to admins, and to the channels
once more. Once: an escalation is no alarm itself, and is not escalated."""

from datetime import datetime, timedelta

from django.db import transaction

from audit.actors import SYSTEM
from audit.ledger import append
from operations.models import Notification
from operations.notify import notify
from operations.reviewing import escalation_of

WAIT = timedelta(minutes=15)
# What is older than this when it is first looked at was missed for other reasons, and is on the page.
OLDEST = timedelta(days=1)
# Escalated by their own calendar, in days.
SLOW = ("operations.review-overdue",)


def look(*, now: datetime) -> None:
    waiting = Notification.objects.filter(
        breach_at__isnull=False, acknowledged_at=None, escalated_at=None,
        created_at__lte=now - WAIT, created_at__gt=now - OLDEST,
    ).exclude(topic__in=SLOW)  # fmt: skip
    for alarm in waiting.select_related("system").order_by("created_at"):
        escalate(alarm, now=now)


def escalate(alarm: Notification, *, now: datetime) -> None:
    with transaction.atomic():
        # Of two workers, and of a worker and an acknowledgement, one is first.
        if not Notification.objects.filter(pk=alarm.pk, acknowledged_at=None, escalated_at=None).update(
            escalated_at=now
        ):
            return
        minutes = int((now - alarm.created_at).total_seconds() // 60)
        notify(
            topic="operations.escalated",
            system=alarm.system,
            subject=alarm.subject,
            title=f"Not acknowledged for {minutes} minutes: {alarm.title}",
            body=alarm.body,
            url=alarm.url,
            now=now,
            roles=("admin",),
            people=escalation_of(alarm.system, now=now) if alarm.system else (),
            key=f"escalated:{alarm.pk}",
        )
        append(
            kind="alarm.escalated",
            by=SYSTEM,
            subject=f"notification:{alarm.pk}",
            system=alarm.system.slug if alarm.system else "",
            now=now,
            payload={"topic": alarm.topic, "title": alarm.title, "minutes": minutes},
        )
