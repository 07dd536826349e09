"""MLflow: what a real 3.17.2 server answered (tests/samples/mlflow), and servers that answer badly."""

import json
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from metrics.connecting import read_file, try_connection
from metrics.connectors import mlflow
from metrics.models import Source
from metrics.problems import Invalid, SourceFailed, Unreadable
from tests.metrics import hostile
from tests.metrics.samples import BASELINE, BETTER, DATASET_HASH, FOLDER, WORSE
from tests.metrics.scene import NOW

SERVER = FOLDER / "mlflow" / "3.17.2"


def document(label: str = BETTER) -> Any:
    return json.loads((SERVER / f"{label}.json").read_text())


def packed(found: Any) -> bytes:
    return json.dumps(found).encode()


@pytest.mark.parametrize(("label", "right"), [(BASELINE, 32), (BETTER, 37)])
def test_a_run_is_read_with_its_traces_as_cases(label: str, right: int) -> None:
    answer = mlflow.parse(packed(document(label)))
    assert (answer.tool_version, answer.metric, len(answer.cases)) == ("3.17.2", "correct", 40)
    assert (answer.claims.release, answer.claims.dataset_hash) == (label, DATASET_HASH)
    assert sum((case.scores["correct"] or Fraction(0) for case in answer.cases), Fraction(0)) == right
    assert all(case.tags for case in answer.cases)
    assert answer.finished_at is not None


def test_a_trace_that_ended_in_an_error_has_no_number_although_mlflow_scored_it() -> None:
    found = document(WORSE)
    (errored,) = [trace for trace in found["traces"] if trace["state"] == "ERROR"]
    assert [one["feedback"]["value"] for one in errored["assessments"] if one["assessment_name"] == "correct"] == [
        False
    ]
    failed = {case.case_id: case.error for case in mlflow.parse(packed(found)).cases if case.errored}
    assert failed == {"terse-004": "the trace ended as ERROR", "mobile-005": "no source to compare with"}


def test_the_metric_that_is_judged_does_not_depend_on_the_order_of_the_answer() -> None:
    found = document()
    for trace in found["traces"]:
        trace["assessments"].reverse()
    assert mlflow.parse(packed(found)).metric == "correct"
    assert mlflow.parse(packed({**found, "metric": "grounded"})).metric == "grounded"


def without_a_trace(found: Any) -> None:
    found["traces"].pop()


def twice(found: Any) -> None:
    found["traces"][1]["tags"]["case_id"] = found["traces"][0]["tags"]["case_id"]


def unnamed(found: Any) -> None:
    del found["traces"][0]["tags"]["case_id"]


def unscored(found: Any) -> None:
    for trace in found["traces"]:
        trace["assessments"] = []


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (without_a_trace, "made on 40 cases and has 39 traces"),
        (twice, "twice"),
        (unnamed, "without the tag case_id"),
        (unscored, "no assessed traces"),
        (lambda found: found.pop("run"), "lacks run"),
        (lambda found: found["traces"].clear(), "no assessed traces"),
    ],
)
def test_what_does_not_add_up_is_refused_with_the_numbers(spoil: Callable[[Any], Any], reason: str) -> None:
    found = document()
    spoil(found)
    with pytest.raises(Unreadable, match=reason):
        mlflow.parse(packed(found))


def test_dropped_assessments_leave_a_case_without_a_number() -> None:
    """MLflow drops all assessments of a trace that has one NaN."""
    found = document()
    found["traces"][0]["assessments"] = []
    answer = mlflow.parse(packed(found))
    assert [case.case_id for case in answer.cases if case.errored] == [found["traces"][0]["tags"]["case_id"]]


@pytest.mark.django_db
def test_a_server_that_does_not_answer_as_mlflow_would_is_said_in_words(
    make_source: Callable[..., Source], settings: Any
) -> None:
    for body, said in ((b"<html>", "not whole JSON"), (b"{}", "lacks experiment.experiment_id")):
        with hostile.serving(hostile.plain(body)) as port:
            settings.EGRESS_ALLOW = [f"127.0.0.1:{port}"]
            source = make_source("mlflow", url=f"http://127.0.0.1:{port}", experiment="support-assistant")
            (finding,) = try_connection(source, now=NOW)
            assert not finding.ok
            assert said in finding.sentence
            with pytest.raises((Unreadable, SourceFailed)):
                read_file(source, release_label=BETTER)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"url": "http://mlflow.test"}, "needs its experiment"),
        ({"experiment": "x"}, "needs its url"),
        ({"url": "http://10.0.0.1", "experiment": "x", "token": "y"}, "no setting token"),
    ],
)
def test_settings_that_cannot_work_are_refused(config: dict[str, str], reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        mlflow.check_config(config)
