"""What a system may spend per day, and what it has spent: pure arithmetic first, then the fact it is asked for.

A budget day is a calendar day of the system's own time zone. A request spends on the day it started.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal, cast
from zoneinfo import ZoneInfo

from django.core.cache import caches

from audit import trail
from systems.models import RunningPolicy, System
from systems.policy import SHIPPED_RUNNING_LIMITS, RunningLimits, running_limits
from web.prepared import Prepared

NANO = 10**9
LATELY = 2  # seconds

Level = Literal["ok", "alert", "exceeded"]


@dataclass(frozen=True)
class Spending:
    """All amounts in nano-USD."""

    state: Level
    spent_nanousd: int
    cap_nanousd: int
    alert_nanousd: int
    day: date


@dataclass(frozen=True)
class BudgetState(Spending):
    """`unknown_share`: requests of the day whose cost nobody could price."""

    unknown_share: Decimal


@dataclass(frozen=True)
class BudgetDay:
    """One budget day as an interval of UTC: from `start`, before `end`. 23 or 25 hours where clocks change."""

    day: date
    start: datetime
    end: datetime


def day_of(zone: str, now: datetime) -> BudgetDay:
    here = ZoneInfo(zone)
    today = now.astimezone(here).date()
    midnight = datetime.combine(today, time.min, here)
    next_midnight = datetime.combine(today + timedelta(days=1), time.min, here)
    return BudgetDay(today, midnight.astimezone(UTC), next_midnight.astimezone(UTC))


def judge(spent: int, *, alert: int, cap: int) -> Level:
    """A threshold is reached by meeting it: at 45 the alert, at 50 the stop."""
    if spent >= cap:
        return "exceeded"
    return "alert" if spent >= alert else "ok"


def crossed_at(spent_until: Callable[[datetime], int], threshold: int, *, start: datetime, end: datetime) -> datetime:
    """When the spending of a day reached `threshold`, to the second, by halving the interval.

    Spending grows with time, so seventeen questions find one second of a day. `spent_until(end)` must reach it.
    """
    low, high = 0, int((end - start).total_seconds()) + 1
    while low < high:
        middle = (low + high) // 2
        if spent_until(start + timedelta(seconds=middle)) >= threshold:
            high = middle
        else:
            low = middle + 1
    return min(start + timedelta(seconds=high), end)


_in_force = Prepared(
    lambda system: RunningPolicy.objects.filter(system=system, state=RunningPolicy.State.APPROVED).values_list(
        "body", flat=True
    )[:1]
)


def limits_of(system: System) -> RunningLimits:
    """The running limits in force; the shipped ones where a system has none of its own."""
    bodies = _in_force(system=system.pk)
    return running_limits(bodies[0]) if bodies else SHIPPED_RUNNING_LIMITS


def nano(dollars: Decimal) -> int:
    return int(dollars * NANO)


def usd(nanousd: int) -> str:
    """As a sentence says it."""
    return f"{Decimal(nanousd) / NANO:,.2f} USD"


def spending(system: System, now: datetime) -> Spending:
    limits = limits_of(system)
    today = day_of(system.time_zone, now)
    spent = trail.spend(system.slug, since=today.start, until=today.end)
    alert, cap = nano(limits.budget_alert_usd), nano(limits.budget_daily_usd)
    return Spending(
        state=judge(spent, alert=alert, cap=cap),
        spent_nanousd=spent,
        cap_nanousd=cap,
        alert_nanousd=alert,
        day=today.day,
    )


def budget_state(system: System, now: datetime) -> BudgetState:
    """What people and applications are told; the gate and the alarms ask for the spending alone."""
    today = day_of(system.time_zone, now)
    rates = trail.rates(system.slug, since=today.start, until=today.end)
    unknown = _share(rates.requests - rates.cost_known, rates.requests)
    return BudgetState(**asdict(spending(system, now)), unknown_share=unknown)


def lately[T](what: str, ask: Callable[[], T]) -> T:
    """The answer of a moment ago, where there is one: applications ask before every call, and spending takes seconds to
    be summed up anyway."""
    return cast("T", caches["near"].get_or_set(f"budget:{what}", ask, LATELY))


def _share(part: int, whole: int) -> Decimal:
    return (Decimal(part) / whole).quantize(Decimal("0.0001")) if whole else Decimal(0)
