"""Latency histograms with log-sized bins: each bin is 2 % wider than the one before, so a quantile is right within 1 %.

(DDSketch, Masson et al. 2019, with gamma = 1.02.) Bin i holds durations in (gamma^(i-1), gamma^i] milliseconds, bin 0
everything up to one. Histograms add up, whatever they were cut by: that is why rollups keep them. Pure.
"""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate

GAMMA = 1.02
_LOG = math.log(GAMMA)
# Half a day; longer requests are counted there.
LAST = math.ceil(math.log(43_200_000) / _LOG)


def bin_of(duration_us: int) -> int:
    milliseconds = duration_us / 1000
    return 0 if milliseconds <= 1 else min(math.ceil(math.log(milliseconds) / _LOG - 1e-9), LAST)


@lru_cache(maxsize=LAST + 1)
def value_of(index: int) -> Decimal:
    """The bin's value in milliseconds, at most 1 % from any duration in it."""
    value = 1.0 if index == 0 else 2 * GAMMA**index / (GAMMA + 1)
    return Decimal(value).quantize(Decimal("0.001"))


def add(histogram: Sequence[int], index: int, count: int) -> list[int]:
    """A histogram with `count` more (or fewer) in one bin. Kept short: bins after the last filled one are left out."""
    result = list(histogram)
    if len(result) <= index:
        result += [0] * (index + 1 - len(result))
    result[index] += count
    if result[index] < 0:
        raise ValueError(f"bin {index} would hold {result[index]} requests")
    while result and result[-1] == 0:
        result.pop()
    return result


def add_all(histogram: Sequence[int], counts: Mapping[int, int]) -> list[int]:
    """`add` for many bins at once."""
    result = list(histogram)
    for index in sorted(counts, reverse=True):
        if len(result) <= index:
            result += [0] * (index + 1 - len(result))
        result[index] += counts[index]
        if result[index] < 0:
            raise ValueError(f"bin {index} would hold {result[index]} requests")
    while result and result[-1] == 0:
        result.pop()
    return result


def merge(histograms: Iterable[Sequence[int]]) -> list[int]:
    result: list[int] = []
    for histogram in histograms:
        if len(histogram) > len(result):
            result += [0] * (len(histogram) - len(result))
        for index, count in enumerate(histogram):
            if count:
                result[index] += count
    return result


def quantile(histogram: Sequence[int], share: Decimal) -> Decimal | None:
    """The smallest bin value that `share` of the requests do not exceed (nearest rank); None without requests."""
    upto = list(accumulate(histogram))
    if not upto or upto[-1] == 0:
        return None
    rank = max(1, math.ceil(share * upto[-1]))
    return value_of(bisect_left(upto, rank))
