from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.budget import crossed_at, day_of, judge, nano

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


SPENT = {"0": "ok", "44.999999999": "ok", "45": "alert", "49.999999999": "alert", "50": "exceeded", "80": "exceeded"}


@pytest.mark.parametrize(("spent", "state"), SPENT.items())
def test_alert_at_45_and_exceeded_at_50(spent, state):
    assert judge(nano(Decimal(spent)), alert=nano(Decimal(45)), cap=nano(Decimal(50))) == state


def test_the_budget_day_is_that_of_the_system():
    auckland = day_of("Pacific/Auckland", NOON)
    assert auckland.day == date(2026, 11, 25)
    assert auckland.start == datetime(2026, 11, 24, 11, tzinfo=UTC)
    los_angeles = day_of("America/Los_Angeles", datetime(2026, 11, 24, 7, tzinfo=UTC))
    assert los_angeles.day == date(2026, 11, 23)


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 29, 23), (10, 25, 25), (11, 24, 24)])
def test_a_day_has_23_or_25_hours_where_clocks_change(month, day, hours):
    found = day_of("Europe/Berlin", datetime(2026, month, day, 12, tzinfo=UTC))
    assert found.end - found.start == timedelta(hours=hours)


@given(
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Auckland", "America/St_Johns", "Asia/Kathmandu"]),
    second=st.integers(1_577_836_800, 2_051_222_400),  # 2020 to 2035
)
def test_every_moment_lies_in_its_own_day_and_days_touch(zone, second):
    moment = datetime.fromtimestamp(second, UTC)
    day = day_of(zone, moment)
    assert day.start <= moment < day.end
    assert day_of(zone, day.end).start == day.end
    assert day_of(zone, day.start - timedelta(microseconds=1)).end == day.start


@given(
    spends=st.lists(st.tuples(st.integers(0, 86_399), st.integers(1, 10**10)), min_size=1, max_size=30),
    threshold=st.integers(1, 10**10),
)
def test_the_crossing_is_found_to_the_second(spends, threshold):
    start = datetime(2026, 11, 24, tzinfo=UTC)
    end = start + timedelta(days=1)

    def spent_until(until):
        return sum(cost for second, cost in spends if start + timedelta(seconds=second) < until)

    if spent_until(end) < threshold:
        return
    found = crossed_at(spent_until, threshold, start=start, end=end)
    assert spent_until(found) >= threshold
    assert spent_until(found - timedelta(seconds=1)) < threshold
