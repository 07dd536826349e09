"""A metric that comes as one number per window: did it change between two releases? Pure, seeded, looked at once.

The test is chosen by the kind of metric. A count is a number of events: given all of them, each side's share is that of
its windows (the conditional test of Przyborowski and Wilenski 1940). Proportions and quantiles are compared in place
and in spread by permutation: ranks alone see no spread, and no size. Several tests of one metric are corrected by Holm.
What is no number is left out and counted; too few numbers are `inconclusive`, and nothing at all is never a pass.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

import numpy as np
from numpy.typing import NDArray

from metrics.judges.multiplicity import holm

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
KINDS = ("proportion", "quantile", "count")
DIRECTIONS = ("up", "down", "either")  # the direction that is a harm
LEAST_WINDOWS = 6
_SEED = 20_260_101

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """`effect`: the relative change of mean or spread that decided; None where the baseline's is zero."""

    outcome: str
    sentence: str
    p_value: Decimal = Decimal(1)
    effect: Decimal | None = None
    left_out: int = 0


def compare(
    mine: Sequence[float | int | None],
    theirs: Sequence[float | int | None],
    *,
    kind: str,
    direction: str,
    alpha: float = 0.05,
    least_effect: float = 0.1,
    resamples: int = 10_000,
    spread: bool = True,
) -> Change:
    """`least_effect`: a relative change smaller than this stops nothing, however sure it is. `spread`: False where the
    numbers of one side rest on fewer requests than the other's, and lie further apart for that reason alone."""
    if kind not in KINDS or direction not in DIRECTIONS:
        raise ValueError(f"There is no kind {kind!r} with direction {direction!r}.")
    here, there = _numbers(mine), _numbers(theirs)
    left_out = len(mine) + len(theirs) - len(here) - len(there)
    if min(len(here), len(there)) < LEAST_WINDOWS:
        few = f"Not enough windows: {len(here)} and {len(there)} of {LEAST_WINDOWS} have a number."
        return Change(INCONCLUSIVE, few, left_out=left_out)
    found = _count(here, there, direction) if kind == "count" else _moved(here, there, direction, resamples)
    found = found if spread or kind == "count" else found[:1]
    corrected = holm([p_value for p_value, _, _ in found])
    for adjusted, (_, effect, sentence) in sorted(zip(corrected, found, strict=True), key=lambda pair: pair[0]):
        if adjusted <= alpha and (effect is None or abs(effect) >= least_effect):
            return Change(FAIL, sentence, _up(adjusted), _rounded(effect), left_out)
    smallest = min(corrected)
    if kind == "count" and alpha < smallest <= 2 * alpha and here.sum() != there.sum():
        unsure = f"{found[0][2]} That can still be chance (p = {smallest:.3f})."
        return Change(INCONCLUSIVE, unsure, _up(smallest), left_out=left_out)
    small = (
        f"{found[0][2]} Less than {least_effect * 100:.0f} % apart." if smallest <= alpha else "No change that matters."
    )
    return Change(PASS, small, _up(smallest), left_out=left_out)


def _numbers(values: Sequence[float | int | None]) -> Floats:
    return np.array([float(v) for v in values if v is not None and math.isfinite(v)], dtype=float)


def _count(here: Floats, there: Floats, direction: str) -> list[tuple[float, float | None, str]]:
    from scipy import stats  # a second of every process's start, for functions that few of them call

    mine, theirs = int(here.sum()), int(there.sum())
    sentence = f"{mine} in {len(here)} windows, against {theirs} in {len(there)}."
    sides = {"up": "greater", "down": "less", "either": "two-sided"}
    if mine + theirs == 0:
        return [(1.0, 0.0, sentence)]
    share = len(here) / (len(here) + len(there))
    p_value = float(stats.binomtest(mine, mine + theirs, share, alternative=sides[direction]).pvalue)
    effect = mine / len(here) / (theirs / len(there)) - 1 if theirs else None
    return [(p_value, effect, sentence)]


def _moved(here: Floats, there: Floats, direction: str, resamples: int) -> list[tuple[float, float | None, str]]:
    """The mean in the direction that harms; the spread (mean distance from the own median) whichever way it goes, where
    either way harms, and upwards where one does."""
    generator = np.random.Generator(np.random.PCG64(_SEED))
    place = _permuted(here, there, direction, generator, resamples)
    apart = [np.abs(side - np.median(side)) for side in (here, there)]
    spread = _permuted(apart[0], apart[1], "either" if direction == "either" else "up", generator, resamples)
    pairs = (("mean", place, here, there), ("spread", spread, apart[0], apart[1]))
    return [
        (p, _relative(a.mean(), b.mean()), f"Its {what} is {a.mean():.4g}, against {b.mean():.4g}.")
        for what, p, a, b in pairs
    ]


def _permuted(here: Floats, there: Floats, direction: str, generator: np.random.Generator, resamples: int) -> float:
    """p-value of a difference of means, by dealing the values out anew; never 0 (Phipson and Smyth 2010)."""
    both = np.concatenate([here, there])
    dealt = generator.permuted(np.tile(both, (resamples, 1)), axis=1)
    differences = dealt[:, : len(here)].mean(axis=1) - dealt[:, len(here) :].mean(axis=1)
    observed = here.mean() - there.mean()
    margin = 1e-9 * max(1.0, float(np.abs(both).max()))
    extreme = {
        "up": differences >= observed - margin,
        "down": differences <= observed + margin,
        "either": np.abs(differences) >= abs(observed) - margin,
    }[direction]
    return (int(extreme.sum()) + 1) / (resamples + 1)


def _relative(mine: float, theirs: float) -> float | None:
    return mine / theirs - 1 if theirs else (0.0 if mine == theirs else None)


def _up(p_value: float) -> Decimal:
    return Decimal(min(p_value, 1.0)).quantize(Decimal("0.000001"), ROUND_CEILING)


def _rounded(effect: float | None) -> Decimal | None:
    return None if effect is None else Decimal(effect).quantize(Decimal("0.0001"))
