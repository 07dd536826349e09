import math
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from metrics.judges import resampling


def interval(values: np.ndarray, **more: object) -> tuple[float, float]:
    options = {"confidence": 0.95, "resamples": 10_000, "seed": 1, "spread": 1.0} | more
    return resampling.bootstrap_interval(values, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["few distinct values", "all distinct"])
def test_the_interval_agrees_with_scipys_percentile_bootstrap(kind: str) -> None:
    generator = np.random.default_rng(7)
    values = generator.choice([-1.0, 0.0, 1.0], 300) if kind.startswith("few") else generator.normal(0.1, 0.5, 300)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=10_000, rng=generator)
    low, high = interval(values)
    assert low == pytest.approx(theirs.confidence_interval.low, abs=0.006)
    assert high == pytest.approx(theirs.confidence_interval.high, abs=0.006)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    """95 % must mean 93 to 97 %; on 1,000 drawn sets with a known mean the standard error is 0.7 %."""
    generator = np.random.default_rng(11)
    truth = 0.3 - 0.2
    covered = 0
    for seed in range(1000):
        low, high = interval(generator.choice([-1.0, 0.0, 1.0], 200, p=[0.2, 0.5, 0.3]), resamples=1000, seed=seed)
        covered += low <= truth <= high
    assert 930 <= covered <= 970


def test_cases_that_all_moved_alike_leave_room_for_those_that_were_not_seen() -> None:
    low, high = interval(np.zeros(200))
    assert high == -low == pytest.approx(1 - 0.025 ** (1 / 200))
    assert interval(np.zeros(2000))[1] < high


def test_the_p_value_of_pass_and_fail_is_mcnemars_exact_one() -> None:
    differences = [Fraction(1)] * 15 + [Fraction(-1)] * 5 + [Fraction(0)] * 80
    p_value = resampling.paired_p_value(differences, resamples=10_000, seed=1)
    assert p_value == pytest.approx(0.04138947, abs=1e-8)  # 2 * P(at most 5 of 20 coin throws)


def test_the_p_value_agrees_with_scipys_exact_permutation_test() -> None:
    values = [0.3, -0.1, 0.25, 0.4, -0.05, 0.2, 0.15, 0.1, -0.2, 0.35, 0.05, 0.45]
    theirs = stats.permutation_test(
        (np.array(values),), np.mean, permutation_type="samples", n_resamples=math.inf, vectorized=True
    )
    ours = resampling.paired_p_value([Fraction(str(value)) for value in values], resamples=100_000, seed=1)
    assert ours == pytest.approx(theirs.pvalue, abs=0.002)


def test_no_difference_at_all_is_a_p_value_of_one_and_none_is_ever_zero() -> None:
    assert resampling.paired_p_value([Fraction(0)] * 50, resamples=100, seed=1) == 1.0
    strong = [Fraction(n, 1000) for n in range(500, 600)]
    assert resampling.paired_p_value(strong, resamples=999, seed=1) == pytest.approx(1 / 1000)


@pytest.mark.parametrize(("cases", "change"), [(100, 0.096), (200, 0.068), (500, 0.043), (1000, 0.031)])
def test_the_smallest_detectable_change_is_the_textbooks(cases: int, change: float) -> None:
    """Pass or fail, 15 % of the cases differ, half of them each way."""
    moved = round(cases * 0.15)
    values = np.array([1.0] * (moved // 2) + [-1.0] * (moved - moved // 2) + [0.0] * (cases - moved))
    assert resampling.smallest_detectable(values) == pytest.approx(change, abs=0.001)
