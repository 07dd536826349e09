"""Spans through the whole of ingest and the worker's steps, for the tests of what comes after."""

import itertools
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from audit import derivation, spanlog
from audit.ingest.otlp import decode_json
from audit.ingest.receive import Receipt, receive
from tests.audit.sending import request_json

_names = itertools.count(1)


def new_system(name: str = "bot") -> str:
    """A system of the test's own: spans that other tests committed stay where they are. So few digits that no name of
    it looks like a card's number."""
    return f"{name}-{next(_names)}-{secrets.token_hex(4)}"


def send(*spans: dict[str, Any], system: str, environment: str = "production", now: datetime | None = None) -> Receipt:
    now = now or timezone.now()
    return receive(decode_json(request_json(*spans)), system=system, environment=environment, now=now)


def settle(now: datetime | None = None) -> datetime:
    """What the worker does, some seconds after the last span. Returns when."""
    later = (now or timezone.now()) + derivation.QUIET + timedelta(seconds=1)
    spanlog.sequence(now=later)
    derivation.derive(now=later)
    return later
