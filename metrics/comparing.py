"""A run beside the run that it is compared with, as the page shows it: the judge's word, and case by case."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.core.cache import cache
from django.db.models import QuerySet

from audit.canonical import digest_bytes
from metrics import exact
from metrics.evaluation import paired_cases
from metrics.judges.evaluation import EvaluationBars, EvaluationVerdict, judge
from metrics.judges.paired import MetricVerdict
from metrics.models import CaseResult, EvaluationRun
from systems.metric_bars import parse_metrics
from systems.models import ReleasePolicy, System
from systems.policy import SHIPPED_RELEASE_BARS, ReleaseBars, release_bars

REGRESSED, IMPROVED, ERRORED, ALL = "regressed", "improved", "errored", "all"
LOST, MUST_PASS = "lost", "must-pass"
SHOWN = {
    MUST_PASS: "Must pass, failed",
    LOST: "Passed before, fail now",
    REGRESSED: "Regressions",
    IMPROVED: "Improvements",
    ERRORED: "Errors",
    ALL: "All cases",
}
_KEPT = 3600


@dataclass(frozen=True)
class CaseRow:
    case_id: str
    before: str | None
    after: str | None
    status: str
    error: str
    tags: list[str]
    output_before: str
    output_after: str


def bars_in_force(system: System) -> ReleaseBars:
    """The release policy that a release opened now would pin."""
    policy = ReleasePolicy.objects.filter(system=system, state=ReleasePolicy.State.APPROVED).first()
    return release_bars(policy.body) if policy else SHIPPED_RELEASE_BARS


def others(run: EvaluationRun) -> QuerySet[EvaluationRun]:
    """Runs that it can be compared with: of other releases, on the same dataset, by the same tool."""
    same = EvaluationRun.objects.filter(system=run.system, dataset_hash=run.dataset_hash, tool=run.tool)
    return same.exclude(release_label=run.release_label).order_by("-created_at", "-id")


def usual_baseline(run: EvaluationRun) -> EvaluationRun | None:
    """The newest of them that was there before. Which one a release is judged against is said on its own page."""
    return others(run).filter(id__lt=run.id).first()


def compare(run: EvaluationRun, baseline: EvaluationRun | None, bars: ReleaseBars, metric: str) -> EvaluationVerdict:
    """The judge's word; kept for an hour, since runs never change and ten thousand cases take a second.

    A metric that is not the one the policy wants to improve is looked at alone, by the same least improvement.
    """
    if metric != main_metric(run, bars):
        bars = replace(bars, eval_metrics="")
    key = f"verdict:{run.pk}:{baseline and baseline.pk}:{metric}:{EvaluationBars.of(bars)}"
    name = digest_bytes(key.encode())
    found: EvaluationVerdict | None = cache.get(name)
    if found is None:
        found = judge(paired_cases(run, metric), paired_cases(baseline, metric) if baseline else None, bars)
        cache.set(name, found, _KEPT)
    return found


def main_metric(run: EvaluationRun, bars: ReleaseBars) -> str:
    """The metric that must improve: the policy's first, or the tool's own headline."""
    named = parse_metrics(bars.eval_metrics)
    return named[0].name if named and named[0].name in run.metrics else run.metric


def chosen_cases(run: EvaluationRun, verdict: EvaluationVerdict, show: str) -> QuerySet[CaseResult]:
    cases = run.results.all()
    if show == MUST_PASS:
        return cases.filter(case_id__in=verdict.must_pass_failed)
    if show == LOST:
        return cases.filter(case_id__in=verdict.lost)
    if show == REGRESSED:
        return cases.filter(case_id__in=verdict.regressed)
    if show == IMPROVED:
        return cases.filter(case_id__in=verdict.improved)
    if show == ERRORED:
        return cases.filter(errored=True)
    return cases


def case_rows(cases: list[CaseResult], baseline: EvaluationRun | None, metric: str) -> list[CaseRow]:
    before: Mapping[str, CaseResult] = {}
    if baseline:
        found = baseline.results.filter(case_id__in=[case.case_id for case in cases])
        before = {case.case_id: case for case in found}
    return [_row(case, before.get(case.case_id), metric) for case in cases]


def _row(case: CaseResult, before: CaseResult | None, metric: str) -> CaseRow:
    after_score, before_score = _score(case, metric), _score(before, metric)
    status = "ok"
    if case.errored and after_score is None:
        status = ERRORED
    elif after_score is not None and before_score is not None and after_score != before_score:
        status = REGRESSED if after_score < before_score else IMPROVED
    return CaseRow(
        case_id=case.case_id,
        before=shown(before_score),
        after=shown(after_score),
        status=status,
        error=case.error,
        tags=case.tags,
        output_before=before.output if before else "",
        output_after=case.output,
    )


def _score(case: CaseResult | None, metric: str) -> Fraction | None:
    text = case.scores.get(metric) if case else None
    return None if text is None else exact.parse(text)


def shown(score: Fraction | None) -> str | None:
    return None if score is None else format(exact.decimal(score, 4), "f")


def metric_rows(run: EvaluationRun, baseline: EvaluationRun | None, verdict: EvaluationVerdict) -> list[dict[str, Any]]:
    """Every metric of the run, those that the policy judges with the judge's word."""
    judged = {one.metric: one for one in verdict.metrics}
    rows = [_metric_row(name, run, baseline, judged.pop(name, None)) for name in run.metrics]
    rows += [
        {
            "name": name,
            "mean": None if one.candidate_score is None else format(one.candidate_score, "f"),
            "change": _signed(one.delta),
            "relative": None,
            "judged": one,
            "derived": True,
        }
        for name, one in judged.items()
    ]
    return rows


def _metric_row(
    name: str, run: EvaluationRun, baseline: EvaluationRun | None, judged: MetricVerdict | None
) -> dict[str, Any]:
    summary = run.metrics[name]
    mine = exact.parse(summary["mean"])
    other = baseline.metrics.get(name) if baseline else None
    theirs = exact.parse(other["mean"]) if other else None
    change = None if theirs is None else exact.decimal(mine - theirs, 4)
    return {
        "name": name,
        "mean": shown(mine),
        "before": shown(theirs),
        "change": _signed(change),
        "relative": _relative(mine, theirs),
        "cases": summary["cases"],
        "errored": summary["errored"],
        "judged": judged,
    }


def _signed(change: Decimal | None) -> str | None:
    if change is None:
        return None
    return ("+" if change > 0 else "") + format(change.quantize(Decimal("0.0001")).normalize() + 0, "f")


def _relative(mine: Fraction, theirs: Fraction | None) -> str | None:
    if not theirs:
        return None
    return f"{float((mine - theirs) / abs(theirs)) * 100:+.1f} %"


def changes(run: EvaluationRun, baseline: EvaluationRun | None, metric: str) -> list[float]:
    """By how much each case moved; those without a number on either side are left out."""
    if baseline is None:
        return []
    key = digest_bytes(f"changes:{run.pk}:{baseline.pk}:{metric}".encode())
    kept: list[float] | None = cache.get(key)
    if kept is None:
        kept = _changes(run, baseline, metric)
        cache.set(key, kept, _KEPT)
    return kept


def _changes(run: EvaluationRun, baseline: EvaluationRun, metric: str) -> list[float]:
    before = dict(baseline.results.values_list("case_id", "scores"))
    found = []
    for case_id, scores in run.results.values_list("case_id", "scores"):
        mine, theirs = scores.get(metric), before.get(case_id, {}).get(metric)
        if mine is not None and theirs is not None:
            found.append(float(exact.parse(mine) - exact.parse(theirs)))
    return found
