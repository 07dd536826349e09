"""Events: how lower floors let upper ones know without importing them.

`emit` writes a row in the caller's transaction; a tick later every handler of the topic has a job of its own, so a slow
or failing handler holds up no other. Delivery is at least once: handlers are idempotent.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction

from jobs import broker
from jobs.models import Event

Handler = Callable[[Event], None]

_handlers: dict[str, Handler] = {}
_topics: dict[str, list[str]] = {}


def emit(topic: str, *, subject: str, payload: dict[str, Any], now: datetime) -> Event:
    """Says that something happened. Ids and labels only: a handler reads what it needs when its turn comes."""
    event = Event.objects.create(topic=topic, subject=subject, payload=payload, created_at=now)
    transaction.on_commit(_hurry)
    return event


def on(topic: str) -> Callable[[Handler], Handler]:
    """Registers a handler. Its name is part of the job's key, so it must not change while events wait for it."""

    def register(handler: Handler) -> Handler:
        name = f"{handler.__module__}.{handler.__qualname__}"
        _handlers[name] = handler
        _topics.setdefault(topic, []).append(name)
        return handler

    return register


def handlers(topic: str) -> list[str]:
    return sorted(_topics.get(topic, []))


def call(handler: str, event: Event) -> None:
    _handlers[handler](event)


def _hurry() -> None:
    """Relays at once instead of at the next tick."""
    broker.tell("jobs.tick", expires=5)
