"""What runs again and again. Packages register in their `apps.py`, so this module knows no database."""

from dataclasses import dataclass
from datetime import UTC, datetime


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


def beats(now: datetime) -> list[Beat]:
    """The present beat of every schedule."""
    return [schedule.beat(now) for schedule in _schedules.values()]
