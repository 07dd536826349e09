from fractions import Fraction
from typing import Any

import pytest

from metrics.connectors import inspect_ai
from metrics.problems import Unreadable
from tests.metrics.samples import BASELINE, BETTER, DATASET_HASH, IDENTITY, INSPECT, WORSE, inspect_log, packed


def mean(answer: Any, metric: str) -> Fraction:
    scores = [case.scores[metric] or Fraction(0) for case in answer.cases]
    return sum(scores, Fraction(0)) / len(scores)


@pytest.mark.parametrize(
    ("name", "release", "correct"),
    [
        (f"{BASELINE}.eval", BASELINE, Fraction(32, 40)),
        (f"{BETTER}.eval", BETTER, Fraction(37, 40)),
        (f"{BETTER}.json", BETTER, Fraction(37, 40)),
        (f"{WORSE}.eval", WORSE, Fraction(30, 40)),
    ],
)
def test_real_logs_are_read(name: str, release: str, correct: Fraction) -> None:
    answer = inspect_ai.parse((INSPECT / name).read_bytes())
    assert (answer.tool, answer.tool_version, answer.metric, len(answer.cases)) == (
        "inspect_ai",
        "0.3.285",
        "correct",
        40,
    )
    assert mean(answer, "correct") == correct
    assert answer.claims.release == release
    assert answer.claims.dataset_hash == DATASET_HASH
    assert answer.claims.pins == {
        "model": "support-small-2026-09",
        "prompt_hash": IDENTITY[release]["readiness.prompt_hash"],
    }
    assert answer.finished_at is not None
    first = next(case for case in answer.cases if case.case_id == "plain-000")
    assert first.output.startswith("Refunds are possible within 30 days.")
    assert not any(case.errored for case in answer.cases)


def test_both_formats_tell_the_same() -> None:
    def scores(name: str) -> dict[str, Any]:
        return {case.case_id: case.scores for case in inspect_ai.parse((INSPECT / name).read_bytes()).cases}

    assert scores(f"{BETTER}.eval") == scores(f"{BETTER}.json")


def test_errored_samples_and_nan_scores_have_no_number_although_the_log_says_success() -> None:
    answer = inspect_ai.parse((INSPECT / "faulty-epochs.json").read_bytes())
    assert [case.case_id for case in answer.cases if case.errored] == ["angry-003", "mobile-005"]
    cases = {case.case_id: case for case in answer.cases}
    assert cases["angry-003"].scores == {"correct": None, "grounded": None}
    assert cases["angry-003"].error == "RuntimeError('the model endpoint answered 500')"
    assert cases["mobile-005"].scores == {"correct": Fraction(1), "grounded": None}
    assert {case.repeats for case in answer.cases} == {2}


def test_repeats_are_averaged_within_their_case() -> None:
    log = inspect_log("faulty-epochs.json")
    twice = [sample for sample in log["samples"] if sample["id"] == "plain-000"]
    twice[0]["scores"]["correct"]["value"], twice[0]["scores"]["grounded"]["value"] = "I", 0.25
    answer = inspect_ai.parse(packed(log))
    case = next(case for case in answer.cases if case.case_id == "plain-000")
    assert case.scores == {"correct": Fraction(1, 2), "grounded": Fraction(5, 8)}


def change(log: Any, **changes: Any) -> Any:
    return {**log, **changes}


def without_a_sample(log: Any) -> Any:
    return change(log, samples=log["samples"][1:])


def with_one_twice(log: Any) -> Any:
    return change(log, samples=[*log["samples"][:-1], log["samples"][0]])


def with_hidden_error(log: Any) -> Any:
    log["samples"][0]["error"] = {"message": "gone"}
    return log


def with_a_lost_repeat(log: Any) -> Any:
    """One case has two epochs, all the others one."""
    first, second = log["samples"][:2]
    first["epoch"], first["id"] = 2, second["id"]
    return log


def with_another_case(log: Any) -> Any:
    log["samples"][0]["id"] = "invented"
    return log


def without_scores(log: Any) -> Any:
    for sample in log["samples"]:
        sample["scores"] = None
    return log


def contradicting_itself(log: Any) -> Any:
    log["metadata"] = {"readiness": {"release": "2026.12.1"}}
    return log


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (without_a_sample, "counts 40 samples and holds 39"),
        (with_one_twice, "has angry-003 twice in epoch 1"),
        (with_hidden_error, "counts 40 completed samples and holds 39"),
        (with_a_lost_repeat, "fewer repeats of some cases than of others: angry-023"),
        (with_another_case, "lacks 1 cases of its dataset: angry-003"),
        (without_scores, "has no scores"),
        (contradicting_itself, r"contradicts itself: readiness.release is 2026\.11\.2 and 2026\.12\.1"),
        (lambda log: change(log, version=3), "has version 3; known is version 2"),
        (lambda log: change(log, status="started"), "has the status 'started'"),
        (lambda log: change(log, status="error"), "has the status 'error'"),
        (lambda log: change(log, invalidated=True), "marked as invalidated"),
        (lambda log: change(log, samples="many"), "samples that are not objects"),
        (lambda log: change(log, samples=[{"scores": {"a": {"value": 1}}}]), "without a usable id"),
        (lambda log: change(log, results=None), "lacks results.total_samples"),
        (lambda log: [log], "is not a JSON object"),
    ],
)
def test_what_does_not_add_up_is_refused_with_the_numbers(spoil: Any, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        inspect_ai.parse(packed(spoil(inspect_log())))


@pytest.mark.parametrize("keep", [0.2, 0.7, 0.999])
@pytest.mark.parametrize("name", [f"{BETTER}.eval", f"{BETTER}.json"])
def test_a_truncated_file_is_refused(name: str, keep: float) -> None:
    raw = (INSPECT / name).read_bytes()
    with pytest.raises(Unreadable):
        inspect_ai.parse(raw[: int(len(raw) * keep)])


def test_letters_numbers_and_objects_are_scores() -> None:
    log = inspect_log()
    for position, sample in enumerate(log["samples"]):
        sample["scores"] = {
            "grade": {"value": ["C", "P", "I", "N", "?", 0.5, True, None][position % 8]},
            "parts": {"value": {"style": 0.25, "facts": 1}},
        }
    answer = inspect_ai.parse(packed(log))
    assert [case.scores["grade"] for case in answer.cases[:8]] == [
        1, Fraction(1, 2), 0, 0, None, Fraction(1, 2), 1, None,
    ]  # fmt: skip
    assert answer.cases[0].scores["parts.style"] == Fraction(1, 4)
    assert answer.metric == "grade"
