"""When reviews are due. Pure.

Cadence reviews belong to a system and follow one another without a gap, from its first launch on: whoever was late with
one owes the next one as well. The review after a launch is due seven days after it.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta

POST_LAUNCH = timedelta(days=7)
REMIND_BEFORE = timedelta(days=2)
ESCALATE_AFTER = timedelta(days=3)
# Periods that a system which nobody looked after for years would owe: more than these help nobody.
MOST = 60


@dataclass(frozen=True)
class Cadence:
    """A period of so many days or months, and the days that are left to review it once it is over."""

    days: int = 0
    months: int = 0
    grace: int = 3


CADENCES = {
    "weekly": Cadence(days=7, grace=3),
    "monthly_cost": Cadence(months=1, grace=7),
    "monthly_golden": Cadence(months=1, grace=7),
    "quarterly_security": Cadence(months=3, grace=14),
    "quarterly_compliance": Cadence(months=3, grace=14),
    "quarterly_access": Cadence(months=3, grace=14),
}


@dataclass(frozen=True)
class Period:
    since: datetime
    until: datetime
    due_at: datetime


def periods(cadence: Cadence, *, first: datetime, now: datetime) -> list[Period]:
    """Every period that has begun by `now`, counted from the first launch; the last one is still running."""
    found = []
    for n in range(MOST):
        since, until = _after(first, cadence, n), _after(first, cadence, n + 1)
        if since > now:
            break
        found.append(Period(since, until, until + timedelta(days=cadence.grace)))
    return found


def after_launch(live_at: datetime) -> Period:
    return Period(live_at, live_at + POST_LAUNCH, live_at + POST_LAUNCH)


def _after(first: datetime, cadence: Cadence, n: int) -> datetime:
    """The start of period n. Months are counted from the first day, so that the 31st does not wander to the 28th."""
    if cadence.days:
        return first + timedelta(days=cadence.days * n)
    months = first.month - 1 + cadence.months * n
    year, month = first.year + months // 12, months % 12 + 1
    return first.replace(year=year, month=month, day=min(first.day, monthrange(year, month)[1]))
