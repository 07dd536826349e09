"""Attempts to log what may not be logged: counted for each kind, and told at once, then hourly while they last."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db import transaction

from audit.models import UnsafeLogging
from jobs.outbox import emit

ALARM_EVERY = timedelta(hours=1)


def note(attempts: Mapping[str, int], *, system: str, environment: str, now: datetime) -> None:
    """Adds to the counts. Called after ingest, for the rare batch that has something to count."""
    for what, count in sorted(attempts.items()):
        with transaction.atomic():
            first = {"first_seen": now, "last_seen": now, "alarmed_at": now}
            UnsafeLogging.objects.get_or_create(system=system, environment=environment, what=what, defaults=first)
            seen = UnsafeLogging.objects.select_for_update().get(system=system, environment=environment, what=what)
            alarm = seen.attempts == 0 or seen.alarmed_at <= now - ALARM_EVERY
            seen.attempts += count
            seen.last_seen = max(seen.last_seen, now)
            seen.alarmed_at = now if alarm else seen.alarmed_at
            seen.save(update_fields=["attempts", "last_seen", "alarmed_at"])
            if alarm:
                payload = {"system": system, "environment": environment, "what": what, "attempts": seen.attempts}
                emit("audit.unsafe-logging", subject=f"system:{system}", payload=payload, now=now)


def seen_in(system: str) -> list[UnsafeLogging]:
    return list(UnsafeLogging.objects.filter(system=system).order_by("-last_seen", "what"))
