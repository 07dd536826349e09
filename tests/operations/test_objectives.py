"""Error budgets: what is tolerated, what is used up, how fast it burns."""

from decimal import Decimal

import pytest

from audit.histogram import LAST, bin_of
from audit.rates import Counts
from operations.objectives import Objective, objectives, slower_than
from systems.policy import SHIPPED_RUNNING_LIMITS

LIMITS = SHIPPED_RUNNING_LIMITS  # schema failures 1 %, retries 3 %, p95 1200 ms


def counts(requests=0, **changes):
    given = dict.fromkeys(
        ("errors", "schema_checked", "schema_valid", "with_sources", "with_request_id", "unapproved", "cost_nanousd",
         "cost_known", "retries", "timeouts"), 0,
    )  # fmt: skip
    return Counts(requests=requests, latency_p95_ms=None, **given | {"latency": (0,) * (LAST + 1)} | changes)


def found(window, hour=None):
    rows = objectives(window, hour or counts(), limits=LIMITS, error_rate_max=Decimal("0.015"))
    return {row.key: row for row in rows}


def test_the_budget_is_what_the_objective_tolerates():
    rows = found(counts(10_000, errors=75, schema_checked=8_000, schema_valid=7_900, retries=300))
    assert (rows["errors"].bad, rows["errors"].rate, rows["errors"].used) == (75, Decimal("0.0075"), Decimal("0.5"))
    assert (rows["schema"].counted, rows["schema"].bad, rows["schema"].used) == (8_000, 100, Decimal("1.25"))
    assert rows["retries"].used == Decimal("1")
    assert [rows[key].state for key in ("errors", "schema", "retries", "latency")] == [
        "ok", "exceeded", "exceeded", "unknown",
    ]  # fmt: skip


def test_four_fifths_used_is_said_before_it_is_gone():
    assert found(counts(10_000, errors=119))["errors"].state == "ok"
    assert found(counts(10_000, errors=120))["errors"].state == "alert"
    assert found(counts(10_000, errors=150))["errors"].state == "exceeded"


def test_the_burn_compares_the_last_hour_with_what_would_last_for_the_window():
    rows = found(counts(10_000, errors=10), counts(100, errors=3))
    assert rows["errors"].burn == Decimal("2.00")
    assert rows["schema"].burn is None  # nothing was checked in that hour


def test_slow_requests_are_those_above_the_limit():
    latency = [0] * (LAST + 1)
    latency[bin_of(500_000)], latency[bin_of(1_100_000)], latency[bin_of(3_000_000)] = 90, 4, 6
    assert slower_than(latency, 1200) == 6
    row = found(counts(100, latency=tuple(latency)))["latency"]
    assert (row.counted, row.bad, row.used) == (100, 6, Decimal("1.2"))


def test_no_request_is_unknown_and_never_well():
    assert {row.state for row in found(counts()).values()} == {"unknown"}
    assert all(row.used is None and row.rate is None for row in found(counts()).values())


@pytest.mark.parametrize(("bad", "used", "state"), [(0, 0, "ok"), (1, 1, "exceeded"), (3, 3, "exceeded")])
def test_where_nothing_is_tolerated_one_is_too_many(bad, used, state):
    row = Objective("errors", "Errors", Decimal(0), counted=100, bad=bad)
    assert (row.used, row.state) == (used, state)


def test_more_retries_than_requests_use_no_more_than_all():
    assert found(counts(10, retries=40))["retries"].bad == 10
