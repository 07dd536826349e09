"""Arithmetic of money over days: spike, variance, and what a budget should be. Pure.

Amounts are whole nano-USD in and out; shares and factors are exact decimals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from statistics import median

NANO = 10**9
CENT = Decimal("0.01")
# Fewer days with spending say nothing about what is usual.
LEAST_DAYS = 3
# A spike of pennies wakes nobody.
LEAST_SPIKE_NANOUSD = NANO


@dataclass(frozen=True)
class Spike:
    """Today's spending against the median of the days before. `threshold` is where it became a spike."""

    spent_nanousd: int
    usual_nanousd: int
    threshold_nanousd: int

    @property
    def times(self) -> Decimal:
        return (Decimal(self.spent_nanousd) / self.usual_nanousd).quantize(Decimal("0.1"))


def spike(today: int, before: Sequence[int], *, times: Decimal) -> Spike | None:
    """A spike, where today's spending lies above `times` the median of the seven days before; None where it does not,
    or where too few of those days had any spending to say."""
    days = [spent for spent in before if spent > 0]
    if len(days) < LEAST_DAYS:
        return None
    usual = int(median(days))
    threshold = max(int(times * usual) + 1, LEAST_SPIKE_NANOUSD)
    return Spike(today, usual, threshold) if today >= threshold else None


def variance(now: int, before: int) -> Decimal | None:
    """The change from one period to the next as a share of the earlier one; None where that one had no spending."""
    if before <= 0:
        return None
    return (Decimal(now - before) / before).quantize(Decimal("0.0001"))


@dataclass(frozen=True)
class Averages:
    """What the requests of the trail used, and what their calls cost: the calculator's starting point."""

    requests: int
    days: int
    tokens_in: int
    tokens_out: int
    cost_nanousd: int
    priced: int  # requests whose cost is known

    @property
    def requests_per_day(self) -> Decimal:
        return _share(self.requests, self.days)

    @property
    def tokens_in_each(self) -> Decimal:
        return _share(self.tokens_in, self.requests)

    @property
    def tokens_out_each(self) -> Decimal:
        return _share(self.tokens_out, self.requests)


@dataclass(frozen=True)
class Plan:
    """A budget that follows from averages: per day, with the buffer on top, and the alert below it."""

    expected_usd: Decimal
    cap_usd: Decimal
    alert_usd: Decimal
    month_usd: Decimal


def plan(
    *,
    requests_per_day: Decimal,
    tokens_in: Decimal,
    tokens_out: Decimal,
    price_in: Decimal,
    price_out: Decimal,
    buffer: Decimal,
    alert_share: Decimal = Decimal("0.9"),
) -> Plan:
    """Average tokens times requests times price, plus the buffer. Prices are USD for a million tokens; token averages
    are per request."""
    each = (tokens_in * price_in + tokens_out * price_out) / 1_000_000
    expected = each * requests_per_day
    cap = max(_cents(expected * (1 + buffer)), CENT)
    # Down: rounded up, the alert of a small budget would come with the cap and not before it.
    alert = max((cap * alert_share).quantize(CENT, rounding=ROUND_FLOOR), CENT)
    return Plan(_cents(expected), cap, alert, _cents(cap * 30))


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, rounding=ROUND_CEILING)


def _share(part: int, whole: int) -> Decimal:
    return (Decimal(part) / whole).quantize(Decimal("0.01")) if whole else Decimal(0)
