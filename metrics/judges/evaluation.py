"""Is the candidate good enough? A pure judgement over two runs of the same cases.

Bars are compared in exact fractions: in binary floats 0.12 is less than 0.10 + 0.02. What cannot be decided is
`inconclusive`, which blocks as `fail` does; there is no way from missing numbers to a pass. Everything that the policy
asks for must hold at once: the metric that must improve, the bars of the others, and the cases that decide alone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np

from metrics import exact
from metrics.judges import paired, required, resampling
from metrics.judges.paired import FAIL, INCONCLUSIVE, PASS, MetricVerdict, Pairs
from metrics.judges.scores import Case, Run, names, outward, show, worst
from metrics.judges.several import judge_all
from systems.metric_bars import OVERALL, MetricBar, parse_metrics
from systems.policy import ReleaseBars

__all__ = ["FAIL", "INCONCLUSIVE", "PASS", "Case", "EvaluationBars", "EvaluationVerdict", "Run", "judge"]


@dataclass(frozen=True)
class EvaluationBars:
    """`min_delta` may be negative: then it is a margin of non-inferiority. `bar` is `point` or `lower`.

    `metrics`: bars of single metrics, the one that must improve first; empty: the run's own metric alone.
    """

    min_delta: Decimal
    min_score: Decimal
    bar: str
    min_cases: int
    metrics: tuple[MetricBar, ...] = ()
    must_pass: str = ""
    case_regressions: str = "allowed"
    correction: str = "holm"
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
            metrics=parse_metrics(policy.eval_metrics),
            must_pass=policy.eval_must_pass,
            case_regressions=policy.eval_case_regressions,
            correction=policy.eval_correction,
        )

    @property
    def strict(self) -> bool:
        return self.bar == "lower"


@dataclass(frozen=True)
class EvaluationVerdict:
    """`reasons` say why it is not a pass; `notes` what a reader of a pass should know. Scores are means over cases.

    The numbers are those of the metric that must improve; `metrics` has all that the policy judges. `must_pass_failed`
    and `lost` are cases: those that the policy requires, and those that passed before.
    """

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
    relative: Decimal | None = None
    metrics: tuple[MetricVerdict, ...] = ()
    must_pass_failed: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()


def judge(candidate: Run, baseline: Run | None, bars: EvaluationBars | ReleaseBars) -> EvaluationVerdict:
    if isinstance(bars, ReleaseBars):
        bars = EvaluationBars.of(bars)
    candidate = _about(candidate, bars)
    baseline = _about(baseline, bars) if baseline else None
    errored = tuple(case.case_id for case in candidate.cases if case.score is None)
    notes = []
    if errored:
        ended = "case ended in an error or without a number and counts" if len(errored) == 1 else (
            "cases ended in an error or without a number and count"
        )  # fmt: skip
        notes.append(f"{len(errored)} {ended} as failed: {names(errored)}.")
    start = EvaluationVerdict(INCONCLUSIVE, (), tuple(notes), candidate.metric, len(candidate.cases), errored)
    pairs = paired.pair(candidate, baseline) if baseline else []
    unfit = _unfit(candidate, baseline, bars) + (pairs if isinstance(pairs, list) else [])
    if unfit:
        return replace(start, reasons=tuple(unfit))
    if baseline is None or isinstance(pairs, list):
        verdict = _absolute(start, candidate, bars)
    else:
        verdict = _paired(start, pairs, candidate, baseline, bars)
    return _single_cases(verdict, candidate, baseline, bars)


def _about(run: Run, bars: EvaluationBars) -> Run:
    """The run seen from the metric that the policy wants to improve; as it is where the policy names none."""
    wanted = bars.metrics[0].name if bars.metrics else run.metric
    chosen = next((other for other in run.others if other.metric == wanted), None)
    if chosen is None:
        return run
    rest = tuple(other for other in run.others if other is not chosen)
    return replace(chosen, others=(replace(run, others=()), *rest))


def _metric(run: Run, name: str) -> Run | None:
    return next((one for one in (run, *run.others) if one.metric == name), None)


def _unfit(candidate: Run, baseline: Run | None, bars: EvaluationBars) -> list[str]:
    """Why the runs cannot be judged at all. Everything wrong is named at once."""
    reasons = []
    for run, who in ((candidate, "The candidate's run"), (baseline, "The baseline's run")):
        if run is None:
            continue
        twice = [name for name, count in Counter(case.case_id for case in run.cases).items() if count > 1]
        if twice:
            reasons.append(f"{who} has cases more than once: {names(twice)}.")
        if any(
            isinstance(c.score, Decimal) and not c.score.is_finite() for one in (run, *run.others) for c in one.cases
        ):
            reasons.append(f"{who} has scores that are not finite numbers.")
        lacking = [bar.name for bar in bars.metrics if bar.name != OVERALL and _metric(run, bar.name) is None]
        reasons += [f"{who} has no metric {name}, which the policy judges." for name in lacking]
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
    return reasons


def _absolute(start: EvaluationVerdict, candidate: Run, bars: EvaluationBars) -> EvaluationVerdict:
    """The first release of a system: no baseline, so a least score per metric. Never a pass for want of a baseline."""
    named = {bar.name: bar for bar in bars.metrics}
    reasons: list[str] = []
    found = []
    for run in (candidate, *candidate.others):
        bar = named.get(run.metric, MetricBar(run.metric))
        mean, low, high = _mean(run, bars, down=bar.down)
        wrong = _below(run.metric, mean, low, high, bar, bars)
        reasons += wrong
        found.append(
            MetricVerdict(
                run.metric,
                FAIL if wrong else PASS,
                tuple(wrong),
                bar.down,
                bar.weight,
                len(run.cases),
                sum(case.score is None for case in run.cases),
                candidate_score=exact.decimal(mean),
                lower=low,
                upper=high,
            )
        )
    return replace(
        start,
        outcome=FAIL if reasons else PASS,
        reasons=tuple(reasons),
        candidate_score=found[0].candidate_score,
        lower=found[0].lower,
        upper=found[0].upper,
        metrics=tuple(found),
    )


def _below(metric: str, mean: Fraction, low: Decimal, high: Decimal, bar: MetricBar, bars: EvaluationBars) -> list[str]:
    """Why the score of a first release is not good enough, by the metric's own bar or the policy's for all."""
    if bar.down and bar.most is not None:
        judged = Fraction(high) if bars.strict else mean
        if judged > Fraction(bar.most):
            return [f"There is no baseline yet, and {metric} is {show(judged)}; at most {bar.most} is tolerated."]
        return []
    least = bar.least if bar.least is not None else bars.min_score
    if (Fraction(low) if bars.strict else mean) >= Fraction(least):
        return []
    shown = f"{show(mean)}, with a lower end of {show(Fraction(low))}," if bars.strict else show(mean)
    return [f"There is no baseline yet, and {metric} is {shown} below the least score of {least}."]


def _mean(run: Run, bars: EvaluationBars, *, down: bool) -> tuple[Fraction, Decimal, Decimal]:
    """The mean with failed cases at the worst score, and its interval."""
    known = [Fraction(case.score) for case in run.cases if case.score is not None]
    failed = max([Fraction(1), *known]) if down else worst(run)
    scores = [failed if case.score is None else Fraction(case.score) for case in run.cases]
    low, high = resampling.bootstrap_interval(
        np.array([float(score) for score in scores]),
        confidence=float(bars.confidence),
        resamples=bars.resamples,
        seed=bars.seed,
        spread=float(max(scores) - min(scores)) or 1.0,
    )
    return sum(scores, Fraction(0)) / len(scores), *outward(low, high)


def _paired(
    start: EvaluationVerdict, pairs: Pairs, candidate: Run, baseline: Run, bars: EvaluationBars
) -> EvaluationVerdict:
    """Case by case, so that easy and hard cases cancel out and only the change remains."""
    found, unknown = judge_all(pairs, candidate, baseline, bars)
    main = found[0]
    notes = list(start.notes)
    if main.outcome == PASS and (main.smallest_detectable or 0) > abs(bars.min_delta):
        notes.append(
            f"With these {main.cases} cases a change below {main.smallest_detectable} cannot be told from chance; "
            f"the bar is {bars.min_delta}."
        )
    moved = list(zip(pairs.names, pairs.differences, strict=True))
    return replace(
        start,
        outcome=_worst_of(found, unknown),
        reasons=tuple([reason for one in found for reason in one.reasons] + unknown),
        notes=tuple(notes),
        candidate_score=main.candidate_score,
        baseline_score=main.baseline_score,
        delta=main.delta,
        relative=main.relative,
        lower=main.lower,
        upper=main.upper,
        p_value=main.p_value,
        smallest_detectable=main.smallest_detectable,
        regressed=tuple(name for name, change in moved if change < 0),
        improved=tuple(name for name, change in moved if change > 0),
        metrics=tuple(found),
    )


def _worst_of(found: Sequence[MetricVerdict], unknown: Sequence[str]) -> str:
    outcomes = {one.outcome for one in found}
    if FAIL in outcomes:
        return FAIL
    return INCONCLUSIVE if unknown or outcomes != {PASS} else PASS


def _single_cases(
    verdict: EvaluationVerdict, candidate: Run, baseline: Run | None, bars: EvaluationBars
) -> EvaluationVerdict:
    """What the policy asks of single cases. Worse only: nothing here turns a refusal into a pass."""
    least = Fraction(bars.min_score)
    reasons, unknown, failed = required.missed(candidate, bars.must_pass, least)
    lost = required.lost(candidate, baseline, least) if baseline else ()
    if lost and bars.case_regressions != "allowed":
        reasons.append(f"{len(lost)} cases that the live release passes fail now: {names(lost)}.")
    outcome = FAIL if reasons else verdict.outcome
    if unknown and outcome == PASS:
        outcome = INCONCLUSIVE
    return replace(
        verdict,
        outcome=outcome,
        reasons=(*reasons, *verdict.reasons, *unknown),
        must_pass_failed=failed,
        lost=lost,
    )
