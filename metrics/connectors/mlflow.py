"""MLflow tracking servers (3.x): the newest finished run that is tagged with the release, and its traces.

What bites: a trace that ended in an error still has scores, which its scorers gave to nothing, so its state counts
before them; a scorer that failed leaves a value of null; and all assessments of a trace are dropped where one was NaN,
so a trace without them has no numbers. What was asked and answered is kept together, as one document of our making.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from urllib.parse import quote

from metrics import egress, exact
from metrics.answers import ERROR_KEPT, OUTPUT_KEPT, CaseAnswer, RunAnswer, claims, tags
from metrics.findings import Finding
from metrics.problems import Invalid, SourceFailed, Unreadable
from metrics.reading import member, optional, read_json

NAME = "mlflow"
WHAT = "The MLflow run"
CASE_TAG = "case_id"
RELEASE_TAG = "readiness.release"
_PAGE = 100
_MOST_PAGES = 500
_LIMITS = egress.Limits(connect=5, read=30, total=60, max_bytes=50 * 1024 * 1024)


def describe() -> str:
    return "An MLflow tracking server: the run tagged with the release, and the assessments of its traces."


def check_config(config: Mapping[str, Any]) -> None:
    if unknown := sorted(set(config) - {"url", "experiment", "case_tag", "metric"}):
        raise Invalid(f"MLflow sources have no setting {', '.join(unknown)}.")
    for name in ("url", "experiment"):
        if not isinstance(config.get(name), str) or not config[name]:
            raise Invalid(f"An MLflow source needs its {name}.")
    egress.check_url(config["url"])


def fetch(config: Mapping[str, Any], *, release_label: str, secret: str) -> tuple[str, bytes]:
    """The newest finished run of the release, with all of its traces."""
    experiment = _experiment(config, secret)
    run = _newest_run(config, experiment, release_label, secret)
    name = str(member(run, "info", "run_id", kind=str, what=WHAT))
    traces = list(_traces(config, experiment, name, secret))
    version = _get(config, "/version", secret).decode("utf-8", "replace").strip()[:60]
    document = {
        "case_tag": config.get("case_tag") or CASE_TAG,
        "metric": config.get("metric") or "",
        "version": version,
        "run": run,
        "traces": traces,
    }
    return f"run {name}", json.dumps(document, default=float, sort_keys=True).encode()


def _experiment(config: Mapping[str, Any], secret: str) -> str:
    query = f"/api/2.0/mlflow/experiments/get-by-name?experiment_name={quote(config['experiment'], safe='')}"
    return str(member(_json(_get(config, query, secret)), "experiment", "experiment_id", kind=str, what="MLflow"))


def _newest_run(config: Mapping[str, Any], experiment: str, release_label: str, secret: str) -> dict[str, Any]:
    if any(sign in release_label for sign in "'\"`\\"):
        raise Invalid(f"The label {release_label!r} cannot stand in a question to MLflow.")
    body = {
        "experiment_ids": [experiment],
        "filter": f"tags.`{RELEASE_TAG}` = '{release_label}' and attributes.status = 'FINISHED'",
        "order_by": ["attributes.end_time DESC"],
        "max_results": 1,
    }
    found = _json(_get(config, "/api/2.0/mlflow/runs/search", secret, body)).get("runs") or []
    if not found:
        raise SourceFailed(f"{config['experiment']} has no finished run tagged {RELEASE_TAG}={release_label}.")
    run: dict[str, Any] = found[0]
    return run


def _traces(config: Mapping[str, Any], experiment: str, run: str, secret: str) -> Iterator[Any]:
    place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    body: dict[str, Any] = {
        "locations": [place],
        "filter": f"request_metadata.`mlflow.sourceRun` = '{run}'",
        "max_results": _PAGE,
    }
    for _ in range(_MOST_PAGES):
        page = _json(_get(config, "/api/3.0/mlflow/traces/search", secret, body))
        yield from page.get("traces") or []
        if not page.get("next_page_token"):
            return
        body["page_token"] = page["next_page_token"]
    raise Unreadable(f"{WHAT} has more than {_PAGE * _MOST_PAGES:,} traces.")


def _get(config: Mapping[str, Any], path: str, secret: str, body: dict[str, Any] | None = None) -> bytes:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {secret}"} if secret else {})
    response = egress.fetch(
        config["url"].rstrip("/") + path,
        method="GET" if body is None else "POST",
        headers=headers,
        content=None if body is None else json.dumps(body).encode(),
        limits=_LIMITS,
    )
    if not response.ok:
        raise SourceFailed(f"MLflow did not answer. {response.problem}")
    return response.body


def _json(raw: bytes) -> dict[str, Any]:
    found = read_json(raw, "The answer of MLflow")
    if not isinstance(found, dict):
        raise Unreadable("The answer of MLflow is not an object.")
    return found


def parse(raw: bytes) -> RunAnswer:
    document = read_json(raw, WHAT)
    run = member(document, "run", kind=dict, what=WHAT)
    about = {str(optional(tag, "key")): optional(tag, "value") for tag in optional(run, "data", "tags") or []}
    traces = member(document, "traces", kind=list, what=WHAT)
    tag = str(document.get("case_tag") or CASE_TAG)
    # Sorted: the server gives assessments in no order, and every run must be judged by the same one.
    names = sorted({name for trace in traces for name, _ in _feedback(trace)})
    if not traces or not names:
        raise Unreadable(f"{WHAT} has no assessed traces.")
    cases: dict[str, CaseAnswer] = {}
    for trace in traces:
        case = _case(trace, tag, names)
        if case.case_id in cases:
            raise Unreadable(f"{WHAT} has {case.case_id} twice: every trace of a run is one case.")
        cases[case.case_id] = case
    _reconcile(run, len(traces))
    wanted = str(document.get("metric") or "")
    return RunAnswer(
        tool=NAME,
        tool_version=str(document.get("version") or "unknown")[:60],
        tool_run_id=str(optional(run, "info", "run_id") or "")[:120],
        task=str(optional(run, "info", "run_name") or "")[:200],
        metric=wanted if wanted in names else names[0],
        claims=claims(about),
        finished_at=_ended(optional(run, "info", "end_time")),
        cases=tuple(cases.values()),
    )


def _reconcile(run: dict[str, Any], traces: int) -> None:
    """The rows of the dataset that the run logged, where it logged one, against its traces."""
    for entry in optional(run, "inputs", "dataset_inputs") or []:
        profile = optional(entry, "dataset", "profile")
        rows = optional(read_json(profile.encode(), "The dataset's profile"), "num_rows") if profile else None
        if isinstance(rows, int) and rows != traces:
            raise Unreadable(f"{WHAT} was made on {rows} cases and has {traces} traces.")


def _feedback(trace: Any) -> Iterator[tuple[str, Any]]:
    """Scores by tools; what people expected beforehand (expectations) is no score."""
    for one in optional(trace, "assessments") or []:
        if "feedback" in one and one.get("valid") is not False:
            yield str(one.get("assessment_name")), one["feedback"]


def _case(trace: Any, tag: str, names: list[str]) -> CaseAnswer:
    name = optional(trace, "tags", tag)
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        raise Unreadable(f"{WHAT} has a trace without the tag {tag}, which names its case.")
    found = dict(_feedback(trace))
    error = "" if optional(trace, "state") == "OK" else f"the trace ended as {optional(trace, 'state')}"
    for feedback in found.values():
        error = error or str(optional(feedback, "error", "error_message") or "")
    return CaseAnswer(
        case_id=name,
        scores={metric: None if error else _score(optional(found.get(metric), "value")) for metric in names},
        passed=None,
        error=error[:ERROR_KEPT],
        repeats=1,
        output=str(optional(trace, "response_preview") or "")[:OUTPUT_KEPT],
        tags=tags(optional(trace, "tags", "tags")),
    )


def _score(value: Any) -> Fraction | None:
    """MLflow's judges answer yes and no."""
    if isinstance(value, str):
        return {"yes": Fraction(1), "no": Fraction(0)}.get(value.lower())
    return exact.read(value)


def _ended(milliseconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def check(config: Mapping[str, Any], *, secret: str) -> list[Finding]:
    """What a person should know before relying on the server."""
    version = _get(config, "/version", secret).decode("utf-8", "replace").strip()[:60]
    findings = [Finding(True, f"MLflow {version} answers.")]
    experiment = _experiment(config, secret)
    body = {"experiment_ids": [experiment], "order_by": ["attributes.end_time DESC"], "max_results": 50}
    runs = _json(_get(config, "/api/2.0/mlflow/runs/search", secret, body)).get("runs") or []
    labels = {
        str(optional(tag, "value"))
        for run in runs
        for tag in optional(run, "data", "tags") or []
        if optional(tag, "key") == RELEASE_TAG
    }
    if labels:
        findings.append(Finding(True, f"{config['experiment']} has runs of {', '.join(sorted(labels)[-5:])}."))
    else:
        findings.append(Finding(False, f"None of its {len(runs)} newest runs is tagged {RELEASE_TAG}."))
    return findings
