"""Which rehearsals a system has behind it, until when they count, and which come next."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from operations.models import Drill
from operations.numbers import bars_of
from operations.reminding import LAPSES_SOON
from systems.models import System


@dataclass(frozen=True)
class Scheduled:
    kind: str
    label: str
    passed_at: datetime | None
    counts_until: datetime | None
    state: str  # missing | ok | alert (lapses soon) | lapsed
    next: Drill | None


def schedule(system: System, *, now: datetime) -> list[Scheduled]:
    """One row for each kind, in two queries."""
    validity = timedelta(days=bars_of(system).drill_validity_days)
    passed = Drill.objects.filter(system=system, outcome=Drill.Outcome.PASSED, ended_at__lte=now).order_by("ended_at")
    last: dict[str, Any] = dict(passed.values_list("kind", "ended_at"))
    waiting = Drill.objects.filter(system=system).exclude(state=Drill.State.ENDED)
    planned: dict[str, Drill] = {}
    # The soonest day first; what has no day comes last.
    for drill in sorted(waiting, key=lambda row: (row.scheduled_for is None, row.scheduled_for or now.date())):
        planned.setdefault(drill.kind, drill)
    rows = []
    for kind, label in Drill.Kind.choices:
        until = last[kind] + validity if kind in last else None
        rows.append(Scheduled(kind, label, last.get(kind), until, _state(until, now), planned.get(kind)))
    return rows


def _state(until: datetime | None, now: datetime) -> str:
    if until is None:
        return "missing"
    if until <= now:
        return "lapsed"
    return "alert" if until <= now + LAPSES_SOON else "ok"
