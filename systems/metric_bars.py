"""Bars for single metrics of an evaluation, written one a line, as product owners type them. Pure.

    correct
    groundedness delta=-0.01 least=0.8 weight=2
    toxicity     down delta=0 most=0.05 weight=1
    overall      delta=0.01

The first one is the metric that the evaluation is about: it takes the policy's least improvement and least score. The
others have a `delta` of their own (below zero: so much may be lost and no more), and an absolute bar: `least`, or
`most` where lower is better (`down`). `overall` is the mean change of those with a weight.
"""

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

OVERALL = "overall"
MOST_METRICS = 20
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,99}\Z")


@dataclass(frozen=True)
class MetricBar:
    """`delta` is an improvement, whichever direction is better. None: this bar is not set."""

    name: str
    down: bool = False
    delta: Decimal | None = None
    least: Decimal | None = None
    most: Decimal | None = None
    weight: Decimal = Decimal(0)

    def line(self) -> str:
        given = [("delta", self.delta), ("least", self.least), ("most", self.most), ("weight", self.weight or None)]
        words = [self.name, *(["down"] if self.down else [])]
        return " ".join(words + [f"{name}={value:f}" for name, value in given if value is not None])


def parse_metrics(text: str) -> tuple[MetricBar, ...]:
    """Raises ValueError with a sentence about the first line that cannot be read."""
    bars = [_line(line) for line in text.splitlines() if line.strip()]
    if len(bars) > MOST_METRICS:
        raise ValueError(f"name at most {MOST_METRICS} metrics.")
    names = [bar.name for bar in bars]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{twice[0]} is named twice.")
    if bars:
        _check_first(bars[0])
    if OVERALL in names and not any(bar.weight for bar in bars):
        raise ValueError("overall is the mean of metrics with a weight, and none has one.")
    return tuple(bars)


def canonical_metrics(text: str) -> str:
    return "\n".join(bar.line() for bar in parse_metrics(text))


def canonical_cases(text: str) -> str:
    """Patterns of case ids and `tag:` names, separated by commas or lines."""
    found = [part.strip() for part in re.split(r"[,\n]", text) if part.strip()]
    if len(found) > 100 or any(len(part) > 200 for part in found):
        raise ValueError("name at most 100 patterns of 200 characters.")
    return ", ".join(dict.fromkeys(found))


def _check_first(bar: MetricBar) -> None:
    if bar.down or bar.name == OVERALL:
        raise ValueError("the first metric is the one that must improve: higher is better there.")
    if bar.delta is not None or bar.least is not None:
        raise ValueError(f"{bar.name} comes first, so the least improvement and the least score above are its bars.")


def _line(line: str) -> MetricBar:
    name, *words = line.split()
    if not _NAME.match(name):
        raise ValueError(f"{name!r} is not the name of a metric.")
    down = "down" in words
    numbers = {}
    for word in words:
        if word in ("up", "down"):
            continue
        key, equals, value = word.partition("=")
        if not equals or key not in ("delta", "least", "most", "weight") or key in numbers:
            raise ValueError(f"{word!r} of {name} is not up, down, delta=, least=, most= or weight=.")
        numbers[key] = _number(name, value)
    if down and ("least" in numbers or "most" not in numbers) and name != OVERALL:
        raise ValueError(f"{name} is better when lower: write how much is tolerated, most=.")
    if not down and "most" in numbers:
        raise ValueError(f"{name} is better when higher: write least=, or down.")
    if name == OVERALL and set(numbers) != {"delta"}:
        raise ValueError("overall has a delta=, and nothing else.")
    if numbers.get("weight", Decimal(1)) <= 0:
        raise ValueError(f"The weight of {name} is above zero.")
    return MetricBar(name, down, **numbers)


def _number(name: str, text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} of {name} is not a number.") from None
    if not number.is_finite() or abs(number) > 1_000_000 or number.as_tuple().exponent < -9:  # type: ignore[operator]
        raise ValueError(f"{text} of {name} is not a number to compare with.")
    plain = number.normalize() + 0
    return Decimal(format(plain, "f"))
