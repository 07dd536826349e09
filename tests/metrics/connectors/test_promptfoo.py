from fractions import Fraction
from typing import Any

import pytest

from metrics.connectors import promptfoo
from metrics.problems import Unreadable
from tests.metrics.samples import BASELINE, BETTER, DATASET_HASH, PROMPTFOO, WORSE, packed, promptfoo_file


def mean(answer: Any, metric: str) -> Fraction:
    scores = [case.scores[metric] for case in answer.cases if metric in case.scores]
    return sum((score or Fraction(0) for score in scores), Fraction(0)) / len(scores)


@pytest.mark.parametrize(
    ("release", "score", "passed"),
    [
        (BASELINE, Fraction(7, 8), Fraction(32, 40)),
        (BETTER, Fraction(23, 24), Fraction(37, 40)),
        (WORSE, Fraction(23, 40), Fraction(0)),
    ],
)
def test_real_results_are_read_exactly(release: str, score: Fraction, passed: Fraction) -> None:
    answer = promptfoo.parse((PROMPTFOO / f"{release}.json").read_bytes())
    assert (answer.tool, answer.tool_version, answer.metric, len(answer.cases)) == (
        "promptfoo",
        "0.123.1",
        "score",
        40,
    )
    assert (mean(answer, "score"), mean(answer, "pass")) == (score, passed)
    assert (answer.claims.release, answer.claims.dataset_hash) == (release, DATASET_HASH)
    assert answer.claims.pins["model"] == "support-small-2026-09"
    assert answer.finished_at is not None
    assert answer.tool_run_id.startswith("eval-")


def test_a_metric_that_does_not_apply_to_a_case_is_left_out_of_it() -> None:
    answer = promptfoo.parse((PROMPTFOO / f"{BETTER}.json").read_bytes())
    cases = {case.case_id: case for case in answer.cases}
    assert "grounded" not in cases["unknown-019"].scores
    assert set(cases["plain-000"].scores) == {"score", "pass", "correct", "harmless", "grounded"}


def test_a_row_that_was_dropped_for_nan_is_noticed_and_named() -> None:
    with pytest.raises(Unreadable, match="counts 10 results and holds 9: mobile-005 was dropped"):
        promptfoo.parse((PROMPTFOO / "faulty.json").read_bytes())


def test_an_errored_row_has_no_number_and_its_error_is_kept() -> None:
    file = promptfoo_file("faulty.json")
    file["results"]["stats"]["successes"] -= 1  # as if the NaN had not been
    answer = promptfoo.parse(packed(file))
    (case,) = [case for case in answer.cases if case.errored]
    assert (case.case_id, case.error) == ("angry-003", "the model endpoint answered 500")
    assert set(case.scores.values()) == {None}
    assert set(case.scores) == {"score", "pass", "correct", "harmless", "grounded"}


def test_repeats_are_one_case() -> None:
    answer = promptfoo.parse((PROMPTFOO / "repeat.json").read_bytes())
    assert (len(answer.cases), {case.repeats for case in answer.cases}) == (10, {2})


def change(file: Any, **changes: Any) -> Any:
    return {**file, "results": {**file["results"], **changes}}


def without_a_row(file: Any) -> Any:
    del file["results"]["results"][4]
    return file


def with_a_case_twice(file: Any) -> Any:
    rows = file["results"]["results"]
    rows[1]["metadata"]["case_id"] = rows[0]["metadata"]["case_id"]
    return file


def with_a_prettier_row(file: Any) -> Any:
    row = next(row for row in file["results"]["results"] if not row["success"])
    row["success"] = True
    return file


def with_two_prompts(file: Any) -> Any:
    for row in file["results"]["results"][::2]:
        row["promptIdx"] = 1
    return file


def with_a_row_of_another_release(file: Any) -> Any:
    file["results"]["results"][7]["metadata"]["readiness.release"] = "2026.12.1"
    return file


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (without_a_row, "counts 40 results and holds 39: terse-004 was dropped"),
        (with_a_case_twice, "has plain-000 2 times, and it was repeated 1 times"),
        (with_a_prettier_row, "counts 37 successes and holds 38"),
        (with_two_prompts, "compares 2 prompts or providers"),
        (with_a_row_of_another_release, "contradicts itself"),
        (lambda file: change(file, version=2), "results of version 2"),
        (lambda file: change(file, results=[]), "has no rows"),
        (lambda file: change(file, stats={}), "lacks successes"),
        (lambda file: {}, "results of version None"),
        (lambda file: [], "results of version None"),
    ],
)
def test_what_does_not_add_up_is_refused_with_the_numbers(spoil: Any, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        promptfoo.parse(packed(spoil(promptfoo_file())))


@pytest.mark.parametrize("keep", [0.2, 0.7, 0.999])
def test_a_truncated_file_is_refused(keep: float) -> None:
    raw = (PROMPTFOO / f"{BETTER}.json").read_bytes()
    with pytest.raises(Unreadable, match="is not whole JSON"):
        promptfoo.parse(raw[: int(len(raw) * keep)])


def test_without_an_id_a_case_is_known_by_its_place() -> None:
    file = promptfoo_file()
    for row in file["results"]["results"]:
        row["metadata"] = row["testCase"]["metadata"] = {}
        row["vars"] = {}
    assert promptfoo.parse(packed(file)).cases[3].case_id == "test-3"


def test_the_last_result_is_named_where_it_is_the_one_that_is_missing() -> None:
    found = promptfoo_file()
    rows = found["results"]["results"]
    last = max(rows, key=lambda row: row["testIdx"])
    rows.remove(last)
    with pytest.raises(Unreadable, match=f"holds {len(rows)}: {last['vars']['case_id']} was dropped"):
        promptfoo.parse(packed(found))
