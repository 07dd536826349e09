"""What the last two weeks say about a budget: spending by day, the change from week to week, and the averages that a
budget is calculated from."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Sum

from audit import trail
from audit.models import Spend
from operations.budget import NANO, limits_of
from operations.numbers import daily
from operations.spending import Averages, variance
from systems.models import System

WEEK = timedelta(days=7)
DAYS = 14


@dataclass(frozen=True)
class Weeks:
    """All amounts in nano-USD. `change`: from the seven days before to the last seven, as a share."""

    days: list[tuple[date, int]]
    this_week: int
    last_week: int
    change: Decimal | None
    limit: Decimal

    @property
    def within(self) -> bool:
        return self.change is None or abs(self.change) <= self.limit


def weeks(system: System, *, now: datetime) -> Weeks:
    this_week = trail.spend(system.slug, since=now - WEEK, until=now)
    last_week = trail.spend(system.slug, since=now - 2 * WEEK, until=now - WEEK)
    return Weeks(
        days=daily(system, since=now - timedelta(days=DAYS - 1), until=now),
        this_week=this_week,
        last_week=last_week,
        change=variance(this_week, last_week),
        limit=limits_of(system).budget_variance,
    )


def averages(system: System, *, now: datetime) -> Averages:
    """What the last seven days of the trail used."""
    seen = trail.rates(system.slug, since=now - WEEK, until=now)
    used = Spend.objects.filter(system=system.slug, bucket__gte=now - WEEK, bucket__lt=now).aggregate(
        tokens_in=Sum("tokens_in", default=0), tokens_out=Sum("tokens_out", default=0)
    )
    return Averages(seen.requests, 7, used["tokens_in"], used["tokens_out"], seen.cost_nanousd, seen.cost_known)


def model_of(system: System, *, now: datetime) -> dict[str, Decimal]:
    """Where the calculator starts: the averages, and the price that the trail was charged for any token, where it was
    charged any. People put the provider's two prices there."""
    found = averages(system, now=now)
    start = {
        "requests_per_day": found.requests_per_day,
        "tokens_in": found.tokens_in_each,
        "tokens_out": found.tokens_out_each,
    }
    tokens = found.tokens_in + found.tokens_out
    if found.cost_nanousd and tokens:
        each = (Decimal(found.cost_nanousd) / NANO / tokens * 1_000_000).quantize(Decimal("0.0001"))
        start |= {"price_in": each, "price_out": each}
    return start
