import math

import numpy as np
import pytest
from scipy import stats

from metrics.judges import sequential
from metrics.judges.sequential import Block

ALPHA = 0.05
NEEDED = -math.log(ALPHA)


def test_one_bet_is_the_likelihood_ratio() -> None:
    """Against scipy: the mean over the bets of the binomial likelihood ratios."""
    limit, requests, bad = 0.015, 400, 11
    ratios = [
        stats.binom.pmf(bad, requests, share) / stats.binom.pmf(bad, requests, limit)
        for odds in sequential._ODDS
        for share in [limit / (1 - limit) * odds / (1 + limit / (1 - limit) * odds)]
    ]
    assert sequential.log_wealth_above(requests, bad, limit) == pytest.approx(math.log(np.mean(ratios)))


@pytest.mark.parametrize("share", [0.010, 0.015])
def test_false_alarms_stay_below_alpha_although_every_window_is_looked_at(share: float) -> None:
    generator = np.random.default_rng(5)
    alarms = 0
    for _ in range(400):
        bad = generator.binomial(20, share, size=500).cumsum()
        alarms += any(
            sequential.log_wealth_above(20 * (n + 1), int(seen), 0.015) >= NEEDED for n, seen in enumerate(bad)
        )
    assert alarms / 400 <= ALPHA


def test_a_real_breach_is_found_soon() -> None:
    generator = np.random.default_rng(6)
    delays = []
    for _ in range(100):
        bad = generator.binomial(20, 0.06, size=500).cumsum()
        wealth = (sequential.log_wealth_above(20 * (n + 1), int(seen), 0.015) for n, seen in enumerate(bad))
        delays.append(next(n for n, value in enumerate(wealth) if value >= NEEDED))
    assert np.median(delays) < 15


def blocks(generator: np.random.Generator, canary: float, live: float, drift: float = 0.0) -> list[Block]:
    made = []
    for n in range(240):
        common = 1 + drift * math.sin(n / 20)
        made.append(
            Block(20, int(generator.binomial(20, canary * common)), 180, int(generator.binomial(180, live * common)))
        )
    return made


@pytest.mark.parametrize("drift", [0.0, 0.9])
def test_an_equal_canary_rarely_looks_worse_also_when_both_drift(drift: float) -> None:
    generator = np.random.default_rng(8)
    alarms = sum(sequential.log_wealth_worse(blocks(generator, 0.01, 0.01, drift)) >= NEEDED for _ in range(300))
    assert alarms / 300 <= ALPHA


def test_a_worse_canary_is_found() -> None:
    generator = np.random.default_rng(9)
    found = sum(sequential.log_wealth_worse(blocks(generator, 0.03, 0.01)) >= NEEDED for _ in range(100))
    assert found >= 95


def test_a_better_canary_raises_nothing() -> None:
    generator = np.random.default_rng(10)
    alarms = sum(sequential.log_wealth_worse(blocks(generator, 0.002, 0.01)) >= NEEDED for _ in range(100))
    assert alarms <= 1


def test_no_data_is_no_evidence() -> None:
    assert sequential.p_value(sequential.log_wealth_worse([])) == 1
    assert sequential.p_value(sequential.log_wealth_worse([Block(0, 0, 50, 1), Block(50, 5, 0, 0)])) == 1
    assert sequential.p_value(sequential.log_wealth_above(0, 0, 0.015)) == 1
    with pytest.raises(ValueError, match="share between 0 and 1"):
        sequential.log_wealth_above(10, 1, 0)
