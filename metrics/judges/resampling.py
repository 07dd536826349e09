"""What can be said about a mean of paired differences: interval, p-value, smallest detectable change.

Pure and seeded: the same differences and the same seed give the same numbers on every machine. Only the verdict's
arithmetic is exact (`evaluation.py`); an interval is an estimate, and floats serve it.
"""

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

# Draws are made in slices of this many numbers, so that memory does not grow with cases times resamples.
_SLICE = 4_000_000

Floats = NDArray[np.float64]


def bootstrap_interval(
    differences: Floats, *, confidence: float, resamples: int, seed: int, spread: float
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean (Efron and Tibshirani, An Introduction to the Bootstrap, chapter 13).

    Resampling n cases with replacement is drawing how often each distinct difference occurs: a multinomial draw, which
    is the same distribution and for scores with few distinct values much quicker.

    Where every difference is the same, resampling says "no uncertainty", which is wrong: what never occurred in n cases
    can still occur in a share of 1 - (alpha/2)^(1/n) of all (the exact binomial bound, Clopper and Pearson 1934). The
    interval is then that share of `spread`, the range of the score, to both sides.
    """
    count = len(differences)
    alpha = 1 - confidence
    values, counts = np.unique(differences, return_counts=True)
    if len(values) == 1:
        unseen = (1 - (alpha / 2) ** (1 / count)) * spread
        return float(values[0]) - unseen, float(values[0]) + unseen
    generator = np.random.Generator(np.random.PCG64(seed))
    means = np.empty(resamples)
    if len(values) <= 200:
        step = max(1, _SLICE // len(values))
        for start in range(0, resamples, step):
            size = min(step, resamples - start)
            drawn = generator.multinomial(count, counts / count, size=size)
            means[start : start + size] = drawn @ values / count
    else:
        step = max(1, _SLICE // count)
        for start in range(0, resamples, step):
            size = min(step, resamples - start)
            picked = generator.integers(0, count, size=(size, count), dtype=np.int32)
            means[start : start + size] = differences[picked].mean(axis=1)
    low, high = np.quantile(means, [alpha / 2, 1 - alpha / 2])
    return float(low), float(high)


def paired_p_value(differences: list[Fraction], *, resamples: int, seed: int) -> float:
    """Two-sided p-value of "no difference", by flipping the sign of each case's difference at random.

    Exact where it can be: when all differences that are not zero have one size, as with pass and fail, the flips are
    coin throws (McNemar's exact test). Else `resamples` random flips, counted with the observed one, so that the
    p-value is never 0 and never too small (Phipson and Smyth 2010).
    """
    moved = [value for value in differences if value]
    if not moved:
        return 1.0
    if len({abs(value) for value in moved}) == 1:
        from scipy import stats  # a second of every process's start, for two functions that few of them call

        better = sum(value > 0 for value in moved)
        return float(stats.binomtest(better, len(moved), 0.5).pvalue)
    sizes = np.array([float(value) for value in moved])
    observed = abs(sizes.sum())
    generator = np.random.Generator(np.random.PCG64(seed))
    step = max(1, _SLICE // len(sizes))
    extreme = 0
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        bits = np.frombuffer(generator.bytes(rows * -(-len(sizes) // 8)), dtype=np.uint8).reshape(rows, -1)
        flips = np.unpackbits(bits, axis=1, count=len(sizes)).astype(np.float32)
        # A sum over the flipped ones: sum(s) - 2 * sum(flipped s). The margin takes rounding into account.
        sums = sizes.sum() - 2 * (flips @ sizes.astype(np.float32)).astype(np.float64)
        extreme += int((np.abs(sums) >= observed * (1 - 1e-6) - 1e-9).sum())
    return (extreme + 1) / (resamples + 1)


def smallest_detectable(differences: Floats, *, alpha: float = 0.05, power: float = 0.8) -> float:
    """The change of the mean that so many cases of such scatter find with 80 % power, one-sided at 5 %.

    (z(1 - alpha) + z(power)) * sd / sqrt(n), the textbook formula for a paired mean. Where nothing scattered, the sd of
    a single case that moved is taken: the set has not shown that none would.
    """
    from scipy import stats

    count = len(differences)
    deviation = float(differences.std()) or 1 / math.sqrt(count)
    return float(stats.norm.ppf(1 - alpha) + stats.norm.ppf(power)) * deviation / math.sqrt(count)
