"""Is the candidate good enough? A pure judgement over two runs of the same cases.

Bars are compared in exact fractions: in binary floats 0.12 is less than 0.10 + 0.02. What cannot be decided is
`inconclusive`, which blocks as `fail` does; there is no way from missing numbers to a pass.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

import numpy as np

from metrics import exact
from metrics.judges import resampling
from systems.policy import ReleaseBars

PASS, FAIL, INCONCLUSIVE = "pass", "fail", "inconclusive"
NAMED = 5  # so many cases are named in a sentence; the page lists all


@dataclass(frozen=True)
class Case:
    """`score` is None where the case ended in an error, or its score is missing or not a number."""

    case_id: str
    score: Fraction | Decimal | None


@dataclass(frozen=True)
class Run:
    label: str
    dataset_hash: str
    metric: str
    cases: tuple[Case, ...]
    others: tuple["Run", ...] = ()  # the run's other metrics: the first release must reach its bar in each


@dataclass(frozen=True)
class EvaluationBars:
    """`min_delta` may be negative: then it is a margin of non-inferiority. `bar` is `point` or `lower`."""

    min_delta: Decimal
    min_score: Decimal
    bar: str
    min_cases: int
    confidence: Decimal = Decimal("0.95")
    resamples: int = 10_000
    seed: int = 20_260_101

    @classmethod
    def of(cls, policy: ReleaseBars) -> "EvaluationBars":
        return cls(
            min_delta=policy.eval_min_delta,
            min_score=policy.eval_min_score,
            bar=policy.eval_bar,
            min_cases=policy.eval_min_cases,
        )


@dataclass(frozen=True)
class EvaluationVerdict:
    """`reasons` say why it is not a pass; `notes` what a reader of a pass should know. Scores are means over cases."""

    outcome: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    metric: str
    cases: int
    errored: tuple[str, ...]
    candidate_score: Decimal | None = None
    baseline_score: Decimal | None = None
    delta: Decimal | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    p_value: Decimal | None = None
    smallest_detectable: Decimal | None = None
    regressed: tuple[str, ...] = ()
    improved: tuple[str, ...] = ()


def judge(candidate: Run, baseline: Run | None, bars: EvaluationBars | ReleaseBars) -> EvaluationVerdict:
    if isinstance(bars, ReleaseBars):
        bars = EvaluationBars.of(bars)
    errored = tuple(case.case_id for case in candidate.cases if case.score is None)
    notes = []
    if errored:
        ended = "case ended in an error or without a number and counts" if len(errored) == 1 else (
            "cases ended in an error or without a number and count"
        )  # fmt: skip
        notes.append(f"{len(errored)} {ended} as failed: {_names(errored)}.")
    unfit = _unfit(candidate, baseline, bars)
    if unfit:
        return EvaluationVerdict(
            INCONCLUSIVE, tuple(unfit), tuple(notes), candidate.metric, len(candidate.cases), errored
        )
    if baseline is None:
        return _absolute(candidate, bars, errored, notes)
    return _paired(candidate, baseline, bars, errored, notes)


def _unfit(candidate: Run, baseline: Run | None, bars: EvaluationBars) -> list[str]:
    """Why the runs cannot be judged at all. Everything wrong is named at once."""
    reasons = []
    for run, who in ((candidate, "The candidate's run"), (baseline, "The baseline's run")):
        if run is None:
            continue
        twice = [name for name, count in Counter(case.case_id for case in run.cases).items() if count > 1]
        if twice:
            reasons.append(f"{who} has cases more than once: {_names(twice)}.")
        if any(isinstance(case.score, Decimal) and not case.score.is_finite() for case in run.cases):
            reasons.append(f"{who} has scores that are not finite numbers.")
    if len(candidate.cases) < bars.min_cases:
        reasons.append(f"Not enough cases: {len(candidate.cases)}, and the policy asks for {bars.min_cases}.")
    if bars.bar not in ("point", "lower"):
        reasons.append(f"The policy's bar {bars.bar!r} is unknown.")
    if baseline is None:
        return reasons
    if candidate.metric != baseline.metric:
        reasons.append(f"The candidate has the metric {candidate.metric}, the baseline {baseline.metric}.")
    if not candidate.dataset_hash or candidate.dataset_hash != baseline.dataset_hash:
        reasons.append("Candidate and baseline were not run on the same dataset.")
    mine, theirs = ({case.case_id for case in run.cases} for run in (candidate, baseline))
    if missing := theirs - mine:
        reasons.append(f"{len(missing)} of the baseline's cases are missing: {_names(missing)}.")
    if extra := mine - theirs:
        reasons.append(f"{len(extra)} cases were not run with the baseline: {_names(extra)}.")
    if broken := [case.case_id for case in baseline.cases if case.score is None]:
        # Counting them as failed would lower the bar that the candidate must clear.
        reasons.append(f"The baseline's run has no number for {_names(broken)}: run it again.")
    return reasons


def _absolute(candidate: Run, bars: EvaluationBars, errored: tuple[str, ...], notes: list[str]) -> EvaluationVerdict:
    """The first release of a system: no baseline, so a least score per metric. Never a pass for want of a baseline."""
    reasons = []
    for run in (candidate, *candidate.others):
        mean, low, _ = _mean(run, bars)
        if (mean if bars.bar == "point" else Fraction(low)) < Fraction(bars.min_score):
            shown = (
                _show(mean) if bars.bar == "point" else f"{_show(mean)}, with a lower end of {_show(Fraction(low))},"
            )
            reasons.append(
                f"There is no baseline yet, and {run.metric} is {shown} below the least score of {bars.min_score}."
            )
    mean, low, high = _mean(candidate, bars)
    return EvaluationVerdict(
        FAIL if reasons else PASS,
        tuple(reasons),
        tuple(notes),
        candidate.metric,
        len(candidate.cases),
        errored,
        candidate_score=exact.decimal(mean),
        lower=low,
        upper=high,
    )


def _paired(
    candidate: Run, baseline: Run, bars: EvaluationBars, errored: tuple[str, ...], notes: list[str]
) -> EvaluationVerdict:
    """Case by case, so that easy and hard cases cancel out and only the change remains."""
    worst = min(_worst(candidate), _worst(baseline))
    before = {case.case_id: Fraction(case.score) for case in baseline.cases if case.score is not None}
    after = {case.case_id: worst if case.score is None else Fraction(case.score) for case in candidate.cases}
    names = sorted(after)
    differences = [after[name] - before[name] for name in names]
    count = len(names)
    delta = sum(differences, Fraction(0)) / count
    values = [*before.values(), *after.values()]
    floats = np.array([float(value) for value in differences])
    low, high = resampling.bootstrap_interval(
        floats,
        confidence=float(bars.confidence),
        resamples=bars.resamples,
        seed=bars.seed,
        spread=float(max(values) - min(values)) or 1.0,
    )
    lower, upper = _outward(low, high)
    detectable = Decimal(resampling.smallest_detectable(floats)).quantize(Decimal("0.0001"), ROUND_CEILING)
    outcome, reasons = _decide(candidate.metric, delta, lower, upper, detectable, bars, count)
    if outcome == PASS and detectable > abs(bars.min_delta):
        notes.append(
            f"With these {count} cases a change below {detectable} cannot be told from chance; "
            f"the bar is {bars.min_delta}."
        )
    p_value = resampling.paired_p_value(differences, resamples=bars.resamples, seed=bars.seed)
    return EvaluationVerdict(
        outcome,
        tuple(reasons),
        tuple(notes),
        candidate.metric,
        count,
        errored,
        candidate_score=exact.decimal(sum(after.values(), Fraction(0)) / count),
        baseline_score=exact.decimal(sum(before.values(), Fraction(0)) / count),
        delta=exact.decimal(delta),
        lower=lower,
        upper=upper,
        p_value=Decimal(p_value).quantize(Decimal("0.000001"), ROUND_CEILING),
        smallest_detectable=detectable,
        regressed=tuple(name for name, change in zip(names, differences, strict=True) if change < 0),
        improved=tuple(name for name, change in zip(names, differences, strict=True) if change > 0),
    )


def _decide(
    metric: str, delta: Fraction, lower: Decimal, upper: Decimal, detectable: Decimal, bars: EvaluationBars, count: int
) -> tuple[str, list[str]]:
    bar = Fraction(bars.min_delta)
    asked = f"the policy asks for {_change(bar)}"
    if bars.bar == "point":
        if delta >= bar:
            return PASS, []
        shown = _signed(delta) if _show(delta) != _show(bar) else format(exact.decimal(delta), "+f")
        return FAIL, [f"{metric} changed by {shown} against the baseline, and {asked}."]
    if Fraction(lower) >= bar:
        return PASS, []
    interval = f"{_signed(Fraction(lower))} to {_signed(Fraction(upper))}"
    if Fraction(upper) < bar:
        return FAIL, [f"{metric} changed by {interval} against the baseline, and {asked}."]
    return INCONCLUSIVE, [
        f"Not enough cases: {metric} changed by {interval}, which leaves open whether the bar is met ({asked}). "
        f"These {count} cases can show a change of {detectable} or more."
    ]


def _mean(run: Run, bars: EvaluationBars) -> tuple[Fraction, Decimal, Decimal]:
    """The mean with failed cases at the worst score, and its interval."""
    worst = _worst(run)
    scores = [worst if case.score is None else Fraction(case.score) for case in run.cases]
    low, high = resampling.bootstrap_interval(
        np.array([float(score) for score in scores]),
        confidence=float(bars.confidence),
        resamples=bars.resamples,
        seed=bars.seed,
        spread=float(max(scores) - min(scores)) or 1.0,
    )
    return sum(scores, Fraction(0)) / len(scores), *_outward(low, high)


def _outward(low: float, high: float) -> tuple[Decimal, Decimal]:
    """Rounded so that the interval never gets narrower, and what is compared is what is shown."""
    step = Decimal("0.000001")
    return Decimal(low).quantize(step, ROUND_FLOOR), Decimal(high).quantize(step, ROUND_CEILING)


def _worst(run: Run) -> Fraction:
    """What a failed case scores: 0, or less where the metric goes below."""
    return min([Fraction(0), *(Fraction(case.score) for case in run.cases if case.score is not None)])


def _show(value: Fraction) -> str:
    """Four places, and more where four would show nothing."""
    precise = exact.decimal(value)
    return format((precise.quantize(Decimal("0.0001")) or precise).normalize() + 0, "f")


def _signed(value: Fraction) -> str:
    return ("+" if value > 0 else "") + _show(value)


def _change(bar: Fraction) -> str:
    if bar > 0:
        return f"at least {_show(bar)} more"
    return "no loss" if bar == 0 else f"no more than {_show(-bar)} less"


def _names(cases: Sequence[str] | set[str]) -> str:
    named = sorted(cases)
    rest = len(named) - NAMED
    return ", ".join(named[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
