import random
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.judges.canary import CanaryVerdict, Limits, WindowFacts, digest, judge
from metrics.judges.latency import Histogram

START = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LIMITS = Limits(
    error_rate_max=Decimal("0.015"),
    p95_ms_max=2000,
    hours=24,
    coverage=Decimal("0.95"),
    failure_limit=0,
    min_requests=300,
)


def latency(requests: int, slow: int = 0) -> Histogram:
    fast = (Decimal(250), Decimal(500), requests - slow)
    return (fast, (Decimal(2000), Decimal(5000), slow)) if slow else (fast,)


def window(minute: int, requests: int = 20, errors: int = 0, slow: int = 0, *, answered: bool = True) -> WindowFacts:
    since = START + minute * MINUTE
    if not answered:
        return WindowFacts(since, since + MINUTE, False, reason="no scrape")
    return WindowFacts(
        since, since + MINUTE, True, requests, errors, latency(requests, slow), raw_digest=f"raw-{minute}"
    )


def hours(count: int, **more: int) -> list[WindowFacts]:
    return [window(minute, **more) for minute in range(60 * count)]


def decide(
    windows: Sequence[WindowFacts], limits: Limits = LIMITS, *, until: float = 24, **more: object
) -> CanaryVerdict:
    return judge(windows, limits, since=START, until=START + timedelta(hours=until), **more)  # type: ignore[arg-type]


def test_a_clean_day_passes() -> None:
    verdict = decide(hours(24))
    assert (verdict.outcome, verdict.reasons, verdict.covered_hours) == ("pass", (), Decimal(24))
    assert (verdict.requests, verdict.errors, verdict.error_rate) == (28_800, 0, Decimal(0))
    assert verdict.p95_ms == Decimal("487.5")
    assert verdict.notes == (
        "There was no live release to compare with in the same windows; only the absolute triggers decide.",
    )


def test_it_runs_until_the_clock_is_full() -> None:
    verdict = decide(hours(23), until=23.5)
    assert (verdict.outcome, verdict.reasons) == ("running", ("23 of 24 hours are covered.",))


def test_nothing_at_all_is_running_and_never_a_pass() -> None:
    assert decide([], until=48).outcome == "inconclusive"
    verdict = decide([], replace(LIMITS, inconclusive_limit=48), until=48)
    assert verdict.outcome == "running"
    assert verdict.reasons == ("0 of 24 hours are covered.", "Not enough data: 0 of 300 requests.")
    assert (verdict.error_rate, verdict.p95_ms) == (None, None)


def test_an_hour_with_four_missing_minutes_does_not_count_and_is_named() -> None:
    missing = [window(minute, answered=minute not in (600, 610, 620, 630)) for minute in range(24 * 60)]
    verdict = decide(missing)
    assert (verdict.outcome, verdict.covered_hours) == ("running", Decimal(23))
    assert verdict.notes[0] == "2026-11-02 19:00 to 20:00 UTC does not count: 93% of it was answered."
    enough = [window(minute, answered=minute not in (600, 610, 620)) for minute in range(24 * 60)]
    assert decide(enough).outcome == "pass"


def test_windows_that_never_came_count_like_unanswered_ones() -> None:
    verdict = decide([w for w in hours(24) if w.since.hour != 15])
    assert (verdict.outcome, verdict.covered_hours) == ("running", Decimal(23))


def test_an_hour_that_served_nobody_does_not_count() -> None:
    verdict = decide([window(m, requests=0 if 120 <= m < 180 else 20) for m in range(24 * 60)])
    assert verdict.covered_hours == 23
    assert verdict.notes[0] == "2026-11-02 11:00 to 12:00 UTC does not count: served no request."


def test_too_few_requests_are_not_enough_data_however_clean() -> None:
    verdict = decide([window(m, requests=1 if m % 6 == 0 else 0) for m in range(24 * 60)])
    assert (verdict.outcome, verdict.reasons) == ("inconclusive", ("Not enough data: 240 of 300 requests.",))


def test_a_bad_release_is_stopped_within_two_windows() -> None:
    windows = hours(5) + [window(300 + n, requests=200, errors=12) for n in range(3)]
    verdict = decide(windows, until=5.05)
    assert verdict.outcome == "fail"
    assert verdict.breached[0].since <= START + timedelta(minutes=301)
    assert verdict.reasons[0].startswith("Error rate 6 % (")
    assert "2026-11-02 14:00 to 14:0" in verdict.reasons[0]
    assert verdict.reasons[0].endswith(" UTC: above 1.5 %.")


def test_an_hour_just_above_the_trigger_breaches_when_it_is_over() -> None:
    """1.6 % of 1,250 requests: no overwhelming evidence, and yet above the bar that was agreed."""
    hour = [window(m, requests=25 if m % 6 == 0 else 20, errors=1 if m % 3 == 0 else 0) for m in range(60)]
    running = decide(hour[:59], until=59 / 60)
    assert running.outcome == "running"
    verdict = decide(hour, until=1)
    assert (verdict.outcome, verdict.breaches) == ("fail", 1)
    assert verdict.reasons == ("Error rate 1.6 % (20 of 1250 requests), 2026-11-02 09:00 to 10:00 UTC: above 1.5 %.",)
    exactly = [window(m, requests=20, errors=1 if m in range(0, 54, 3) else 0) for m in range(60)]
    assert decide(exactly, until=1).breaches == 0  # 18 of 1,200 are 1.5 %, and the trigger is "above"


def test_thin_traffic_is_judged_over_as_many_hours_as_it_takes() -> None:
    thin = [window(m, requests=1 if m % 3 == 0 else 0, errors=1 if m % 180 == 0 else 0) for m in range(24 * 60)]
    verdict = decide(thin)
    assert (verdict.outcome, verdict.requests, verdict.errors) == ("fail", 480, 8)
    assert verdict.reasons == (
        "Error rate 1.67 % (5 of 300 requests), 2026-11-02 09:00 to 2026-11-03 00:00 UTC: above 1.5 %.",
    )


def test_slow_answers_breach_the_p95() -> None:
    verdict = decide([window(m, requests=100, slow=12) for m in range(3)], until=0.05)
    assert verdict.outcome == "fail"
    assert verdict.reasons[0].startswith("12 % of ")
    assert verdict.reasons[0].endswith("p95 is above 2000 ms.")
    assert decide([window(m, requests=100, slow=4) for m in range(24 * 60)]).outcome == "pass"


def test_tolerated_breaches_are_counted_and_told() -> None:
    bad_hour = [window(m, requests=200, errors=20 if 60 <= m < 120 else 0) for m in range(24 * 60)]
    verdict = decide(bad_hour, replace(LIMITS, failure_limit=1))
    assert (verdict.outcome, verdict.breaches) == ("pass", 1)
    assert verdict.notes[0].startswith("1 of 1 tolerated breaches: Error rate 10 %")
    assert decide(bad_hour).outcome == "fail"


@pytest.mark.parametrize(
    "spoilt",
    [
        {"errors": 21},
        {"latency": ()},
        {"answered": False},
        {"requests": -1},
    ],
)
def test_contradictory_or_missing_numbers_are_gaps(spoilt: dict[str, object]) -> None:
    windows = [replace(w, **spoilt) if w.since.hour == 12 else w for w in hours(24)]  # type: ignore[arg-type]
    verdict = decide(windows, replace(LIMITS, consecutive_error_limit=60))
    assert (verdict.outcome, verdict.covered_hours) == ("running", Decimal(23))
    assert decide(windows).outcome == "error"


def test_windows_before_the_start_and_after_the_end_do_not_count() -> None:
    early = [window(minute - 60, errors=20) for minute in range(60)]
    late = [window(24 * 60 + minute, errors=20) for minute in range(60)]
    assert decide(early + hours(24) + late).outcome == "pass"


def test_an_overlapping_window_adds_no_coverage() -> None:
    half = [w for w in hours(1) if w.since.minute % 2 == 0]
    doubled = [replace(w, since=w.since + timedelta(seconds=1), until=w.until) for w in half]
    assert decide(half + doubled, until=1).covered_hours == 0


def test_worse_than_the_live_release_fails_although_under_every_trigger() -> None:
    canary = [window(m, requests=200, errors=2) for m in range(6 * 60)]
    live = [window(m, requests=1800, errors=3) for m in range(6 * 60)]
    verdict = decide(canary, until=6, baseline=live)
    assert verdict.outcome == "fail"
    assert verdict.reasons == (
        "Worse than the live release in the same windows: 1 % of its requests failed, against 0.17 %.",
    )
    alike = [window(m, requests=1800, errors=18) for m in range(6 * 60)]
    same = decide(canary, until=6, baseline=alike)
    assert (same.outcome, same.breaches) == ("running", 0)
    assert same.p_worse is not None
    assert same.p_worse > Decimal("0.0125")


def test_a_difference_that_matters_to_nobody_stops_nothing() -> None:
    canary = [window(m, requests=20_000, errors=22) for m in range(60)]
    live = [window(m, requests=180_000, errors=90) for m in range(60)]
    verdict = decide(canary, until=1, baseline=live)
    assert verdict.p_worse == 0
    assert verdict.outcome == "running"


def test_a_slower_canary_is_stopped_although_it_keeps_its_limit() -> None:
    """Every request stays far below 2000 ms, but twice as many lie above the live release's own p95."""
    fast = ((Decimal(0), Decimal(200), 90), (Decimal(200), Decimal(400), 10))
    slow = ((Decimal(0), Decimal(200), 70), (Decimal(200), Decimal(400), 30))
    live = [replace(window(m, requests=100), latency=fast) for m in range(120)]
    canary = [replace(window(m, requests=100), latency=slow) for m in range(120)]
    verdict = decide(canary, until=2, baseline=live)
    assert verdict.reasons == ("Slower than the live release in the same windows: p95 367 ms, against 300 ms.",)
    assert decide(live, until=2, baseline=canary).outcome == "running", "faster stops nothing"


def test_a_comparison_that_was_due_and_could_not_be_made_is_no_pass() -> None:
    alone = decide(hours(24), compared=True)
    assert (alone.outcome, alone.reasons) == (
        "inconclusive",
        ("Not enough data to compare with the live release in the same windows: 0 of 300 requests.",),
    )
    assert decide(hours(24), baseline=hours(24), compared=True).outcome == "pass"
    assert decide(hours(24), baseline=hours(24, requests=0), compared=True).outcome == "inconclusive"


def test_more_unanswered_pulls_in_a_row_than_tolerated_are_an_error_that_ends_it() -> None:
    limits = replace(LIMITS, consecutive_error_limit=4)

    def silent(count: int) -> list[WindowFacts]:
        return [window(m, answered=not 30 <= m < 30 + count) for m in range(60)]

    assert decide(silent(4), limits, until=1).outcome == "running"
    verdict = decide(silent(5), limits, until=1)
    assert (verdict.outcome, verdict.reasons[-1]) == (
        "error",
        "5 pulls in a row were not answered; 4 are tolerated.",
    )
    scattered = [window(m, answered=m % 2 == 0) for m in range(60)]
    assert decide(scattered, limits, until=1).outcome == "running"


def test_more_hours_that_do_not_count_than_tolerated_leave_it_inconclusive_for_good() -> None:
    limits = replace(LIMITS, inconclusive_limit=2)
    nobody = [window(m, requests=0 if m < 180 else 20) for m in range(27 * 60)]
    verdict = decide(nobody, limits, until=27)
    assert (verdict.outcome, verdict.covered_hours) == ("inconclusive", Decimal(24))
    assert verdict.reasons == ("3 hours did not count; 2 are tolerated.",)
    assert decide(nobody[60:], limits, until=27).outcome == "inconclusive"


def test_the_worst_outcome_wins_whatever_else_holds() -> None:
    """A breach and a dead source: the breach decides, and a dead source decides over hours that do not count."""
    limits = replace(LIMITS, consecutive_error_limit=4, inconclusive_limit=0)
    broken = [window(m, errors=2, answered=m < 60) for m in range(120)]
    assert decide(broken, limits, until=2).outcome == "fail"
    silent = [window(m, answered=m < 60) for m in range(120)]
    assert decide(silent, limits, until=2).outcome == "error"


def test_the_digest_changes_with_any_window() -> None:
    windows = hours(2)
    assert decide(windows, until=2).windows_digest == digest(windows)
    assert decide(windows, until=2, baseline=windows).windows_digest == digest([*windows, *windows])
    assert decide(windows[::-1], until=2).windows_digest == digest(windows)
    assert digest(windows[1:]) != digest(windows)
    assert digest([replace(windows[0], raw_digest="other"), *windows[1:]]) != digest(windows)
    assert digest([replace(windows[0], errors=1), *windows[1:]]) != digest(windows)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(0, 26 * 60), st.integers(0, 240))
def test_taking_answers_away_never_makes_a_pass(seed: int, first: int, length: int) -> None:
    chance = random.Random(seed)
    rate = chance.choice([0.0, 0.012, 0.02])
    windows = [
        window(m, requests=4, errors=sum(chance.random() < rate for _ in range(4)), answered=chance.random() < 0.98)
        for m in range(26 * 60)
    ]
    before = decide(windows, until=26)
    gone = [replace(w, answered=False) if first <= n < first + length else w for n, w in enumerate(windows)]
    after = decide(gone, until=26)
    assert after.covered_hours <= before.covered_hours
    if before.outcome in ("running", "inconclusive"):
        assert after.outcome != "pass"


def test_a_day_of_minutes_is_judged_quickly() -> None:
    windows, live = hours(24, requests=50), hours(24, requests=450)
    started = time.process_time()
    assert decide(windows, baseline=live).outcome == "pass"
    assert time.process_time() - started < 1
