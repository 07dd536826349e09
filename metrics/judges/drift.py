"""Did what goes in, comes out, scores or costs change from one week to the next? Pure.

Numbers: the two-sample Kolmogorov-Smirnov test, whose statistic D is its effect size. Categories: the chi-square test,
with Cramer's V. Both beside the population stability index (PSI), which is what the policy's threshold is about: below
0.1 stable, above 0.2 a shift that matters, by long custom. With many requests everything is significant, so a feature
has drifted only where the index is above the threshold and the test, corrected by Holm over all features, agrees.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from itertools import pairwise

import numpy as np

from metrics.judges.multiplicity import holm

KS, CHI_SQUARE = "Kolmogorov-Smirnov", "chi-square"
LEAST = 100  # so few on either side say nothing
ALPHA = 0.05
_BINS = 10
_FLOOR = 0.0001  # of a share that is empty on one side; the usual way to keep the index finite
_MOST_CATEGORIES = 30
REST = "(others)"


@dataclass(frozen=True)
class Feature:
    """`before` and `after`: how the values are spread, as (label, share before, share after), for the page."""

    name: str
    test: str
    before: int
    after: int
    outcome: str  # drifted | stable | unknown
    sentence: str
    psi: Decimal | None = None
    statistic: Decimal | None = None
    effect: Decimal | None = None  # D of Kolmogorov-Smirnov, V of Cramer: 0 to 1
    p_value: Decimal | None = None
    p_adjusted: Decimal | None = None
    spread: tuple[tuple[str, Decimal, Decimal], ...] = ()


def compare(
    numbers: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    categories: Mapping[str, tuple[Sequence[Hashable], Sequence[Hashable]]],
    *,
    psi_max: Decimal,
    least: int = LEAST,
) -> list[Feature]:
    """One verdict per feature, of values before and after. What has too few values is unknown, never stable."""
    found = [_numbers(name, *sides, least) for name, sides in numbers.items()]
    found += [_categories(name, *sides, least) for name, sides in categories.items()]
    tested = [index for index, one in enumerate(found) if one.p_value is not None]
    adjusted = holm([float(found[index].p_value or 0) for index in tested])
    for index, p_value in zip(tested, adjusted, strict=True):
        found[index] = _judged(replace(found[index], p_adjusted=_up(p_value)), psi_max)
    return found


def _judged(one: Feature, psi_max: Decimal) -> Feature:
    assert one.psi is not None
    assert one.p_adjusted is not None
    drifted = one.psi > psi_max and one.p_adjusted <= Decimal(str(ALPHA))
    lies = "above" if one.psi > psi_max else "within"
    sentence = f"{_begun(one.name)}: stability index {one.psi}, {lies} {psi_max}; effect {one.effect}."
    return replace(one, outcome="drifted" if drifted else "stable", sentence=sentence)


def _begun(name: str) -> str:
    """A name at the beginning of a sentence."""
    return name[:1].upper() + name[1:]


def _unknown(name: str, test: str, before: int, after: int, least: int) -> Feature:
    few = f"{_begun(name)}: {before} and {after} values; {least} on either side are needed."
    return Feature(name, test, before, after, "unknown", few)


def _numbers(name: str, before: Sequence[float], after: Sequence[float], least: int) -> Feature:
    from scipy import stats  # a second of every process's start, for functions that few of them call

    old, new = (np.array([v for v in side if math.isfinite(v)], dtype=float) for side in (before, after))
    if min(len(old), len(new)) < least:
        return _unknown(name, KS, len(old), len(new), least)
    # Edges of tenths of what was before. Values that stand often make fewer, wider bins.
    edges = np.unique(np.quantile(old, np.linspace(0, 1, _BINS + 1)[1:-1]))
    shares = [np.bincount(np.searchsorted(edges, side), minlength=len(edges) + 1) / len(side) for side in (old, new)]
    ends = ["lowest", *(f"{edge:,.4g}" for edge in edges), "highest"]
    labels = [f"{low} to {high}" for low, high in pairwise(ends)]
    test = stats.ks_2samp(old, new, method="asymp")
    return Feature(
        name,
        KS,
        len(old),
        len(new),
        "stable",
        "",
        psi=psi(shares[0], shares[1]),
        statistic=_four(test.statistic),
        effect=_four(test.statistic),
        p_value=_up(float(test.pvalue)),
        spread=_spread(labels, shares[0], shares[1]),
    )


def _categories(name: str, before: Sequence[Hashable], after: Sequence[Hashable], least: int) -> Feature:
    from scipy import stats

    if min(len(before), len(after)) < least:
        return _unknown(name, CHI_SQUARE, len(before), len(after), least)
    old, new = Counter(map(str, before)), Counter(map(str, after))
    kept = [label for label, _ in (old + new).most_common(_MOST_CATEGORIES)]
    table = np.array([[side[label] for label in kept] for side in (old, new)], dtype=float)
    rest = np.array([[len(before)], [len(after)]]) - table.sum(axis=1, keepdims=True)
    if rest.any():
        table, kept = np.hstack([table, rest]), [*kept, REST]
    shares = table / table.sum(axis=1, keepdims=True)
    statistic, p_value, effect = 0.0, 1.0, 0.0
    if len(kept) > 1:
        test = stats.chi2_contingency(table, correction=False)
        statistic, p_value = float(test.statistic), float(test.pvalue)
        effect = math.sqrt(statistic / table.sum())
    return Feature(
        name,
        CHI_SQUARE,
        len(before),
        len(after),
        "stable",
        "",
        psi=psi(shares[0], shares[1]),
        statistic=_four(statistic),
        effect=_four(effect),
        p_value=_up(p_value),
        spread=_spread([label or "(none)" for label in kept], shares[0], shares[1]),
    )


def psi(before: Iterable[float], after: Iterable[float]) -> Decimal:
    """Sum over the bins of (after - before) * ln(after / before)."""
    pairs = [(max(float(b), _FLOOR), max(float(a), _FLOOR)) for b, a in zip(before, after, strict=True)]
    return _four(sum((a - b) * math.log(a / b) for b, a in pairs))


def _spread(
    labels: Sequence[str], before: Iterable[float], after: Iterable[float]
) -> tuple[tuple[str, Decimal, Decimal], ...]:
    return tuple((label[:80], _four(b), _four(a)) for label, b, a in zip(labels, before, after, strict=True))


def _four(value: float) -> Decimal:
    return Decimal(float(value)).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)


def _up(p_value: float) -> Decimal:
    return Decimal(min(1.0, p_value)).quantize(Decimal("0.000001"), ROUND_CEILING)
