"""The simulation of bench/judges.py, bounded: the whole judge, looked at after every window."""

import pytest

from bench import judges


@pytest.fixture(scope="module")
def simulated() -> dict[tuple[str, str], judges.Rates]:
    return {(one.difference, one.judge): one for one in judges.canaries(count=80, hours=2, requests=40)}


def test_a_sound_canary_is_hardly_ever_stopped_however_often_it_is_looked_at(
    simulated: dict[tuple[str, str], judges.Rates],
) -> None:
    ours = simulated["none", "ours: the judge, every window"]
    low, _ = judges.wilson(round(ours.stopped * 80), 80)
    assert low <= judges.ALPHA, "more false alarms than chance explains at the stated alpha"
    assert simulated["none", "fixed horizon, at every window"].stopped > ours.stopped, "peeking is what it saves"


def test_a_large_regression_is_stopped_within_minutes(simulated: dict[tuple[str, str], judges.Rates]) -> None:
    ours = simulated["large: 3 %", "ours: the judge, every window"]
    assert ours.stopped == 1.0
    assert ours.median_delay is not None
    assert ours.median_delay < 20


def test_the_interval_of_a_counted_share() -> None:
    low, high = judges.wilson(0, 100)
    assert (low, round(high, 3)) == (0.0, 0.037)
    low, high = judges.wilson(50, 100)
    assert (round(low, 2), round(high, 2)) == (0.4, 0.6)
