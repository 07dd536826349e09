"""Drift: by known data, by scipy, and never "stable" for want of data."""

import math
from decimal import Decimal

import numpy as np
import pytest
from scipy import stats

from metrics.judges.drift import Feature, compare, psi

LIMIT = Decimal("0.2")


def one(before: object, after: object, *, categories: bool = False) -> Feature:
    given = {"x": (before, after)}
    (found,) = compare({}, given, psi_max=LIMIT) if categories else compare(given, {}, psi_max=LIMIT)  # type: ignore[arg-type]
    return found


def test_the_index_is_the_textbooks() -> None:
    by_hand = (0.5 - 0.3) * math.log(0.5 / 0.3) + (0.5 - 0.7) * math.log(0.5 / 0.7)
    assert psi([0.3, 0.7], [0.5, 0.5]) == Decimal(by_hand).quantize(Decimal("0.0001"))
    assert psi([0.3, 0.7], [0.3, 0.7]) == 0
    assert psi([1, 0], [0, 1]) > 10, "an empty bin keeps it finite, and large"


def test_numbers_that_moved_have_drifted_and_numbers_that_did_not_have_not() -> None:
    chance = np.random.default_rng(1)
    before, same, moved = (chance.normal(mean, 10, 2000) for mean in (100, 100, 112))
    stable, drifted = one(before, same), one(before, moved)
    assert (stable.outcome, drifted.outcome) == ("stable", "drifted")
    assert drifted.effect == Decimal(float(stats.ks_2samp(before, moved).statistic)).quantize(Decimal("0.0001"))
    assert drifted.psi is not None
    assert drifted.psi > 1
    assert sum(share for _, share, _ in drifted.spread) == pytest.approx(Decimal(1), abs=Decimal("0.001"))


def test_what_is_significant_and_small_has_not_drifted() -> None:
    chance = np.random.default_rng(2)
    found = one(chance.normal(100, 10, 20_000), chance.normal(101, 10, 20_000))
    assert found.p_adjusted is not None
    assert found.p_adjusted < Decimal("0.001")
    assert found.outcome == "stable"


def test_categories_are_tested_by_chi_square_with_cramers_v() -> None:
    before, after = ["a"] * 700 + ["b"] * 300, ["a"] * 300 + ["b"] * 600 + ["c"] * 100
    found = one(before, after, categories=True)
    expected = stats.chi2_contingency([[700, 300, 0], [300, 600, 100]], correction=False)
    assert found.statistic == Decimal(float(expected.statistic)).quantize(Decimal("0.0001"))
    assert found.effect == Decimal(math.sqrt(expected.statistic / 2000)).quantize(Decimal("0.0001"))
    assert found.outcome == "drifted"
    assert one(before, before[::-1], categories=True).outcome == "stable"
    assert one(["a"] * 200, ["a"] * 300, categories=True).outcome == "stable"


def test_many_categories_are_kept_apart_as_far_as_they_can_be_shown() -> None:
    before = [str(n % 50) for n in range(1000)]
    found = one(before, before, categories=True)
    assert (len(found.spread), found.spread[-1][0]) == (31, "(others)")


def test_too_few_values_are_unknown_and_never_stable() -> None:
    assert one([1.0] * 99, [1.0] * 500).outcome == "unknown"
    assert one([], [], categories=True).outcome == "unknown"
    assert one([float("nan")] * 500, [1.0] * 500).outcome == "unknown"


def test_one_value_throughout_is_stable_and_another_one_is_not() -> None:
    assert one([5.0] * 200, [5.0] * 200).outcome == "stable"
    assert one([5.0] * 200, [9.0] * 200).outcome == "drifted"


def test_looking_at_many_features_raises_few_false_alarms() -> None:
    chance = np.random.default_rng(3)
    given = {f"x{n}": (chance.normal(0, 1, 300), chance.normal(0, 1, 300)) for n in range(60)}
    found = compare(given, {}, psi_max=Decimal("0.01"))  # type: ignore[arg-type]
    assert sum(feature.outcome == "drifted" for feature in found) <= 1
