"""Telling people: one notification, and a delivery for each channel and person it concerns."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from accounts.models import User
from accounts.queries import living_grants
from jobs.queue import enqueue
from operations.models import Channel, Delivery, MailPreference, Notification
from systems.models import System


def notify(
    *,
    topic: str,
    system: System | None,
    subject: str,
    title: str,
    body: str,
    url: str,
    now: datetime,
    roles: Iterable[str] = (),
    people: Iterable[User] = (),
    key: str = "",
    breach_at: datetime | None = None,
    only: Channel | None = None,
    details: Mapping[str, str] | None = None,
) -> Notification:
    """Tells the channels that listen to `topic` and, by e-mail, whoever holds one of `roles`, and `people` besides.

    `key` names what happened: told twice, it is sent once. `breach_at` makes it an alarm, whose delay is measured from
    then. `only` sends it to one channel, whatever that one listens to. `details` are for the programs behind webhooks.
    """
    with transaction.atomic():
        notification, created = Notification.objects.get_or_create(
            key=key or f"{topic} {system.slug if system else ''} {subject} {now.isoformat()}",
            defaults={
                "topic": topic,
                "subject": subject,
                "system": system,
                "title": " ".join(title.split())[:200],
                "body": body,
                "url": url,
                "details": dict(details or {}),
                "breach_at": breach_at,
                "created_at": now,
            },
        )
        if not created:
            return notification
        fields = {"notification": notification, "next_at": now, "created_at": now}
        channels = [only] if only else channels_of(topic, system)
        told = [] if only else _people(roles, system, alarm=breach_at is not None, now=now)
        persons = {person.pk: person for person in (*told, *people)}
        deliveries = [
            *(Delivery(channel=channel, **fields) for channel in channels),
            *(Delivery(person=person, **fields) for person in persons.values()),
        ]
        Delivery.objects.bulk_create(deliveries)
        for delivery in deliveries:
            order(delivery, now=now)
    return notification


def order(delivery: Delivery, *, now: datetime) -> None:
    """Orders the next attempt. The minute is in the key so that an order that got lost can be given again: a second
    one for the same attempt finds the delivery claimed, and does nothing."""
    minute = int(now.timestamp()) // 60
    enqueue(
        "operations.deliver",
        key=f"deliver:{delivery.pk}:{delivery.attempts}:{delivery.next_at.timestamp()}:{minute}",
        now=now,
        args={"delivery_id": str(delivery.pk)},
    )


def channels_of(topic: str, system: System | None) -> list[Channel]:
    listening = Channel.objects.filter(Q(system=None) | Q(system=system), state=Channel.State.ACTIVE)
    return [channel for channel in listening if channel.hears(topic)]


def _people(roles: Iterable[str], system: System | None, *, alarm: bool, now: datetime) -> list[User]:
    """Whoever holds one of the roles: on the system or everywhere; where it concerns no one system, anywhere."""
    grants = living_grants(now=now).filter(role__in=list(roles), user=OuterRef("pk"))
    if system is not None:
        grants = grants.filter(system__in=["", system.slug])
    quiet = [MailPreference.Mode.NONE] if alarm else [MailPreference.Mode.NONE, MailPreference.Mode.ALARMS]
    wishes = MailPreference.objects.filter(user=OuterRef("pk"), mode__in=quiet)
    return list(User.objects.filter(Exists(grants), ~Exists(wishes)))
