"""Latency as counts in ranges: it adds up over windows, which percentiles do not. Pure.

A histogram is a sequence of (lower ms, upper ms, requests), ranges without requests left out. The last range of a
Prometheus histogram is open: its upper bound is infinite.
"""

from collections import Counter
from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal

Range = tuple[Decimal, Decimal, int]
Histogram = tuple[Range, ...]


def total(histogram: Histogram) -> int:
    return sum(count for _, _, count in histogram)


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """All requests of all of them. Ranges of different layouts stand side by side."""
    counts: Counter[tuple[Decimal, Decimal]] = Counter()
    for histogram in histograms:
        for lower, upper, count in histogram:
            counts[lower, upper] += count
    return tuple((lower, upper, counts[lower, upper]) for lower, upper in sorted(counts))


def slower_than(histogram: Histogram, limit: Decimal) -> Decimal:
    """How many requests took longer than `limit`.

    A range that contains the limit is divided in proportion, as Prometheus does for quantiles, so the answer need not
    be whole; an open range counts in full. A histogram with a boundary at the limit gives the exact number.
    """
    slow = Decimal(0)
    for lower, upper, count in histogram:
        if lower >= limit or (upper > limit and not upper.is_finite()):
            slow += count
        elif upper > limit:
            slow += count * (upper - limit) / (upper - lower)
    return slow


def quantile(histogram: Histogram, share: Decimal) -> Decimal | None:
    """The duration in ms that `share` of the requests do not exceed, by proportion within its range.

    None without requests. In an open range the answer is its lower bound: "at least that".
    """
    count = total(histogram)
    if count == 0:
        return None
    rank = share * count
    seen = Decimal(0)
    for lower, upper, inside in sorted(histogram, key=lambda item: (item[1], item[0])):
        if inside and seen + inside >= rank:
            if not upper.is_finite():
                return lower
            value = lower + (upper - lower) * (rank - seen) / inside
            return value.quantize(Decimal("0.001"), ROUND_HALF_EVEN)
        seen += inside
    raise AssertionError("a rank within the total is always reached")
