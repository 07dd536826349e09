"""One metric of two runs, case by case: the change, its interval, and whether it meets its bar. Pure and seeded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

import numpy as np

from metrics import exact
from metrics.judges import resampling
from metrics.judges.scores import Run, change, names, outward, show, signed, worst

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"


@dataclass(frozen=True)
class Bar:
    """`delta` is the least improvement (below zero: a margin of non-inferiority); None: any change is accepted.

    `least` and `most` are absolute. `strict`: the lower end of the interval must reach them, not only the number.
    """

    metric: str
    delta: Fraction | None
    strict: bool
    down: bool = False
    least: Fraction | None = None
    most: Fraction | None = None
    weight: Fraction = Fraction(0)


@dataclass(frozen=True)
class MetricVerdict:
    """`relative` is the change over the baseline's score, None where that is zero. `p_adjusted`: among all metrics."""

    metric: str
    outcome: str
    reasons: tuple[str, ...] = ()
    down: bool = False
    weight: Decimal = Decimal(0)
    cases: int = 0
    errored: int = 0
    candidate_score: Decimal | None = None
    baseline_score: Decimal | None = None
    delta: Decimal | None = None
    relative: Decimal | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    p_value: Decimal | None = None
    p_adjusted: Decimal | None = None
    smallest_detectable: Decimal | None = None


@dataclass(frozen=True)
class Pairs:
    """Cases by name with the score before and after, a failed case of the candidate at the worst score."""

    metric: str
    names: tuple[str, ...]
    before: tuple[Fraction, ...]
    after: tuple[Fraction, ...]
    errored: int
    down: bool = False

    @property
    def differences(self) -> list[Fraction]:
        return [after - before for before, after in zip(self.before, self.after, strict=True)]

    @property
    def gains(self) -> list[Fraction]:
        """Changes for the better, whichever direction that is."""
        return [-value for value in self.differences] if self.down else self.differences


def pair(candidate: Run, baseline: Run, *, down: bool = False) -> Pairs | list[str]:
    """The runs case by case, or why they cannot be paired."""
    reasons = []
    mine, theirs = ({case.case_id for case in run.cases} for run in (candidate, baseline))
    if missing := theirs - mine:
        reasons.append(f"{len(missing)} of the baseline's cases are missing: {names(missing)}.")
    if extra := mine - theirs:
        reasons.append(f"{len(extra)} cases were not run with the baseline: {names(extra)}.")
    if broken := [case.case_id for case in baseline.cases if case.score is None]:
        # Counting them as failed would lower the bar that the candidate must clear.
        reasons.append(f"The baseline's run has no number for {names(broken)}: run it again.")
    if reasons:
        return reasons
    before = {case.case_id: Fraction(case.score) for case in baseline.cases if case.score is not None}
    failed = _worst(candidate, baseline, down=down)
    after = {case.case_id: failed if case.score is None else Fraction(case.score) for case in candidate.cases}
    order = sorted(after)
    return Pairs(
        candidate.metric,
        tuple(order),
        tuple(before[name] for name in order),
        tuple(after[name] for name in order),
        sum(case.score is None for case in candidate.cases),
        down,
    )


def _worst(candidate: Run, baseline: Run, *, down: bool) -> Fraction:
    if not down:
        return min(worst(candidate), worst(baseline))
    known = [Fraction(case.score) for run in (candidate, baseline) for case in run.cases if case.score is not None]
    return max([Fraction(1), *known])


def judge(pairs: Pairs, bar: Bar, *, confidence: float, resamples: int, seed: int) -> MetricVerdict:
    """The change of one metric against its bar. Bars are compared in exact fractions, intervals are estimates."""
    count = len(pairs.names)
    gains = pairs.gains
    gain = sum(gains, Fraction(0)) / count
    values = [*pairs.before, *pairs.after]
    floats = np.array([float(value) for value in gains])
    low, high = resampling.bootstrap_interval(
        floats,
        confidence=confidence,
        resamples=resamples,
        seed=seed,
        spread=float(max(values) - min(values)) or 1.0,
    )
    lower, upper = outward(low, high)
    detectable = Decimal(resampling.smallest_detectable(floats)).quantize(Decimal("0.0001"), ROUND_CEILING)
    outcome, reasons = decide(pairs.metric, gain, lower, upper, detectable, bar, count)
    after, before = (sum(side, Fraction(0)) / count for side in (pairs.after, pairs.before))
    outcome, reasons = _absolute(outcome, reasons, after, bar)
    p_value = resampling.paired_p_value(pairs.differences, resamples=resamples, seed=seed)
    found = MetricVerdict(
        metric=pairs.metric,
        outcome=outcome,
        reasons=tuple(reasons),
        down=pairs.down,
        weight=exact.decimal(bar.weight),
        cases=count,
        errored=pairs.errored,
        candidate_score=exact.decimal(after),
        baseline_score=exact.decimal(before),
        delta=exact.decimal(after - before),
        relative=exact.decimal((after - before) / abs(before), 6) if before else None,
        lower=lower,
        upper=upper,
        p_value=Decimal(p_value).quantize(Decimal("0.000001"), ROUND_CEILING),
        smallest_detectable=detectable,
    )
    return _turned(found) if pairs.down else found


def _turned(found: MetricVerdict) -> MetricVerdict:
    """The interval as the metric itself moves: what was decided on gains is shown as changes."""
    assert found.lower is not None and found.upper is not None
    return replace(found, lower=-found.upper, upper=-found.lower)


def decide(
    metric: str, gain: Fraction, lower: Decimal, upper: Decimal, detectable: Decimal, bar: Bar, count: int
) -> tuple[str, list[str]]:
    """Whether the gain meets the bar. Where lower is better, a gain is a fall, and the words say so."""
    if bar.delta is None:
        return PASS, []
    asked = f"the policy asks for {_asked(bar)}"
    moved = Fraction(-1 if bar.down else 1)
    if not bar.strict:
        if gain >= bar.delta:
            return PASS, []
        shown = signed(gain * moved)
        if show(gain) == show(bar.delta):
            shown = format(exact.decimal(gain * moved), "+f")
        return FAIL, [f"The metric {metric} changed by {shown} against the baseline, and {asked}."]
    if Fraction(lower) >= bar.delta:
        return PASS, []
    ends = sorted((Fraction(lower) * moved, Fraction(upper) * moved))
    interval = f"{signed(ends[0])} to {signed(ends[1])}"
    if Fraction(upper) < bar.delta:
        return FAIL, [f"The metric {metric} changed by {interval} against the baseline, and {asked}."]
    return INCONCLUSIVE, [
        f"Not enough cases: {metric} changed by {interval}, which leaves open whether the bar is met ({asked}). "
        f"These {count} cases can show a change of {detectable} or more."
    ]


def _asked(bar: Bar) -> str:
    delta = bar.delta or Fraction(0)
    if not bar.down:
        return change(delta)
    if delta > 0:
        return f"at least {show(delta)} less"
    return "no rise" if delta == 0 else f"no more than {show(-delta)} more"


def _absolute(outcome: str, reasons: list[str], score: Fraction, bar: Bar) -> tuple[str, list[str]]:
    wrong = outside(bar, score)
    return (FAIL, [*reasons, *wrong]) if wrong else (outcome, reasons)


def outside(bar: Bar, score: Fraction) -> list[str]:
    if bar.least is not None and score < bar.least:
        return [f"The metric {bar.metric} is {show(score)}, below the least score of {show(bar.least)}."]
    if bar.most is not None and score > bar.most:
        return [f"The metric {bar.metric} is {show(score)}, and at most {show(bar.most)} is tolerated."]
    return []


def overall(parts: Sequence[tuple[Pairs, Fraction]]) -> Pairs | list[str]:
    """The weighted mean of several metrics as one metric: every one counted for the better, over the same cases."""
    first = parts[0][0]
    if any(pairs.names != first.names for pairs, _ in parts):
        return ["overall cannot be judged: its metrics were not measured on the same cases."]
    total = sum((weight for _, weight in parts), Fraction(0))

    def mean(side: str, index: int) -> Fraction:
        scores = ((getattr(pairs, side)[index] * (-1 if pairs.down else 1), weight) for pairs, weight in parts)
        return sum((score * weight for score, weight in scores), Fraction(0)) / total

    places = range(len(first.names))
    return Pairs(
        "overall",
        first.names,
        tuple(mean("before", index) for index in places),
        tuple(mean("after", index) for index in places),
        max(pairs.errored for pairs, _ in parts),
    )
