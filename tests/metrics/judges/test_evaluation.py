import time
import tracemalloc
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.judges.evaluation import Case, EvaluationBars, EvaluationVerdict, Run, judge
from systems.policy import SHIPPED_RELEASE_BARS

BARS = EvaluationBars(min_delta=Decimal("0.02"), min_score=Decimal("0.7"), bar="point", min_cases=30)
LOWER = replace(BARS, bar="lower")


def run(scores: list[str | None], *, label: str = "candidate", dataset: str = "sha256:d") -> Run:
    cases = (Case(f"case-{n:05}", None if score is None else Decimal(score)) for n, score in enumerate(scores))
    return Run(label, dataset, "correct", tuple(cases))


def share(right: int, of: int) -> list[str | None]:
    return ["1"] * right + ["0"] * (of - right)


def compare(candidate: list[str | None], baseline: list[str | None], bars: EvaluationBars = BARS) -> EvaluationVerdict:
    return judge(run(candidate), run(baseline, label="baseline"), bars)


def test_the_shipped_policy_gives_the_articles_bar() -> None:
    bars = EvaluationBars.of(SHIPPED_RELEASE_BARS)
    assert (bars.min_delta, bars.bar, bars.min_cases) == (Decimal("0.02"), "point", 30)
    assert judge(run(share(72, 100)), run(share(70, 100)), SHIPPED_RELEASE_BARS).outcome == "pass"


@pytest.mark.parametrize("hundredths", range(1, 99))
def test_a_candidate_that_meets_the_bar_exactly_passes(hundredths: int) -> None:
    """In binary floats 18 of these 98 are refused, 0.12 against 0.10 among them."""
    verdict = compare(share(hundredths + 2, 100), share(hundredths, 100))
    assert (verdict.outcome, verdict.delta) == ("pass", Decimal("0.02"))


def test_a_hair_below_the_bar_fails_and_says_by_what() -> None:
    verdict = compare([*share(12, 99), "-0.000001"], share(10, 100))
    assert (verdict.outcome, verdict.delta) == ("fail", Decimal("0.01999999"))
    assert verdict.reasons == (
        "The metric correct changed by +0.01999999 against the baseline, and the policy asks for at least 0.02 more.",
    )


def test_a_negative_bar_is_a_margin_of_non_inferiority() -> None:
    margin = replace(BARS, min_delta=Decimal("-0.01"))
    assert compare(share(79, 100), share(80, 100), margin).outcome == "pass"
    worse = compare(share(78, 100), share(80, 100), margin)
    assert worse.reasons == (
        "The metric correct changed by -0.02 against the baseline, and the policy asks for no more than 0.01 less.",
    )


def test_regressions_and_improvements_are_named_case_by_case() -> None:
    verdict = compare(["0", "1", "1"] * 10, ["1", "0", "1"] * 10)
    assert verdict.delta == 0
    assert verdict.regressed[:2] == ("case-00000", "case-00003")
    assert (len(verdict.regressed), len(verdict.improved)) == (10, 10)


def test_errored_cases_of_the_candidate_count_as_failed_and_are_named() -> None:
    candidate = share(100, 100)
    candidate[3] = candidate[7] = None
    verdict = compare(candidate, share(100, 100), replace(BARS, min_delta=Decimal("-0.01")))
    assert (verdict.outcome, verdict.candidate_score, verdict.delta) == ("fail", Decimal("0.98"), Decimal("-0.02"))
    assert verdict.errored == ("case-00003", "case-00007")
    assert verdict.notes[0] == (
        "2 cases ended in an error or without a number and count as failed: case-00003, case-00007."
    )


def test_errored_cases_of_the_baseline_do_not_lower_the_bar() -> None:
    baseline = share(50, 100)
    baseline[0] = None
    verdict = compare(share(60, 100), baseline)
    assert verdict.outcome == "inconclusive"
    assert verdict.reasons == ("The baseline's run has no number for case-00000: run it again.",)


def test_too_few_cases_are_inconclusive_whatever_they_say() -> None:
    verdict = compare(share(29, 29), share(0, 29))
    assert verdict.outcome == "inconclusive"
    assert verdict.reasons == ("Not enough cases: 29, and the policy asks for 30.",)


def test_another_dataset_metric_or_case_set_is_refused_with_every_reason() -> None:
    other = Run("baseline", "sha256:other", "grounded", tuple(Case(f"b-{n}", Decimal(1)) for n in range(40)))
    verdict = judge(run(share(40, 40)), other, BARS)
    assert verdict.outcome == "inconclusive"
    assert verdict.reasons == (
        "The candidate has the metric correct, the baseline grounded.",
        "Candidate and baseline were not run on the same dataset.",
        "40 of the baseline's cases are missing: b-0, b-1, b-10, b-11, b-12 and 35 more.",
        "40 cases were not run with the baseline: "
        "case-00000, case-00001, case-00002, case-00003, case-00004 and 35 more.",
    )


def test_an_unknown_dataset_is_never_the_same_dataset() -> None:
    candidate, baseline = run(share(40, 40), dataset=""), run(share(30, 40), dataset="")
    assert judge(candidate, baseline, BARS).outcome == "inconclusive"


def test_duplicated_cases_and_infinite_scores_are_refused() -> None:
    twice = run(share(40, 40))
    twice = replace(twice, cases=(*twice.cases, twice.cases[0], Case("x", Decimal("Infinity"))))
    verdict = judge(twice, run(share(40, 40)), BARS)
    assert verdict.outcome == "inconclusive"
    assert verdict.reasons[:2] == (
        "The candidate's run has cases more than once: case-00000.",
        "The candidate's run has scores that are not finite numbers.",
    )


def test_the_first_release_meets_an_absolute_bar() -> None:
    assert judge(run(share(70, 100)), None, BARS).outcome == "pass"
    verdict = judge(run(share(69, 100)), None, BARS)
    assert verdict.outcome == "fail"
    assert verdict.reasons == ("There is no baseline yet, and correct is 0.69 below the least score of 0.7.",)
    assert judge(run(share(75, 100)), None, LOWER).outcome == "fail"
    assert judge(run(share(90, 100)), None, LOWER).outcome == "pass"


def test_the_first_release_meets_it_in_every_metric() -> None:
    grounded = replace(run(share(60, 100)), metric="grounded")
    verdict = judge(replace(run(share(80, 100)), others=(grounded,)), None, BARS)
    assert verdict.outcome == "fail"
    assert verdict.reasons == ("There is no baseline yet, and grounded is 0.6 below the least score of 0.7.",)


def test_two_hundred_cases_cannot_resolve_two_hundredths() -> None:
    """Better by exactly the bar, 30 of 200 cases moved: a pass by the point, and the note says what it is worth."""
    baseline = share(100, 200)
    candidate: list[str | None] = [*share(87, 100), *share(17, 100)]
    verdict = compare(candidate, baseline)
    assert (verdict.outcome, verdict.delta) == ("pass", Decimal("0.02"))
    assert verdict.smallest_detectable is not None
    assert Decimal("0.067") < verdict.smallest_detectable < Decimal("0.069")
    assert verdict.notes == ("With these 200 cases a change below 0.0681 cannot be told from chance; the bar is 0.02.",)
    strict = compare(candidate, baseline, LOWER)
    assert strict.outcome == "inconclusive"
    assert strict.reasons[0].startswith("Not enough cases: correct changed by -0.0")


def test_the_strict_bar_passes_and_fails_when_the_interval_lies_on_one_side() -> None:
    assert compare(share(180, 200), share(120, 200), LOWER).outcome == "pass"
    worse = compare(share(120, 200), share(180, 200), LOWER)
    assert worse.outcome == "fail"
    assert worse.upper is not None
    assert worse.upper < 0


def test_the_same_input_gives_the_same_bytes() -> None:
    first, second = (compare(share(130, 200), share(120, 200)) for _ in range(2))
    assert first == second


numbers = st.sampled_from(["0", "0.25", "0.5", "0.75", "1", None])


@settings(max_examples=60)
@given(
    st.lists(st.tuples(numbers, numbers), min_size=1, max_size=60), st.integers(0, 59), st.sampled_from([BARS, LOWER])
)
def test_losing_a_candidates_score_never_turns_a_refusal_into_a_pass(
    pairs: list[tuple[str | None, str | None]], lost: int, bars: EvaluationBars
) -> None:
    few = replace(bars, min_cases=1, resamples=500)
    candidate, baseline = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    before = compare(candidate, baseline, few)
    candidate[lost % len(pairs)] = None
    after = compare(candidate, baseline, few)
    if bars is BARS and before.outcome != "pass":
        assert after.outcome != "pass"
    if None in baseline:
        assert before.outcome == after.outcome == "inconclusive"


@settings(max_examples=60)
@given(st.lists(st.tuples(numbers, st.sampled_from(["0", "0.5", "1"])), min_size=1, max_size=60))
def test_the_order_of_cases_does_not_matter_and_the_interval_holds_the_change(
    pairs: list[tuple[str | None, str]],
) -> None:
    few = replace(BARS, min_cases=1, resamples=500)
    candidate, baseline = run([pair[0] for pair in pairs]), run([pair[1] for pair in pairs])
    verdict = judge(candidate, baseline, few)
    turned = judge(replace(candidate, cases=candidate.cases[::-1]), replace(baseline, cases=baseline.cases[::-1]), few)
    assert replace(verdict, errored=()) == replace(turned, errored=(), notes=verdict.notes)
    assert verdict.lower is not None
    assert verdict.upper is not None
    assert verdict.delta is not None
    assert verdict.lower <= verdict.delta <= verdict.upper


@pytest.mark.parametrize("kind", ["pass or fail", "continuous"])
def test_ten_thousand_cases_are_judged_in_two_seconds_and_300_mb(kind: str) -> None:
    step = 2 if kind == "pass or fail" else 9973
    scores = [str(Decimal(n * 7919 % step) / step) if step > 2 else str(n % 2) for n in range(10_000)]
    other = [str(Decimal(n * 104729 % step) / step) if step > 2 else str(n % 3 % 2) for n in range(10_000)]
    candidate, baseline = run(list(scores)), run(list(other))
    judge(candidate, baseline, replace(BARS, resamples=10))
    started = time.process_time()
    verdict = judge(candidate, baseline, BARS)
    took = time.process_time() - started
    assert verdict.cases == 10_000
    assert took < 4, f"{took:.2f} s"  # the goal is 2 s, with this machine to itself (bench/)
    tracemalloc.start()
    judge(candidate, baseline, BARS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300_000_000, f"{peak:,} bytes"
