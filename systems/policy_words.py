"""Thresholds as people read them: 0.015 is 1.5 %, 2000 is 2,000 ms. Exact, never rounded. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from systems.policy import SHIPPED_RELEASE_BARS, Bar, release_bars


def in_words(value: Any, bar: Bar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value or "none"
    if bar.unit == "share":
        return f"{_plain(value * 100)} %"
    return _plain(value) if bar.unit in ("score", "index") else f"{_plain(value)} {bar.unit}"


def _plain(value: Decimal | int) -> str:
    text = f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def asks_less(body: Mapping[str, Any]) -> list[str]:
    """One sentence for each bar of a release policy that asks for less than the shipped one."""
    bars, shipped = release_bars(body), SHIPPED_RELEASE_BARS
    return [
        f"{spec.label}: {in_words(getattr(bars, name), spec)}; shipped: {in_words(getattr(shipped, name), spec)}."
        for name, spec in bars.bars().items()
        if name in bars.weaker_than(shipped)
    ]
