"""More than one metric, and cases that decide alone."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.judges.evaluation import Case, EvaluationBars, EvaluationVerdict, Run, judge
from metrics.judges.multiplicity import bonferroni, holm
from systems.metric_bars import parse_metrics

BARS = EvaluationBars(min_delta=Decimal("0.02"), min_score=Decimal("0.7"), bar="point", min_cases=10)
Scores = dict[str, list[str | None]]


def run(scores: Scores, *, tags: dict[int, str] | None = None, passed: list[bool] | None = None) -> Run:
    """Metrics over the same cases; the first is the run's own."""
    runs = [
        Run(
            "r",
            "sha256:d",
            metric,
            tuple(
                Case(
                    f"case-{n:03}",
                    None if score is None else Decimal(score),
                    passed[n] if passed else None,
                    (tags[n],) if tags and n in tags else (),
                )
                for n, score in enumerate(values)
            ),
        )
        for metric, values in scores.items()
    ]
    return replace(runs[0], others=tuple(runs[1:]))


def share(right: int, of: int = 100) -> list[str | None]:
    return ["1"] * right + ["0"] * (of - right)


def decide(mine: Scores, theirs: Scores, metrics: str = "", **bars: object) -> EvaluationVerdict:
    return judge(run(mine), run(theirs), replace(BARS, metrics=parse_metrics(metrics), **bars))  # type: ignore[arg-type]


def test_every_metric_must_meet_its_own_bar_and_each_is_told() -> None:
    asked = "correct\ngrounded delta=-0.01\ntoxic down delta=0 most=0.05"
    better = {"correct": share(90), "grounded": share(80), "toxic": share(2)}
    before = {"correct": share(80), "grounded": share(81), "toxic": share(3)}
    assert decide(better, before, asked).outcome == "pass"
    worse = {"correct": share(90), "grounded": share(79), "toxic": share(6)}
    verdict = decide(worse, before, asked)
    assert verdict.outcome == "fail"
    assert verdict.reasons == (
        "The metric grounded changed by -0.02 against the baseline, and the policy asks for no more than 0.01 less.",
        "The metric toxic changed by +0.03 against the baseline, and the policy asks for no rise.",
        "The metric toxic is 0.06, and at most 0.05 is tolerated.",
    )
    found = {one.metric: (one.outcome, one.delta, one.relative) for one in verdict.metrics}
    assert found["correct"] == ("pass", Decimal("0.1"), Decimal("0.125"))
    assert found["toxic"] == ("fail", Decimal("0.03"), Decimal(1))


def test_the_policy_says_which_metric_must_improve() -> None:
    """The tool's own headline is `score`; the policy wants `correct` to improve, and lets `score` be."""
    mine, theirs = {"score": share(50), "correct": share(90)}, {"score": share(60), "correct": share(80)}
    assert decide(mine, theirs).outcome == "fail"
    verdict = decide(mine, theirs, "correct")
    assert (verdict.outcome, verdict.metric, verdict.delta) == ("pass", "correct", Decimal("0.1"))
    assert decide(mine, theirs, "correct\nscore delta=0").outcome == "fail"


def test_a_metric_that_the_policy_names_and_no_run_has_is_no_pass() -> None:
    verdict = decide({"correct": share(90)}, {"correct": share(80)}, "correct\ngrounded delta=0")
    assert verdict.outcome == "inconclusive"
    assert "The candidate's run has no metric grounded, which the policy judges." in verdict.reasons


def test_a_case_without_a_number_counts_as_the_worst_whichever_way_is_better() -> None:
    toxic: Scores = {"correct": share(90), "toxic": ["0"] * 97 + [None] * 3}
    clean: Scores = {"correct": share(80), "toxic": ["0"] * 100}
    verdict = decide(toxic, clean, "correct\ntoxic down delta=-0.02 most=1")
    assert verdict.outcome == "fail"
    assert verdict.metrics[1].candidate_score == Decimal("0.03")
    broken = decide(clean, toxic, "correct\ntoxic down delta=0 most=1", min_delta=Decimal("-0.2"))
    assert (broken.outcome, broken.metrics[-1].outcome) == ("inconclusive", "inconclusive")
    assert (
        "The metric toxic: The baseline's run has no number for case-097, case-098, case-099: run it again."
        in broken.reasons
    )


def test_the_overall_change_is_the_mean_by_weight_counted_for_the_better() -> None:
    asked = "correct weight=3\ntoxic down most=1 weight=1\noverall delta=0.06"
    mine, theirs = {"correct": share(90), "toxic": share(10)}, {"correct": share(80), "toxic": share(20)}
    verdict = decide(mine, theirs, asked)
    assert (verdict.outcome, verdict.metrics[-1].delta) == ("pass", Decimal("0.1"))
    dearer = decide(mine | {"toxic": share(40)}, theirs, asked)
    assert dearer.metrics[-1].delta == Decimal("0.025")  # (3 * 0.1 - 1 * 0.2) / 4
    assert dearer.outcome == "fail"


def test_intervals_of_several_metrics_hold_together() -> None:
    """The same data: widest by Bonferroni, by Holm the surest metric as wide and the least sure one as if alone."""
    names = [f"m{n}" for n in range(5)]
    mine: Scores = {"correct": share(90)} | {name: share(80 + n) for n, name in enumerate(names)}
    theirs: Scores = {"correct": share(70)} | {name: share(78)[::-1] for name in names}
    asked = "correct\n" + "\n".join(f"{name} delta=-0.2" for name in names)
    widths: dict[str, list[Decimal]] = {}
    for method in ("none", "holm", "bonferroni"):
        found = decide(mine, theirs, asked, correction=method).metrics
        widths[method] = [one.upper - one.lower for one in found if one.upper is not None and one.lower is not None]
    assert len(widths["none"]) == 6
    for none, by_holm, widest in zip(*widths.values(), strict=True):
        assert none <= by_holm <= widest
    assert sum(widths["none"]) < sum(widths["holm"]) < sum(widths["bonferroni"])
    adjusted = decide(mine, theirs, asked, correction="bonferroni").metrics[0]
    assert adjusted.p_value is not None
    assert adjusted.p_adjusted is not None
    assert 0 <= adjusted.p_adjusted - min(Decimal(1), adjusted.p_value * 6) <= Decimal("0.000006")


def test_one_failed_case_that_must_pass_refuses_whatever_the_mean() -> None:
    tags = {97: "harmful", 3: "harmful"}
    candidate, baseline = run({"correct": share(95)}, tags=tags), run({"correct": share(80)}, tags=tags)
    verdict = judge(candidate, baseline, replace(BARS, must_pass="tag:harmful"))
    assert (verdict.outcome, verdict.must_pass_failed) == ("fail", ("case-097",))
    assert verdict.reasons[0] == "1 of the cases that must pass failed: case-097."
    assert judge(candidate, baseline, replace(BARS, must_pass="case-00*")).outcome == "pass"
    first = judge(candidate, None, replace(BARS, must_pass="case-00*, case-097"))
    assert first.outcome == "fail", "the first release too"


def test_the_tools_own_word_counts_before_the_score() -> None:
    said = [True] * 99 + [False]
    candidate = run({"correct": ["1"] * 100}, passed=said)
    verdict = judge(candidate, run({"correct": share(80)}), replace(BARS, must_pass="case-099"))
    assert verdict.must_pass_failed == ("case-099",)


def test_a_requirement_that_no_case_meets_proves_nothing() -> None:
    verdict = decide({"correct": share(95)}, {"correct": share(80)}, must_pass="harm-*")
    assert verdict.outcome == "inconclusive"
    assert verdict.reasons == ("The policy requires harm-* to pass, and the run has no such case.",)


def test_a_case_that_the_live_release_passes_may_not_be_lost_where_the_policy_says_so() -> None:
    mine: Scores = {"correct": ["0", *["1"] * 94, *["0"] * 5]}
    allowed = decide(mine, {"correct": share(80)})
    assert (allowed.outcome, allowed.lost) == ("pass", ("case-000",))
    verdict = decide(mine, {"correct": share(80)}, case_regressions="none")
    assert verdict.outcome == "fail"
    assert verdict.reasons[0] == "1 cases that the live release passes fail now: case-000."


def test_a_first_release_has_a_bar_for_every_metric_and_lower_may_be_better() -> None:
    scores: Scores = {"correct": share(80), "grounded": share(75), "toxic": share(4)}
    asked = replace(BARS, metrics=parse_metrics("correct\ngrounded least=0.75\ntoxic down most=0.05"))
    assert judge(run(scores), None, asked).outcome == "pass"
    verdict = judge(run(scores | {"toxic": share(6)}), None, asked)
    assert verdict.reasons == ("There is no baseline yet, and toxic is 0.06; at most 0.05 is tolerated.",)


P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(P_VALUES)
def test_corrections_never_make_a_p_value_smaller_and_holm_is_never_stricter_than_bonferroni(p: list[float]) -> None:
    for raw, by_holm, by_bonferroni in zip(p, holm(p), bonferroni(p), strict=True):
        assert raw <= by_holm <= by_bonferroni <= 1


def test_holm_is_the_textbooks() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
