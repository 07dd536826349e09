"""Several metrics of one evaluation, each against its own bar, with intervals that hold together. Pure.

Every bar must be met, so looking at many metrics does not make a pass likelier; it makes it likelier that one of them
moves by chance. The intervals are therefore widened: by Bonferroni each to 1 - alpha/m, by Holm the surest metric to
1 - alpha/m, the next to 1 - alpha/(m-1), and so on (Holm 1979). p-values are adjusted in the same way.
"""

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from typing import Protocol

import numpy as np

from metrics.judges import paired
from metrics.judges.multiplicity import adjusted
from metrics.judges.paired import INCONCLUSIVE, Bar, MetricVerdict, Pairs
from metrics.judges.scores import Run
from systems.metric_bars import OVERALL, MetricBar


class Bars(Protocol):
    @property
    def min_delta(self) -> Decimal: ...
    @property
    def strict(self) -> bool: ...
    @property
    def metrics(self) -> tuple[MetricBar, ...]: ...
    @property
    def correction(self) -> str: ...
    @property
    def confidence(self) -> Decimal: ...
    @property
    def resamples(self) -> int: ...
    @property
    def seed(self) -> int: ...


@dataclass(frozen=True)
class _Judged:
    pairs: Pairs
    bar: Bar

    @property
    def sureness(self) -> float:
        """How many standard errors the gain lies above its bar: which metric Holm looks at first."""
        gains = np.array([float(gain) for gain in self.pairs.gains])
        error = float(gains.std()) / np.sqrt(len(gains)) or 1e-12
        return float((gains.mean() - float(self.bar.delta or 0)) / error)


def judge_all(pairs: Pairs, candidate: Run, baseline: Run, bars: Bars) -> tuple[list[MetricVerdict], list[str]]:
    """The verdict on each metric, the one that must improve (`pairs`) first, and what could not be judged."""
    judged, unknown = _collect(pairs, candidate, baseline, bars)
    alphas = _alphas(judged, bars)
    found = [
        paired.judge(one.pairs, one.bar, confidence=1 - alpha, resamples=bars.resamples, seed=bars.seed)
        for one, alpha in zip(judged, alphas, strict=True)
    ]
    p_values = adjusted([float(one.p_value or 1) for one in found], bars.correction)
    return [
        replace(one, p_adjusted=Decimal(p).quantize(Decimal("0.000001"), ROUND_CEILING))
        for one, p in zip(found, p_values, strict=True)
    ] + _unjudged(unknown), [reason for _, reason in unknown]


def _unjudged(unknown: list[tuple[str, str]]) -> list[MetricVerdict]:
    return [MetricVerdict(name, INCONCLUSIVE) for name, _ in unknown]


def main_bar(metric: str, bars: Bars) -> Bar:
    weight = next((Fraction(bar.weight) for bar in bars.metrics if bar.name == metric), Fraction(0))
    return Bar(metric, Fraction(bars.min_delta), bars.strict, weight=weight)


def _collect(pairs: Pairs, candidate: Run, baseline: Run, bars: Bars) -> tuple[list[_Judged], list[tuple[str, str]]]:
    judged, unknown = [_Judged(pairs, main_bar(candidate.metric, bars))], []
    for bar in bars.metrics[1:]:
        if bar.name == OVERALL:
            continue
        mine, theirs = (_metric(run, bar.name) for run in (candidate, baseline))
        found = paired.pair(mine, theirs, down=bar.down)
        if isinstance(found, Pairs):
            judged.append(_Judged(found, _bar(bar, bars)))
        else:
            unknown += [(bar.name, f"The metric {bar.name}: {reason}") for reason in found]
    if wanted := next((bar for bar in bars.metrics if bar.name == OVERALL), None):
        together = [(one.pairs, one.bar.weight) for one in judged if one.bar.weight]
        none = ["The metric overall cannot be judged: none of its metrics can be."]
        mean = paired.overall(together) if together else none
        if isinstance(mean, Pairs):
            judged.append(_Judged(mean, _bar(wanted, bars)))
        else:
            unknown += [(OVERALL, reason) for reason in mean]
    return judged, unknown


def _metric(run: Run, name: str) -> Run:
    return next(one for one in run.others if one.metric == name)


def _bar(bar: MetricBar, bars: Bars) -> Bar:
    return Bar(
        bar.name,
        None if bar.delta is None else Fraction(bar.delta),
        bars.strict,
        bar.down,
        None if bar.least is None else Fraction(bar.least),
        None if bar.most is None else Fraction(bar.most),
        Fraction(bar.weight),
    )


def _alphas(judged: list[_Judged], bars: Bars) -> list[float]:
    alpha, count = 1 - float(bars.confidence), len(judged)
    if bars.correction == "none" or count == 1:
        return [alpha] * count
    if bars.correction == "bonferroni":
        return [alpha / count] * count
    order = sorted(range(count), key=lambda index: -judged[index].sureness)
    shares = [0.0] * count
    for rank, index in enumerate(order):
        shares[index] = alpha / (count - rank)
    return shares
