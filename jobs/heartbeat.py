"""When the tick last ran: the one sign that beat, broker and worker work together."""

from datetime import datetime

from django.core.cache import cache

_KEY = "jobs.tick"


def beat(now: datetime) -> None:
    cache.set(_KEY, now.isoformat(), timeout=None)


def last() -> datetime | None:
    seen = cache.get(_KEY)
    return datetime.fromisoformat(seen) if seen else None
