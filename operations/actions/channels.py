"""Where notifications go. Only an admin changes that: whoever could, could silence an alarm."""

import base64
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from accounts.models import User
from audit import canonical, secrets
from audit.ledger import append
from metrics import egress
from metrics.problems import MetricsError
from operations import chat, rules
from operations.deliver import TEST_TOPIC
from operations.errors import InvalidInput, Refused, refuse
from operations.models import Channel, Delivery, Notification
from operations.notify import notify, order
from operations.presenters import TOPICS
from operations.queries import person
from systems.models import System

ROTATION = timedelta(hours=24)


def create_channel(
    *,
    system: System | None,
    name: str,
    kind: str,
    target: str,
    by: User,
    now: datetime,
    topics: Sequence[str] = (),
) -> tuple[Channel, str]:
    """A new channel, and for a webhook its signing secret: shown now and never again."""
    refuse(rules.manage_channel(person(by, system=system, now=now)))
    _check(kind, target, topics)
    secret = _new_secret() if kind == Channel.Kind.WEBHOOK else ""
    try:
        with transaction.atomic():
            channel = Channel.objects.create(
                system=system,
                name=name,
                kind=kind,
                target=target,
                secret=secrets.encrypt(secret) if secret else "",
                topics=sorted(topics),
                created_by=by,
                created_at=now,
            )
            payload = {"kind": kind, "target": _named(channel), "topics": sorted(topics)}
            _record("channel.created", channel, by=by, now=now, payload=payload)
    except IntegrityError as error:
        raise Refused("This address is a channel here already.") from error
    return channel, secret


def send_test(*, channel: Channel, by: User, now: datetime) -> Notification:
    """Sends a message that says it is a test. Its arrival is what makes a channel count as proven."""
    refuse(rules.send_test(person(by, system=channel.system, now=now), off=channel.state == Channel.State.OFF))
    with transaction.atomic():
        notification = notify(
            topic=TEST_TOPIC,
            system=channel.system,
            subject=f"channel:{channel.pk}",
            title=f"Test of the channel {channel.name}",
            body=f"{by.name} sent this to see whether it arrives. Nothing is wrong.",
            url="",
            now=now,
            only=channel,
        )
        _record("channel.tested", channel, by=by, now=now, payload={})
        return notification


def rotate_secret(*, channel: Channel, by: User, now: datetime) -> str:
    """A new signing secret. The former one signs besides it for a day, so that no message is lost while the receiver
    changes over; one that is older than the former one ends at once."""
    refuse(rules.manage_channel(person(by, system=channel.system, now=now)))
    if channel.kind != Channel.Kind.WEBHOOK:
        raise Refused("Only a webhook has a secret.")
    secret = _new_secret()
    with transaction.atomic():
        locked = Channel.objects.select_for_update().get(pk=channel.pk)
        locked.previous_secret, locked.previous_secret_until = locked.secret, now + ROTATION
        locked.secret = secrets.encrypt(secret)
        locked.save(update_fields=["secret", "previous_secret", "previous_secret_until"])
        payload = {"former_signs_until": locked.previous_secret_until}
        _record("channel.secret-rotated", locked, by=by, now=now, payload=payload)
    return secret


def switch_channel(*, channel: Channel, on: bool, by: User, now: datetime) -> None:
    """Switches a channel off or on. Off, it counts no longer as proven: a test proves it again."""
    refuse(rules.manage_channel(person(by, system=channel.system, now=now)))
    state = Channel.State.ACTIVE if on else Channel.State.OFF
    with transaction.atomic():
        changed = Channel.objects.filter(pk=channel.pk).exclude(state=state).update(state=state, tested_at=None)
        if changed:
            _record("channel.switched-on" if on else "channel.switched-off", channel, by=by, now=now, payload={})


def resend(*, delivery: Delivery, by: User, now: datetime) -> None:
    """One more round of attempts, under the same message id: the receiver knows it for a repeat."""
    with transaction.atomic():
        locked = Delivery.objects.select_for_update(of=("self",)).select_related("channel", "notification__system")
        row = locked.get(pk=delivery.pk)
        system = row.notification.system
        state = rules.DeliveryState(
            state=row.state,
            in_flight=row.claimed_until is not None and row.claimed_until > now,
            channel_off=row.channel is not None and row.channel.state == Channel.State.OFF,
        )
        refuse(rules.resend(state, person(by, system=system, now=now)))
        row.state, row.attempts, row.next_at = Delivery.State.WAITING, 0, now
        row.save(update_fields=["state", "attempts", "next_at"])
        order(row, now=now)
        append(
            kind="delivery.resent",
            by=by,
            subject=f"delivery:{row.pk}",
            system=system.slug if system else "",
            now=now,
            payload={"notification": str(row.notification_id), "topic": row.notification.topic, "to": row.receiver},
        )


def _check(kind: str, target: str, topics: Sequence[str]) -> None:
    if unknown := sorted(set(topics) - set(TOPICS)):
        raise InvalidInput(f"There is no topic {', '.join(unknown)}.")
    if kind == Channel.Kind.EMAIL:
        try:
            validate_email(target)
        except ValidationError as error:
            raise InvalidInput(f"{target} is not an e-mail address.") from error
    elif kind == Channel.Kind.WEBHOOK:
        try:
            egress.check_url(target)
        except MetricsError as error:
            raise InvalidInput(error.detail) from error
    elif kind == Channel.Kind.APPRISE:
        if target not in chat.targets():
            known = f"They are: {', '.join(chat.targets())}." if chat.targets() else "There is none yet."
            raise InvalidInput(f"{target} is no target that the operator has set in READINESS_CHAT_TARGETS. {known}")
    else:
        raise InvalidInput(f"A channel is one of {', '.join(Channel.Kind.values)}.")


def _new_secret() -> str:
    """32 random bytes in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


def _named(channel: Channel) -> str:
    """How the record names a target. A webhook's path and query may hold a key: host and digest tell enough."""
    if channel.kind != Channel.Kind.WEBHOOK:
        return channel.target
    return f"{urlsplit(channel.target).netloc} {canonical.digest(channel.target)}"


def _record(kind: str, channel: Channel, *, by: User, now: datetime, payload: Mapping[str, object]) -> None:
    append(
        kind=kind,
        by=by,
        subject=f"channel:{channel.pk}",
        system=channel.system.slug if channel.system else "",
        now=now,
        payload={"name": channel.name, **payload},
    )
