"""Answers of a program at the other end of a webhook, signed with the channel's own secret as our messages are."""

from collections.abc import Mapping

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


def signed_by(system: System, topic: str, *, headers: Mapping[str, str], body: bytes) -> Channel | None:
    """The channel whose secret signed this body, less than five minutes ago; None: nobody whom we told."""
    lower = {name.lower(): value for name, value in headers.items()}
    for channel in listeners(system, topic):
        try:
            Webhook(secrets.decrypt(channel.secret)).verify(body, lower)
        except (WebhookVerificationError, ValueError):  # of another secret, or no signature and no JSON at all
            continue
        return channel
    return None
