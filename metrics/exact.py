"""Scores as exact numbers. Pure.

A tool that averages three checks writes 0.3333333333333333 and means one third. A release that meets its bar exactly
must not fail for the sixteenth digit, so a number written with that many digits is taken for the simple fraction that
it was, where there is one.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Any

_DIGITS = 15  # binary floats have no more than that to be trusted
_SIMPLE = 10_000
_LARGEST = Decimal(10) ** 9
_SMALLEST_EXPONENT = -40
_WIDE = Context(prec=60)


def read(value: Any) -> Fraction | None:
    """The exact number that was meant; None for what is no number (NaN, infinite, text, nothing) or is out of range."""
    if isinstance(value, bool):
        return Fraction(int(value))
    if isinstance(value, int):
        return Fraction(value) if abs(value) <= _LARGEST else None
    if isinstance(value, float):
        value = Decimal(repr(value))
    if not isinstance(value, Decimal) or not value.is_finite():
        return None
    exponent = value.as_tuple().exponent
    if value.copy_abs() > _LARGEST or not isinstance(exponent, int) or exponent < _SMALLEST_EXPONENT:
        return None
    exact = Fraction(value)
    if len(value.as_tuple().digits) >= _DIGITS:
        simple = exact.limit_denominator(_SIMPLE)
        if abs(simple - exact) < Fraction(1, 10**14):
            return simple
    return exact


def text(value: Fraction) -> str:
    """A plain decimal where the number has one, else a ratio such as 1/3. `parse` reads both."""
    rest = value.denominator
    for factor in (2, 5):
        while rest % factor == 0:
            rest //= factor
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    plain = _WIDE.divide(Decimal(value.numerator), Decimal(value.denominator))
    return format(plain.normalize() + 0, "f")


def parse(written: str) -> Fraction:
    return Fraction(written)


def decimal(value: Fraction, places: int = 12) -> Decimal:
    """Rounded, for showing and storing; comparisons are made with the fraction."""
    step = Decimal(1).scaleb(-places)
    rounded = _WIDE.divide(Decimal(value.numerator), Decimal(value.denominator)).quantize(step, ROUND_HALF_EVEN, _WIDE)
    return rounded.normalize() if rounded else Decimal(0)
