from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics import exact


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (True, 1),
        (0, 0),
        (Decimal("0.925"), Fraction(37, 40)),
        (Decimal("0.3333333333333333"), Fraction(1, 3)),
        (Decimal("0.6666666666666666"), Fraction(2, 3)),
        (Decimal("0.1428571428571428"), Fraction(1, 7)),
        (0.1, Fraction(1, 10)),
        (Decimal("0.30000000000000004"), Fraction(3, 10)),
        (Decimal("-0.5"), Fraction(-1, 2)),
        (Decimal("0.333"), Fraction(333, 1000)),  # somebody rounded it: that is what was said
        (Decimal("0.123456789012345678"), Fraction(Decimal("0.123456789012345678"))),
    ],
)
def test_what_was_meant(value: Any, meant: Fraction) -> None:
    assert exact.read(value) == meant


@pytest.mark.parametrize(
    "value",
    [None, "0.5", [], Decimal("NaN"), Decimal("Infinity"), float("nan"), float("inf"), 10**400, Decimal("1E+999999"),
     Decimal("1E-999999"), Decimal("1E+999999999"), Decimal("-1E+999999999")],
)  # fmt: skip
def test_what_is_no_number_or_out_of_range_is_none(value: Any) -> None:
    assert exact.read(value) is None


@given(st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=10**6))
def test_written_and_read_again_it_is_the_same_number(value: Fraction) -> None:
    assert exact.parse(exact.text(value)) == value


def test_a_number_with_a_plain_decimal_is_written_as_one() -> None:
    assert [exact.text(Fraction(value)) for value in ("37/40", "1/3", "1000000", "0", "-1/8")] == [
        "0.925",
        "1/3",
        "1000000",
        "0",
        "-0.125",
    ]


def test_rounding_for_show() -> None:
    assert exact.decimal(Fraction(2, 3), 4) == Decimal("0.6667")
    assert exact.decimal(Fraction(0)) == 0
