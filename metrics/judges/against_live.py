"""Is the canary worse than the live release, in the windows that both answered? Pure.

The judge is chosen by the kind of metric: errors and requests above the p95 limit are proportions; latency itself is a
quantile, and is compared as the share of requests slower than the live release's own p95 so far, which needs no idea of
how latencies are distributed. All three are tested sequentially (`sequential.log_wealth_worse`), so looking after every
window raises no more false alarms than looking once. Significance alone stops nothing: each kind has a least effect.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

from metrics.judges import sequential
from metrics.judges.latency import Histogram, merge, quantile, slower_than

P95 = Decimal("0.95")
# The live release's p95 is taken afresh after so many windows, then after twice as many, and so on.
_FIRST_LOOK = 5


class Counted(Protocol):
    @property
    def requests(self) -> int: ...
    @property
    def errors(self) -> int: ...
    @property
    def latency(self) -> Histogram: ...


@dataclass(frozen=True)
class Comparison:
    """`requests`: of the side that has fewer, in windows that both answered. `p_worse` is None where there are none."""

    reasons: tuple[str, ...] = ()
    p_worse: float | None = None
    requests: int = 0


def compare(
    pairs: Sequence[tuple[Counted, Counted]],
    *,
    p95_ms_max: int,
    alpha: float,
    least_effect: Decimal,
    least_slowdown: Decimal,
) -> Comparison:
    """`pairs`: canary and live release, window by window, in order. `alpha` is shared by the three tests."""
    requests = min(sum(mine.requests for mine, _ in pairs), sum(other.requests for _, other in pairs))
    if not requests:
        return Comparison()
    limit = Decimal(p95_ms_max)
    found = [
        _proportion(
            [sequential.Block(a.requests, a.errors, b.requests, b.errors) for a, b in pairs],
            "of its requests failed",
            alpha / 3,
            least_effect,
        ),
        _proportion(
            [_slow(mine, other, limit) for mine, other in pairs],
            f"took longer than {p95_ms_max} ms",
            alpha / 3,
            least_effect,
        ),
        _quantile(pairs, alpha / 3, least_slowdown),
    ]
    return Comparison(tuple(reason for _, reason in found if reason), min(p for p, _ in found), requests)


def _slow(mine: Counted, other: Counted, limit: Decimal) -> sequential.Block:
    return sequential.Block(
        mine.requests,
        float(slower_than(mine.latency, limit)),
        other.requests,
        float(slower_than(other.latency, limit)),
    )


def _proportion(blocks: Sequence[sequential.Block], what: str, alpha: float, least: Decimal) -> tuple[float, str]:
    """p-value, and the reason to stop if there is one: significant, and worse by at least `least`."""
    p_value = sequential.p_value(sequential.log_wealth_worse(blocks))
    mine, theirs = _shares(blocks)
    if p_value > alpha or mine - theirs < Fraction(least):
        return p_value, ""
    return p_value, (
        f"Worse than the live release in the same windows: {_percent(mine)} {what}, against {_percent(theirs)}."
    )


def _shares(blocks: Sequence[sequential.Block]) -> tuple[Fraction, Fraction]:
    mine = Fraction(sum(block.bad for block in blocks)) / sum(block.requests for block in blocks)
    base = Fraction(sum(b.baseline_bad for b in blocks)) / sum(b.baseline_requests for b in blocks)
    return mine, base


def _quantile(pairs: Sequence[tuple[Counted, Counted]], alpha: float, least: Decimal) -> tuple[float, str]:
    p_value = sequential.p_value(sequential.log_wealth_worse(_beyond_live_p95(pairs)))
    if p_value > alpha:
        return p_value, ""
    mine, theirs = (quantile(merge(side.latency for side in sides), P95) for sides in zip(*pairs, strict=True))
    if mine is None or theirs is None or mine < theirs * least:
        return p_value, ""
    return p_value, f"Slower than the live release in the same windows: p95 {mine:.0f} ms, against {theirs:.0f} ms."


def _beyond_live_p95(pairs: Sequence[tuple[Counted, Counted]]) -> Iterable[sequential.Block]:
    """How many of either side are slower than the live release's p95 of the windows before: a bound that no bet knows
    the outcome of. The windows until the first bound are no evidence."""
    bound: Decimal | None = None
    seen: list[Histogram] = []
    look = _FIRST_LOOK
    for number, (mine, other) in enumerate(pairs, start=1):
        if bound is not None:
            yield _slow(mine, other, bound)
        seen.append(other.latency)
        if number == look:
            bound, look = quantile(merge(seen), P95), look * 2


def _percent(share: Fraction) -> str:
    exact = Decimal(share.numerator) / share.denominator
    return f"{(exact * 100).quantize(Decimal('0.01')).normalize():f} %"
