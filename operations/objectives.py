"""Error budgets: how much of what an objective tolerates has been used up, and how fast it burns. Pure but for types.

An objective of 99 % valid answers tolerates one bad answer in a hundred. Over a window, that is a number of requests:
the error budget. `used` says which share of it is gone; `burn` compares the last hour with the rate at which the
budget would last exactly for the window (Google's SRE workbook calls it burn rate; 1 is just sustainable).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from audit.histogram import value_of
from audit.rates import Counts
from systems.policy import RunningLimits

WINDOW_DAYS = 30
SLOW_SHARE = Decimal("0.05")  # p95 within the limit: at most 5 % of the requests are slower


@dataclass(frozen=True)
class Objective:
    key: str
    label: str
    tolerated: Decimal  # share of the counted requests that may be bad
    counted: int
    bad: int
    burn: Decimal | None = None  # None: the last hour had no requests to count

    @property
    def rate(self) -> Decimal | None:
        return _share(self.bad, self.counted)

    @property
    def used(self) -> Decimal | None:
        """Share of the error budget that is gone; above 1 it is overdrawn. None without requests."""
        if not self.counted:
            return None
        if not self.tolerated:
            return Decimal(0) if not self.bad else Decimal(self.bad)
        return (Decimal(self.bad) / (self.tolerated * self.counted)).quantize(Decimal("0.0001"))

    @property
    def state(self) -> str:
        used = self.used
        if used is None:
            return "unknown"
        return "exceeded" if used >= 1 else "alert" if used >= Decimal("0.8") else "ok"


def objectives(
    window: Counts, hour: Counts, *, limits: RunningLimits, error_rate_max: Decimal
) -> tuple[Objective, ...]:
    """The four objectives of a system over `window`, with the burn of the last `hour`."""
    found = []
    for key, label, tolerated in (
        ("errors", "Requests that failed", error_rate_max),
        ("schema", "Answers outside of their schema", limits.slo_schema_failure),
        ("retries", "Retries", limits.slo_retry),
        ("latency", f"Requests slower than {limits.slo_p95_ms} ms", SLOW_SHARE),
    ):
        counted, bad = _counted(key, window, limits)
        recent = _counted(key, hour, limits)
        burn = None
        if recent[0] and tolerated:
            burn = (Decimal(recent[1]) / recent[0] / tolerated).quantize(Decimal("0.01"))
        found.append(Objective(key, label, tolerated, counted, bad, burn))
    return tuple(found)


def _counted(key: str, counts: Counts, limits: RunningLimits) -> tuple[int, int]:
    match key:
        case "errors":
            return counts.requests, counts.errors
        case "schema":
            return counts.schema_checked, counts.schema_checked - counts.schema_valid
        case "retries":
            return counts.requests, min(counts.retries, counts.requests)
    return sum(counts.latency), slower_than(counts.latency, limits.slo_p95_ms)


def slower_than(latency: Sequence[int], limit_ms: int) -> int:
    """Requests in bins whose value lies above the limit: right within the one per cent of the bins."""
    return sum(count for index, count in enumerate(latency) if value_of(index) > limit_ms)


def _share(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(Decimal("0.0001")) if whole else None
