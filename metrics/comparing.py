"""A run beside the run that it is compared with, as the page shows it: the judge's word, and case by case."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from django.core.cache import cache
from django.db.models import QuerySet

from audit.canonical import digest_bytes
from metrics import exact
from metrics.evaluation import paired_cases
from metrics.judges.evaluation import EvaluationBars, EvaluationVerdict, judge
from metrics.models import CaseResult, EvaluationRun
from systems.models import ReleasePolicy, System
from systems.policy import SHIPPED_RELEASE_BARS, ReleaseBars, release_bars

REGRESSED, IMPROVED, ERRORED, ALL = "regressed", "improved", "errored", "all"
SHOWN = {REGRESSED: "Regressions", IMPROVED: "Improvements", ERRORED: "Errors", ALL: "All cases"}
_KEPT = 3600


@dataclass(frozen=True)
class CaseRow:
    case_id: str
    before: str | None
    after: str | None
    status: str
    error: str
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
    """The judge's word; kept for an hour, since runs never change and ten thousand cases take a second."""
    key = f"verdict:{run.pk}:{baseline and baseline.pk}:{metric}:{EvaluationBars.of(bars)}"
    name = digest_bytes(key.encode())
    found: EvaluationVerdict | None = cache.get(name)
    if found is None:
        found = judge(paired_cases(run, metric), paired_cases(baseline, metric) if baseline else None, bars)
        cache.set(name, found, _KEPT)
    return found


def chosen_cases(run: EvaluationRun, verdict: EvaluationVerdict, show: str) -> QuerySet[CaseResult]:
    cases = run.results.all()
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
        output_before=before.output if before else "",
        output_after=case.output,
    )


def _score(case: CaseResult | None, metric: str) -> Fraction | None:
    text = case.scores.get(metric) if case else None
    return None if text is None else exact.parse(text)


def shown(score: Fraction | None) -> str | None:
    return None if score is None else format(exact.decimal(score, 4), "f")


def metric_rows(run: EvaluationRun, baseline: EvaluationRun | None) -> list[dict[str, Any]]:
    rows = []
    for name, summary in run.metrics.items():
        mine = exact.parse(summary["mean"])
        other = baseline.metrics.get(name) if baseline else None
        theirs = exact.parse(other["mean"]) if other else None
        change = None if theirs is None else mine - theirs
        rows.append(
            {
                "name": name,
                "mean": shown(mine),
                "before": shown(theirs),
                "change": None if change is None else ("+" if change > 0 else "") + str(shown(change)),
                "cases": summary["cases"],
                "errored": summary["errored"],
            }
        )
    return rows


def interval_figure(verdict: EvaluationVerdict, bars: ReleaseBars) -> dict[str, Any] | None:
    """The change with its interval, zero and the bar. Without a baseline: the score and the least score."""
    paired = verdict.delta is not None
    value = verdict.delta if paired else verdict.candidate_score
    if value is None or verdict.lower is None or verdict.upper is None:
        return None
    asked = bars.eval_min_delta if paired else bars.eval_min_score
    marks = [(float(asked), "--bad-solid", "dash")]
    if paired:
        marks.append((0.0, "--control", "dot"))
    label = {"x": float(asked), "text": f"bar {asked}", "font": {"color": "--muted", "size": 12}}
    line = {"yref": "paper", "y0": 0, "y1": 1, "type": "line"}
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "markers",
                "x": [float(value)],
                "y": [verdict.metric],
                "marker": {"size": 11, "color": "--info-solid"},
                "error_x": {
                    "type": "data",
                    "symmetric": False,
                    "array": [float(verdict.upper - value)],
                    "arrayminus": [float(value - verdict.lower)],
                    "color": "--info-solid",
                    "thickness": 2,
                },
                "hovertemplate": "%{x:.4f}<extra></extra>",
            }
        ],
        "layout": {
            "height": 150,
            "showlegend": False,
            "hovermode": "closest",
            "yaxis": {"showgrid": False, "showticklabels": False},
            "xaxis": {"showgrid": True},
            "shapes": [
                {**line, "x0": x, "x1": x, "line": {"color": colour, "width": 1.25, "dash": dash}}
                for x, colour, dash in marks
            ],
            "annotations": [{"yref": "paper", "y": 1, "yanchor": "bottom", "showarrow": False, **label}],
        },
    }


def interval_sentence(verdict: EvaluationVerdict, bars: ReleaseBars) -> str:
    if verdict.delta is not None:
        interval = f"{verdict.lower:+.4f} to {verdict.upper:+.4f}"
        return (
            f"{verdict.metric} changed by {verdict.delta:+.4f}, 95 % interval {interval}; "
            f"the policy asks for {bars.eval_min_delta:+f}."
        )
    if verdict.candidate_score is None:
        return "The runs cannot be compared."
    return (
        f"{verdict.metric} is {verdict.candidate_score:.4f}, 95 % interval {verdict.lower:.4f} to {verdict.upper:.4f}; "
        f"the policy asks for {bars.eval_min_score:f}."
    )
