"""What runs again and again. Packages register in their `apps.py`; the tick asks what is due."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import IntegrityError, transaction

from jobs.models import Slot


@dataclass(frozen=True)
class Beat:
    name: str
    task: str
    at: datetime


@dataclass(frozen=True)
class Schedule:
    name: str
    task: str
    seconds: int

    def beat(self, now: datetime) -> Beat:
        """The slot that `now` lies in. Slots are cut from the epoch, so every clock cuts them alike."""
        start = int(now.timestamp()) // self.seconds * self.seconds
        return Beat(self.name, self.task, datetime.fromtimestamp(start, UTC))


_schedules: dict[str, Schedule] = {}


def every(task: str, *, seconds: int, name: str | None = None) -> None:
    _schedules[name or task] = Schedule(name or task, task, seconds)


def due(now: datetime) -> Iterator[Beat]:
    """The beats that nobody has taken yet. Taking one is inserting its row: of two clocks one succeeds."""
    for schedule in _schedules.values():
        beat = schedule.beat(now)
        if Slot.objects.filter(schedule=beat.name, at=beat.at).exists():
            continue
        try:
            with transaction.atomic():
                Slot.objects.create(schedule=beat.name, at=beat.at)
        except IntegrityError:
            continue
        yield beat


def forget(*, before: datetime) -> None:
    Slot.objects.filter(at__lt=before).delete()
