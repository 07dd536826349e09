"""Answers of a program at the other end of a webhook, signed with the channel's own secret as our messages are."""

from collections.abc import Mapping
from datetime import datetime

from standardwebhooks import Webhook, WebhookVerificationError

from audit import secrets
from operations.models import Channel
from operations.notify import channels_of
from systems.models import System


def listeners(system: System, topic: str) -> list[Channel]:
    """Webhooks that name the topic: a chat that hears everything is told, and never answers."""
    return [
        channel
        for channel in channels_of(topic, system)
        if channel.kind == Channel.Kind.WEBHOOK and topic in channel.topics
    ]


def signed_by(system: System, topic: str, *, headers: Mapping[str, str], body: bytes, now: datetime) -> Channel | None:
    """The channel whose secret signed this body, less than five minutes ago; None: nobody whom we told."""
    return next((one for one in listeners(system, topic) if signed(one, headers=headers, body=body, now=now)), None)


def signed(channel: Channel, *, headers: Mapping[str, str], body: bytes, now: datetime) -> bool:
    """Whether a secret of this channel signed this body: the newest, or the one before for as long as we use both."""
    lower = {name.lower(): value for name, value in headers.items()}
    return any(_verifies(secret, lower, body) for secret in channel.secrets_at(now))


def _verifies(secret: str, headers: dict[str, str], body: bytes) -> bool:
    try:
        Webhook(secrets.decrypt(secret)).verify(body, headers)
    except (WebhookVerificationError, ValueError):  # of another secret, or no signature and no JSON at all
        return False
    return True
