"""Charts of evaluations: the change with its interval, how the cases moved, the trend over releases."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from metrics import exact
from metrics.judges.evaluation import EvaluationVerdict
from metrics.models import EvaluationRun
from systems.policy import ReleaseBars
from web.figures import Limit, Series, bars, time_series

TREND = 20
LOOKED_AT = 200


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
            f"The metric {verdict.metric} changed by {verdict.delta:+.4f}, 95 % interval {interval}; "
            f"the policy asks for {bars.eval_min_delta:+f}."
        )
    if verdict.candidate_score is None:
        return "The runs cannot be compared."
    return (
        f"The metric {verdict.metric} is {verdict.candidate_score:.4f}, "
        f"95 % interval {verdict.lower:.4f} to {verdict.upper:.4f}; the policy asks for {bars.eval_min_score:f}."
    )


def moves_figure(verdict: EvaluationVerdict, changes: Sequence[float]) -> dict[str, Any] | None:
    """How many cases moved by how much: the mean alone hides that ten got better and eight got worse."""
    if not verdict.regressed and not verdict.improved:
        return None
    counts = Counter(round(change * 10) / 10 for change in changes)
    places = sorted(counts)
    return bars(
        [f"{place:+.1f}" if place else "0" for place in places], [counts[place] for place in places], height=200
    )


def moves_sentence(verdict: EvaluationVerdict) -> str:
    same = verdict.cases - len(verdict.improved) - len(verdict.regressed)
    return (
        f"Of {verdict.cases:,} cases {len(verdict.improved):,} got better, {len(verdict.regressed):,} worse, "
        f"{same:,} stayed as they were."
    )


def trend_rows(runs: Sequence[EvaluationRun], metric: str) -> list[tuple[EvaluationRun, Decimal]]:
    """Runs that have the metric, oldest first, the newest of each release on each dataset."""
    newest: dict[tuple[str, str], EvaluationRun] = {}
    for run in runs:  # newest first
        if metric in run.metrics:
            newest.setdefault((run.release_label, run.dataset_hash), run)
    kept = sorted(newest.values(), key=lambda run: (run.created_at, run.pk))[-TREND:]
    return [(run, exact.decimal(exact.parse(run.metrics[metric]["mean"]), 4)) for run in kept]


def trend_figure(rows: Sequence[tuple[EvaluationRun, Decimal]], metric: str, least: Decimal) -> dict[str, Any] | None:
    """The metric over the releases. A line for each dataset: scores on another golden set are another thing."""
    if len(rows) < 2:
        return None
    lines: dict[str, tuple[list[str], list[Decimal]]] = {}
    for run, score in rows:
        lines.setdefault(run.dataset_hash, ([], []))
        lines[run.dataset_hash][0].append(run.release_label)
        lines[run.dataset_hash][1].append(score)
    series = [
        Series(f"{metric} on dataset {name.removeprefix('sha256:')[:6] or 'unknown'}", *line)
        for name, line in lines.items()
    ]
    figure = time_series(series, limits=[Limit("least score", least)], height=220)
    figure["layout"]["xaxis"] = {"type": "category"}  # 2026.10.4 is a label, and looks like a date
    for line in figure["data"]:
        line["mode"] = "lines+markers"
    return figure
