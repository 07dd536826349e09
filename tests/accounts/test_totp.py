import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.totp import code_at, step_of

SEED = base64.b32encode(b"12345678901234567890").decode()


# RFC 6238, appendix B (SHA-1), the last six of the eight digits.
@pytest.mark.parametrize(
    ("at", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_published_vectors(at, code):
    assert code_at(SEED, datetime.fromtimestamp(at, UTC)) == code


@given(st.datetimes(datetime(2020, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)), st.integers(-30, 30))  # noqa: DTZ001
def test_one_step_of_drift_is_allowed_and_named(at, seconds):
    shown = at + timedelta(seconds=seconds)
    step = step_of(SEED, code_at(SEED, shown), at)
    assert step is not None
    assert abs(step - int(at.timestamp()) // 30) <= 1


def test_older_codes_and_rubbish_are_refused():
    at = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    assert step_of(SEED, code_at(SEED, at - timedelta(seconds=90)), at) is None
    for rubbish in ("", "12345", "1234567", "abcdef", "१२३४५६", "12\x003456"):
        assert step_of(SEED, rubbish, at) is None
    assert step_of(SEED, f" {code_at(SEED, at)[:3]} {code_at(SEED, at)[3:]} ", at) is not None
