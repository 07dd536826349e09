"""Cases and runs as the judges see them, and how their numbers are shown in a sentence. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction

from metrics import exact

NAMED = 5  # so many cases are named in a sentence; the page lists all


@dataclass(frozen=True)
class Case:
    """`score` is None where the case ended in an error, or its score is missing or not a number.

    `passed` is the tool's own word, None where it has none; `tags` are those of the golden set.
    """

    case_id: str
    score: Fraction | Decimal | None
    passed: bool | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    label: str
    dataset_hash: str
    metric: str
    cases: tuple[Case, ...]
    others: tuple["Run", ...] = ()  # the run's other metrics, over the cases that have them


def outward(low: float, high: float) -> tuple[Decimal, Decimal]:
    """Rounded so that the interval never gets narrower, and what is compared is what is shown."""
    step = Decimal("0.000001")
    return Decimal(low).quantize(step, ROUND_FLOOR), Decimal(high).quantize(step, ROUND_CEILING)


def worst(run: Run) -> Fraction:
    """What a failed case scores: 0, or less where the metric goes below."""
    return min([Fraction(0), *(Fraction(case.score) for case in run.cases if case.score is not None)])


def show(value: Fraction) -> str:
    """Four places, and more where four would show nothing."""
    precise = exact.decimal(value)
    return format((precise.quantize(Decimal("0.0001")) or precise).normalize() + 0, "f")


def signed(value: Fraction) -> str:
    return ("+" if value > 0 else "") + show(value)


def change(bar: Fraction) -> str:
    if bar > 0:
        return f"at least {show(bar)} more"
    return "no loss" if bar == 0 else f"no more than {show(-bar)} less"


def names(cases: Iterable[str]) -> str:
    named = sorted(cases)
    rest = len(named) - NAMED
    return ", ".join(named[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
