"""Data on which other canary judges gave the wrong answer, as their users reported it, with the right answer here.

kayenta #426: sparse errors against none: said to be a pass.
spinnaker #6278: seven of ten values a hundred times higher: said to be a pass until the eighth.
kayenta #780: a distribution that collapsed to another shape: said to be a pass, for ranks do not see spread.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from metrics.judges.canary import CanaryVerdict, WindowFacts, judge
from metrics.judges.series import compare
from tests.metrics.judges.test_canary import LIMITS, MINUTE, START

KAYENTA_426 = [0, 1, 2, 1, 0, 0]
SPINNAKER_6278 = [100.0] * 7 + [1.0] * 3
KAYENTA_780 = [10.0, 10.1, 10.2, 10.3, 10.4, 10.5, 10.6, 17.0, 17.1, 17.2, 17.3, 17.4, 17.5, 17.6, 17.7]
KAYENTA_780_CONTROL = [1.0, 100.0, 4.0, 101.0, 5.0, 102.0, 6.0, 103.0, 7.0, 104.0, 8.0, 105.0, 9.0, 106.0, 17.0]


def windows(errors: list[int], requests: int = 50) -> list[WindowFacts]:
    fast = ((Decimal(0), Decimal(200), requests),)
    at = [START + n * MINUTE for n in range(len(errors))]
    return [WindowFacts(m, m + MINUTE, True, requests, e, fast) for m, e in zip(at, errors, strict=True)]


def against_none(errors: list[int]) -> CanaryVerdict:
    limits = replace(LIMITS, hours=1, error_rate_max=Decimal("0.5"))
    until = START + timedelta(hours=1)
    clean = windows([0] * len(errors))
    return judge(windows(errors), limits, since=START, until=until, baseline=clean, compared=True)


def test_kayenta_426_sparse_errors_are_no_pass_and_soon_a_fail() -> None:
    """Four errors in six windows against none are not proof yet, and no pass either; the same for half an hour is."""
    first = against_none(KAYENTA_426)
    assert first.outcome == "running"
    assert first.p_worse is not None
    assert first.p_worse < Decimal("0.5")
    later = against_none(KAYENTA_426 * 5)
    assert later.outcome == "fail"
    assert later.reasons == (
        "Worse than the live release in the same windows: 1.33 % of its requests failed, against 0 %.",
    )


def test_kayenta_426_as_a_count_fails_once_chance_is_ruled_out() -> None:
    assert compare(KAYENTA_426, [0] * 6, kind="count", direction="up").outcome == "inconclusive"
    again = compare(KAYENTA_426 * 2, [0] * 12, kind="count", direction="up")
    assert (again.outcome, again.effect) == ("fail", None)
    assert again.sentence == "8 in 12 windows, against 0 in 12."


def test_spinnaker_6278_seven_of_ten_are_enough() -> None:
    """The reporter's puzzle: the verdict turned at the eighth value, and the height of the values did not matter."""
    found = compare(SPINNAKER_6278, [1.0] * 10, kind="quantile", direction="up")
    assert found.outcome == "fail"
    assert found.p_value < Decimal("0.01")
    assert compare([1.0] * 10, SPINNAKER_6278, kind="quantile", direction="up").outcome == "pass"
    assert compare([1.0] * 10, [1.0] * 10, kind="quantile", direction="up").outcome == "pass"


def test_kayenta_780_a_collapsed_spread_is_seen() -> None:
    """Median against median says little; that all lie between 10 and 18, where they lay between 1 and 106, says it."""
    found = compare(KAYENTA_780, KAYENTA_780_CONTROL, kind="quantile", direction="either")
    assert found.outcome == "fail"
    assert "spread" in found.sentence
    wider = compare(KAYENTA_780_CONTROL, KAYENTA_780, kind="quantile", direction="either")
    assert wider.outcome == "fail"


def test_silence_is_never_a_pass() -> None:
    for kind in ("proportion", "quantile", "count"):
        nothing = compare([], [1.0] * 20, kind=kind, direction="up")
        assert nothing.outcome == "inconclusive"
        assert compare([float("nan")] * 20, [1.0] * 20, kind=kind, direction="up").outcome == "inconclusive"
        assert compare([1.0] * 3, [1.0] * 3, kind=kind, direction="up").outcome == "inconclusive"
