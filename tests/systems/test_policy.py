from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import canonical
from systems.policy import PolicyError, ReleaseBars, RunningLimits


def test_defaults_are_those_of_the_article_and_of_ours_where_it_names_none() -> None:
    bars, limits = ReleaseBars(), RunningLimits()
    assert bars.eval_min_delta == Decimal("0.02")
    assert bars.schema_valid_min == Decimal("0.99")
    assert (bars.error_rate_max, bars.p95_ms_max) == (Decimal("0.015"), 2000)
    assert (bars.canary_share, bars.canary_hours, bars.rollback_minutes) == (Decimal("0.10"), 24, 30)
    assert (limits.budget_daily_usd, limits.budget_alert_usd, limits.alarm_delay_max_s) == (50, 45, 300)
    assert (limits.slo_p95_ms, limits.slo_schema_failure) == (1200, Decimal("0.01"))
    assert (limits.slo_retry, limits.budget_variance) == (Decimal("0.03"), Decimal("0.10"))
    assert bars.author_may_sign_own_side is False
    assert (bars.cost_increase_max, bars.first_release_cost_cap_usd) == (Decimal("0.10"), Decimal("0.05"))
    assert (bars.eval_min_score, bars.eval_min_cases) == (Decimal("0.7"), 30)
    assert (bars.min_requests, bars.coverage, bars.drill_validity_days) == (300, Decimal("0.95"), 90)
    assert (limits.psi, limits.cost_spike) == (Decimal("0.2"), Decimal("1.5"))


@pytest.mark.parametrize("part", [ReleaseBars, RunningLimits])
def test_a_body_comes_back_as_it_was_and_has_a_canonical_form(part: type[ReleaseBars]) -> None:
    policy = part()
    assert part.parse(policy.body()) == policy
    assert canonical.loads(canonical.dumps(policy.body())) == policy.body()
    assert part.parse({}) == policy, "what an older body does not know takes the shipped value"


# a loaded machine is no failure
@given(st.decimals(min_value=0, max_value=1, places=4, allow_nan=False))
def test_trailing_zeros_make_no_other_policy(share: Decimal) -> None:
    written = ReleaseBars.parse({"schema_valid_min": str(share)})
    padded = ReleaseBars.parse({"schema_valid_min": f"{share:f}000"})
    assert written.body() == padded.body()
    assert written.schema_valid_min == share


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"eval_min_delta": 0.02}, "write the number as a string"),
        ({"eval_min_delta": "NaN"}, "not a number to compare"),
        ({"eval_min_delta": "Infinity"}, "not a number to compare"),
        ({"eval_min_delta": "two"}, "'two' is not a number"),
        ({"eval_min_delta": True}, "write the number as a string"),
        ({"eval_min_delta": "0.1234567891"}, "more digits"),
        ({"eval_min_delta": None}, "write the number as a string"),
        ({"schema_valid_min": "1.01"}, "outside of 0 to 1"),
        ({"canary_hours": "24"}, "write a whole number"),
        ({"canary_hours": True}, "write a whole number"),
        ({"canary_hours": 0}, "outside of 1 to 720"),
        ({"author_may_sign_own_side": 1}, "write true or false"),
        ({"eval_bar": "median"}, "write one of point, lower"),
        ({"eval_bar": ["point"]}, "write one of point, lower"),
        ({"schema_valid": "0.99"}, "schema_valid is not a threshold"),
    ],
)
def test_what_is_no_threshold_is_refused(body: dict[str, object], reason: str) -> None:
    with pytest.raises(PolicyError) as refused:
        ReleaseBars.parse(body)
    assert len(refused.value.reasons) == 1
    assert reason in refused.value.reasons[0]


def test_every_reason_is_told_at_once() -> None:
    with pytest.raises(PolicyError) as refused:
        ReleaseBars.parse({"canary_hours": 0, "p95_ms_max": 0, "typo": 1})
    assert len(refused.value.reasons) == 3


def test_an_alert_above_the_cap_is_refused() -> None:
    with pytest.raises(PolicyError, match="too late"):
        RunningLimits.parse({"budget_alert_usd": "51"})
    assert RunningLimits.parse({"budget_alert_usd": "50"}).budget_alert_usd == 50


@pytest.mark.parametrize(
    ("change", "weaker"),
    [
        ({"eval_min_delta": "0.019"}, True),
        ({"eval_min_delta": "-0.01"}, True),
        ({"eval_min_delta": "0.03"}, False),
        ({"eval_bar": "lower"}, False),
        ({"error_rate_max": "0.016"}, True),
        ({"error_rate_max": "0.014"}, False),
        ({"canary_share": "0.5"}, True),
        ({"author_may_sign_own_side": True}, True),
        ({"first_release_cost_cap_usd": "5"}, False),
    ],
)
def test_weaker_means_asking_for_less(change: dict[str, object], weaker: bool) -> None:
    policy = ReleaseBars.parse(change)
    assert policy.weaker_than(ReleaseBars()) == ((next(iter(change)),) if weaker else ())
    assert ReleaseBars().weaker_than(ReleaseBars()) == ()


def test_a_larger_budget_is_no_weaker_bar_but_a_looser_objective_is() -> None:
    limits = RunningLimits.parse({"budget_daily_usd": "500", "slo_p95_ms": 1500})
    assert limits.weaker_than(RunningLimits()) == ("slo_p95_ms",)
    assert ReleaseBars.parse({"eval_bar": "lower"}).weaker_than(ReleaseBars.parse({"eval_bar": "lower"})) == ()
    assert ReleaseBars().weaker_than(ReleaseBars.parse({"eval_bar": "lower"})) == ("eval_bar",)


def test_every_threshold_can_be_shown() -> None:
    for part in (ReleaseBars, RunningLimits):
        for name, bar in part.bars().items():
            assert bar.label, name
            assert bar.unit or bar.choices or name == "author_may_sign_own_side", name
