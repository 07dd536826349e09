import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.histogram import LAST, add, bin_of, merge, quantile, value_of

P95 = Decimal("0.95")
durations = st.lists(st.integers(1_000, 40_000_000_000), min_size=1, max_size=60)


@given(st.integers(1_000, 43_200_000_000))
def test_a_bins_value_is_within_one_per_cent(duration_us):
    assert float(value_of(bin_of(duration_us))) == pytest.approx(duration_us / 1000, rel=0.0101)


def test_the_ends():
    assert bin_of(0) == bin_of(1_000) == 0
    assert bin_of(10**15) == LAST


@given(durations)
def test_p95_is_within_one_per_cent_of_the_nearest_rank(values):
    histogram = []
    for value in values:
        histogram = add(histogram, bin_of(value), 1)
    exact = sorted(values)[math.ceil(0.95 * len(values)) - 1] / 1000
    found = quantile(histogram, P95)
    assert found is not None
    assert float(found) == pytest.approx(exact, rel=0.0101)


@given(durations, durations)
def test_histograms_add_up(left, right):
    def of(values):
        histogram = []
        for value in values:
            histogram = add(histogram, bin_of(value), 1)
        return histogram

    assert merge([of(left), of(right)]) == of(left + right)


@given(durations)
def test_what_is_taken_out_leaves_nothing_behind(values):
    histogram = []
    for value in values:
        histogram = add(histogram, bin_of(value), 1)
    for value in reversed(values):
        histogram = add(histogram, bin_of(value), -1)
    assert histogram == []


def test_no_requests_have_no_quantile():
    assert quantile([], P95) is None
    assert quantile([0, 0], P95) is None


def test_a_negative_count_is_a_fault():
    with pytest.raises(ValueError, match="bin 3"):
        add([], 3, -1)
