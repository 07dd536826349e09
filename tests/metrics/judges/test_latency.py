from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from metrics.judges.latency import Histogram, merge, quantile, slower_than, total

INFINITE = Decimal("Infinity")
TYPICAL: Histogram = (
    (Decimal(0), Decimal(100), 50),
    (Decimal(100), Decimal(1000), 40),
    (Decimal(1000), Decimal(2500), 8),
    (Decimal(2500), INFINITE, 2),
)


def test_quantiles_are_found_in_proportion_as_prometheus_does() -> None:
    assert quantile(TYPICAL, Decimal("0.5")) == 100
    assert quantile(TYPICAL, Decimal("0.9")) == 1000
    assert quantile(TYPICAL, Decimal("0.95")) == Decimal("1937.5")
    assert quantile(TYPICAL, Decimal("0.99")) == 2500  # open range: at least that
    assert quantile((), Decimal("0.95")) is None


def test_slower_than_is_exact_at_a_boundary_and_proportional_inside() -> None:
    assert slower_than(TYPICAL, Decimal(1000)) == 10
    assert slower_than(TYPICAL, Decimal(2000)) == 2 + Decimal(8) / 3
    assert slower_than(TYPICAL, Decimal(9000)) == 2
    assert slower_than((), Decimal(10)) == 0


def test_merging_adds_up_also_across_layouts() -> None:
    other: Histogram = ((Decimal(0), Decimal(100), 1), (Decimal(100), Decimal(400), 3))
    merged = merge([TYPICAL, other])
    assert total(merged) == 104
    assert merged[0] == (Decimal(0), Decimal(100), 51)


ranges = st.lists(st.tuples(st.integers(0, 20), st.integers(1, 50)), max_size=20).map(
    lambda made: tuple((Decimal(low * 100), Decimal(low * 100 + 100), count) for low, count in made)
)


@given(ranges, ranges, st.integers(0, 2200))
def test_slow_requests_add_up_over_windows(one: Histogram, two: Histogram, limit: int) -> None:
    apart = slower_than(one, Decimal(limit)) + slower_than(two, Decimal(limit))
    assert slower_than(merge([one, two]), Decimal(limit)) == apart
