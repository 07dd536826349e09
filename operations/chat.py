"""Slack, Teams, PagerDuty and the rest, through apprise: a named exception from the guarded way out.

Apprise opens its own connections, so nobody in a browser may say where to. The operator sets the targets, by name, with
their secrets; an admin makes a channel of a name, and sees nothing but names. Redirects are not followed.
"""

import re

import apprise
from django.conf import settings

from operations.models import Delivery

# Seconds to connect and to wait for an answer, as for a webhook: together shorter than a delivery's lease.
CONNECT, READ = 5, 20
# What a service says can quote the address, and the address is the secret.
_ADDRESS = re.compile(r"\S+://\S+")


def targets() -> list[str]:
    """The names that the operator has set."""
    return sorted(settings.CHAT_TARGETS)


def send(delivery: Delivery, target: str, *, link: str) -> str:
    """Sends it to the service behind the name. Returns what went wrong; empty where the service took it."""
    address = settings.CHAT_TARGETS.get(target)
    if address is None:
        return f"The operator has set no target called {target} (any more): READINESS_CHAT_TARGETS names them."
    service = _service(address)
    if service is None:
        return f"The address that the operator set for {target} is of no service that apprise knows."
    notification = delivery.notification
    alarm = notification.breach_at is not None
    result = service.notify(
        title=f"[{settings.INSTANCE_NAME}] {notification.title}",
        body="\n".join(part for part in (notification.body or notification.title, link) if part),
        body_format=apprise.NotifyFormat.TEXT,
        notify_type=apprise.NotifyType.FAILURE if alarm else apprise.NotifyType.INFO,
    )
    if result:
        return ""
    said = " ".join(entry.message for entry in result.logs() if entry.level in ("WARNING", "ERROR"))
    return "The service did not take it: " + (_ADDRESS.sub("…", said).strip() or "it did not say why.")


def _service(address: str) -> apprise.Apprise | None:
    asset = apprise.AppriseAsset(
        app_id=settings.INSTANCE_NAME,
        async_mode=False,  # in this thread: a worker that returns has sent it
        http_redirects=False,
        storage_mode=apprise.PersistentStoreMode.MEMORY,
    )
    found = apprise.Apprise(asset=asset)
    if not found.add(address):
        return None
    for one in found:
        one.socket_connect_timeout, one.socket_read_timeout = CONNECT, READ
    return found
