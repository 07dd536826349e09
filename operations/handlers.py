"""What happens elsewhere and concerns people. Registered by topic; an event that comes twice is told once."""

from datetime import datetime

from django.utils import timezone

from jobs.models import Event
from jobs.outbox import on
from operations.notify import notify
from operations.presenters import HEARD, TOPICS, address, sentences
from systems.models import System


def tell_people(event: Event) -> None:
    presenter = TOPICS[event.topic]
    title, body = sentences(event.topic, event.payload)
    notify(
        topic=event.topic,
        system=System.objects.filter(slug=event.payload.get("system", "")).first(),
        subject=event.subject,
        title=title,
        body=body,
        url=address(event.topic, event.payload),
        now=timezone.now(),
        roles=presenter.roles,
        key=f"event:{event.pk}",
        breach_at=_breach(event) if presenter.alarm else None,
    )


def _breach(event: Event) -> datetime:
    """When it began, where the event says so; else when it was noticed."""
    said = event.payload.get("breach_at")
    return datetime.fromisoformat(said) if said else event.created_at


for topic in HEARD:
    on(topic)(tell_people)
