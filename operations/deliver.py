"""Delivering: claim, send, record what came of it.

1. Claim the delivery by a conditional update with a lease. Of two workers one gets it.
2. Send, with deadlines shorter than the lease.
3. Record the outcome: sent, failed (tried again, later and later), or given up after `MAX_ATTEMPTS`.

A worker that dies between 2 and 3 leaves a lease that runs out. The next claim sees it and counts the attempt as
interrupted: the message may have arrived or not, so it is sent again under the same id, by which a receiver can tell.
That is the race that remains; the other choice would be to lose alarms.
"""

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from smtplib import SMTPException
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from standardwebhooks import Webhook

from audit import secrets
from metrics import egress
from metrics.problems import MetricsError
from operations import chat
from operations.models import Channel, Delivery
from operations.notify import order

LEASE = timedelta(seconds=60)
LIMITS = egress.Limits(total=20, max_bytes=64 * 1024)
MAX_ATTEMPTS = 10
FIRST_RETRY = timedelta(seconds=5)
LONGEST_RETRY = timedelta(hours=2)
TEST_TOPIC = "operations.channel-test"
# What somebody waits for: an alarm, word that nobody took it, and a test.
URGENT = Q(notification__breach_at__isnull=False) | Q(notification__topic__in=["operations.escalated", TEST_TOPIC])


@dataclass(frozen=True)
class Outcome:
    error: str = ""
    code: int | None = None
    final: bool = False  # trying again cannot help

    @property
    def ok(self) -> bool:
        return not self.error


def retry_after(attempts: int, jitter: float) -> timedelta:
    """How long to wait after the nth failed attempt: three times longer each time, between half and all of it, so that
    the messages of an outage do not all return in the same second. `jitter` is between 0 and 1."""
    return min(FIRST_RETRY * 3 ** (attempts - 1), LONGEST_RETRY) * (0.5 + jitter / 2)


def due(now: datetime) -> QuerySet[Delivery]:
    """Deliveries that wait for an attempt and that no living worker has in hand: the urgent first, then by age."""
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    return Delivery.objects.filter(
        free, state__in=[Delivery.State.WAITING, Delivery.State.FAILED], next_at__lte=now
    ).order_by(Case(When(URGENT, then=Value(0)), default=Value(1)), "next_at")


def order_due(*, now: datetime) -> None:
    """Orders every attempt that fell due: retries, and what a lost worker or a lost order left behind."""
    for delivery in due(now)[:500]:
        order(delivery, now=now)


def take_turn(delivery_id: str, *, now: datetime) -> None:
    """A worker's turn with one delivery. What is urgent and waits behind other mails is sent before it: the broker
    hands work out in the order it came in, and a mail server may be slow."""
    first = due(now).filter(URGENT).values_list("pk", flat=True).first()
    if first is not None and str(first) != delivery_id:
        attempt(str(first), now=now)
    attempt(delivery_id, now=now)


def attempt(delivery_id: str, *, now: datetime) -> None:
    """One attempt at one delivery; nothing where it is not due or somebody else has it."""
    lease = now + LEASE
    interrupted = Case(When(claimed_until=None, then=Value(0)), default=Value(1))
    claimed = (
        due(now)
        .filter(pk=delivery_id)
        .order_by()
        .update(claimed_until=lease, attempts=F("attempts") + 1, interrupted=F("interrupted") + interrupted)
    )
    if not claimed:
        return
    delivery = Delivery.objects.select_related("notification__system", "channel", "person").get(pk=delivery_id)
    if delivery.attempts > MAX_ATTEMPTS:
        outcome = Outcome("Workers were lost in the middle of every attempt.", final=True)
    else:
        outcome = _send(delivery, now=now)
    _record(delivery, outcome, lease=lease)


def _record(delivery: Delivery, outcome: Outcome, *, lease: datetime) -> None:
    # The clock at this moment, not the task's `now`: the delay is measured, and sending took its time.
    finished = timezone.now()
    # Only under our own lease: an attempt that overslept must not undo what its successor found.
    mine = Delivery.objects.filter(pk=delivery.pk, claimed_until=lease)
    if outcome.ok:
        notification = delivery.notification
        mine.update(
            state=Delivery.State.SENT,
            # Sent again by hand, the first arrival still counts.
            sent_at=delivery.sent_at or finished,
            delay=delivery.delay or finished - (notification.breach_at or notification.created_at),
            claimed_until=None,
            last_error="",
            response_code=outcome.code,
        )
        if notification.topic == TEST_TOPIC and delivery.channel_id:
            Channel.objects.filter(pk=delivery.channel_id).update(tested_at=finished)
        return
    given_up = outcome.final or delivery.attempts >= MAX_ATTEMPTS
    mine.update(
        state=Delivery.State.DEAD if given_up else Delivery.State.FAILED,
        next_at=finished + retry_after(delivery.attempts, random.random()),  # noqa: S311 -- spreads load, hides nothing
        claimed_until=None,
        last_error=outcome.error[:500],
        response_code=outcome.code,
    )


def _send(delivery: Delivery, *, now: datetime) -> Outcome:
    channel = delivery.channel
    if channel is None:
        return _email(delivery, delivery.person.email if delivery.person else "")
    if channel.state == Channel.State.OFF:
        return Outcome("The channel was switched off.", final=True)
    if channel.kind == Channel.Kind.EMAIL:
        return _email(delivery, channel.target)
    if channel.kind == Channel.Kind.APPRISE:
        return Outcome(chat.send(delivery, channel.target, link=_link(delivery)))
    return _webhook(delivery, channel, now=now)


def _link(delivery: Delivery) -> str:
    return settings.BASE_URL + delivery.notification.url if delivery.notification.url else ""


def _email(delivery: Delivery, address: str) -> Outcome:
    notification = delivery.notification
    message = EmailMessage(
        subject=f"[{settings.INSTANCE_NAME}] {notification.title}",
        body=render_to_string(
            "operations/email.txt",
            {
                "notification": notification,
                "link": _link(delivery),
                "delivery": delivery,
                "settings_link": settings.BASE_URL + reverse("operations:mail"),
            },
        ),
        to=[address],
        headers={
            "Message-ID": f"<{delivery.message_id}@{urlsplit(settings.BASE_URL).hostname}>",
            "Date": notification.created_at.strftime("%a, %d %b %Y %H:%M:%S +0000"),
            "Auto-Submitted": "auto-generated",
        },
    )
    try:
        message.send()
    except (SMTPException, OSError) as error:
        return Outcome(f"The mail server did not take it: {error}", code=getattr(error, "smtp_code", None))
    return Outcome()


def _webhook(delivery: Delivery, channel: Channel, *, now: datetime) -> Outcome:
    body = payload(delivery)
    sent = timezone.now()
    signatures = [
        Webhook(secrets.decrypt(secret)).sign(msg_id=delivery.message_id, timestamp=sent, data=body)
        for secret in channel.secrets_at(now)
    ]
    try:
        response = egress.fetch(
            channel.target,
            method="POST",
            headers={
                "Content-Type": "application/json",
                "User-Agent": f"Readiness/{settings.VERSION}",
                "webhook-id": delivery.message_id,
                "webhook-timestamp": str(int(sent.timestamp())),
                "webhook-signature": " ".join(signatures),
            },
            content=body.encode(),
            limits=LIMITS,
        )
    except MetricsError as error:
        return Outcome(error.detail, final=error.permanent)
    # Standard Webhooks: 2xx is taken, 410 asks never to be sent to again, all else is tried again.
    return Outcome("" if response.ok else response.problem, code=response.status, final=response.status == 410)


def payload(delivery: Delivery) -> str:
    """The body that is signed. Built from stored rows only, so that every attempt sends the same bytes."""
    notification = delivery.notification
    return json.dumps(
        {
            "type": notification.topic,
            "timestamp": notification.created_at.isoformat(),
            "data": {
                "title": notification.title,
                "body": notification.body,
                "url": _link(delivery) or None,
                "system": notification.system.slug if notification.system else None,
                "subject": notification.subject,
                "breach_at": notification.breach_at.isoformat() if notification.breach_at else None,
                **notification.details,
            },
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
