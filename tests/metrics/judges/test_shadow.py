"""A shadow gets a share of the requests: fewer in each stretch, so its rates scatter more, which is no harm."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from metrics.judges import canary, shadow
from metrics.judges.canary import WindowFacts
from metrics.judges.series import compare
from tests.metrics.judges.test_canary import LIMITS, MINUTE, START

HOURS = 4


def served(luck: np.random.Generator, a_minute: int, *, errors: float = 0.003, ms: float = 300) -> list[WindowFacts]:
    """Requests of four hours; latencies are exponential, and told as a histogram, as sources tell them."""
    bounds = [0, 50, 100, 200, 400, 800, 1600, 3200, 100_000]
    made = []
    for n in range(HOURS * 60):
        counts, _ = np.histogram(luck.exponential(ms, a_minute), bins=bounds)
        spread = tuple((Decimal(a), Decimal(b), int(c)) for a, b, c in zip(bounds, bounds[1:], counts, strict=False))
        failed = int(luck.binomial(a_minute, errors))
        made.append(WindowFacts(START + n * MINUTE, START + (n + 1) * MINUTE, True, a_minute, failed, spread))
    return made


def report(mine: list[WindowFacts], live: list[WindowFacts]) -> shadow.Report:
    limits = replace(LIMITS, hours=HOURS, error_rate_max=Decimal("0.05"), p95_ms_max=5000)
    verdict = canary.judge(mine, limits, since=START, until=START + timedelta(hours=HOURS))
    return shadow.judge(verdict, mine, live, (), since=START, min_requests=300)


@pytest.mark.parametrize("a_minute", [10, 100])
def test_a_release_that_is_the_same_passes_on_all_of_the_traffic_and_on_a_tenth_of_it(a_minute: int) -> None:
    lucks = [np.random.Generator(np.random.PCG64(seed)) for seed in range(12)]
    found = [report(served(luck, a_minute), served(luck, 100)) for luck in lucks]
    # The two metrics share 5 %.
    assert sum(one.outcome == shadow.PASSED for one in found) >= 11, [one.reasons for one in found]


@pytest.mark.parametrize("a_minute", [10, 100])
def test_a_worse_one_fails_on_either(a_minute: int) -> None:
    luck = np.random.Generator(np.random.PCG64(1))
    failing = report(served(luck, a_minute, errors=0.02), served(luck, 100))
    assert failing.outcome == shadow.FAILED
    assert failing.reasons[0].startswith("Worse than the live release: error rate. Its mean is ")
    slow = report(served(luck, a_minute, ms=600), served(luck, 100))
    assert [one.name for one in slow.compared if one.change.outcome == "fail"] == ["p95 latency"]


def test_what_is_sure_and_small_is_said() -> None:
    found = compare(
        [101.0 + n % 2 for n in range(60)], [98.0 + n % 2 for n in range(60)], kind="quantile", direction="up"
    )
    assert (found.outcome, found.sentence) == ("pass", "Its mean is 101.5, against 98.5. Less than 10 % apart.")


def test_a_count_has_no_spread_to_leave_out() -> None:
    calm = compare([0, 1] * 20, [0, 1] * 20, kind="count", direction="up", spread=False)
    assert calm.outcome == "pass"
