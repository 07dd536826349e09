"""The trail's days. Made ahead of time by a job; on demand when a span of another day arrives."""

from collections.abc import Iterable
from datetime import date, timedelta

from django.db import connection

AHEAD = 7
BEHIND = 3  # spans may come up to 48 hours late


def make(days: Iterable[date]) -> int:
    """Makes the partitions of these days where they are missing; returns how many days were new."""
    with connection.cursor() as cursor:
        made = 0
        for day in sorted(set(days)):
            cursor.execute("SELECT public.audit_make_day(%s)", [day])
            made += bool(cursor.fetchone()[0])
        return made


def make_ahead(today: date) -> int:
    return make(today + timedelta(days=offset) for offset in range(-BEHIND, AHEAD + 1))
