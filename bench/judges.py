"""How fast and how right the judges are: `.venv/bin/python bench/judges.py [speed|canaries|intervals]` (all: minutes).

speed       10,000 paired cases with 10,000 resamples (goal: under 2 s and 300 MB), and one look at a canary's day
canaries    2,000 canaries with no difference, and 500 each with a small, medium and large one: how often each judge
            stops them and after how long, the canary's whole judge after every window; takes every core for a while
intervals   how often the 95 % interval of an evaluation holds the true change (goal: 93 to 97 %)
"""

import math
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from metrics.judges.canary import CanaryVerdict, Limits, WindowFacts, judge
from metrics.judges.evaluation import Case, EvaluationBars, Run
from metrics.judges.evaluation import judge as judge_evaluation
from metrics.judges.resampling import bootstrap_interval

START = datetime(2026, 11, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BARS = EvaluationBars(min_delta=Decimal("0.02"), min_score=Decimal("0.7"), bar="point", min_cases=30)
LIMITS = Limits(
    error_rate_max=Decimal("0.015"),
    p95_ms_max=2000,
    hours=24,
    coverage=Decimal("0.95"),
    failure_limit=0,
    min_requests=300,
)
ALPHA = 0.05


def speed() -> None:
    for kind, levels in (("pass or fail", 1), ("scores of 9,973 levels", 9973)):
        chance = np.random.default_rng(1)
        one, two = (chance.integers(0, levels + 1, 10_000) for _ in range(2))
        candidate, baseline = (_run([Fraction(int(n), levels) for n in side]) for side in (one, two))
        judge_evaluation(candidate, baseline, BARS)
        took = min(_seconds(judge_evaluation, candidate, baseline, BARS) for _ in range(3))
        tracemalloc.start()
        judge_evaluation(candidate, baseline, BARS)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        print(
            f"evaluation, 10,000 pairs, 10,000 resamples, {kind}: {took:.2f} s, {peak / 1e6:.0f} MB (goal 2 s, 300 MB)"
        )
    day, live = _windows(_simulate(np.random.default_rng(2), 1440, 50, 0.005)), _windows(
        _simulate(np.random.default_rng(3), 1440, 450, 0.005)
    )  # fmt: skip
    until = START + timedelta(hours=24)
    took = min(_seconds(judge, day, LIMITS, since=START, until=until, baseline=live) for _ in range(3))
    print(
        f"canary, one look at a full day of minutes beside the live release: {took * 1000:.0f} ms of processor; "
        f"twenty of them once a minute: {took * 20 / 60:.3f} of a core (goal 0.1, with pulling)"
    )


def _seconds(work: Callable[..., object], *given: object, **more: object) -> float:
    began = time.process_time()
    work(*given, **more)
    return time.process_time() - began


def _run(scores: Sequence[Fraction]) -> Run:
    return Run("r", "sha256:d", "correct", tuple(Case(f"case-{n:05}", score) for n, score in enumerate(scores)))


def _simulate(chance: np.random.Generator, minutes: int, requests: int, rate: float) -> list[tuple[int, int]]:
    counts = chance.poisson(requests, minutes)
    return [(int(n), int(bad)) for n, bad in zip(counts, chance.binomial(counts, rate), strict=True)]


def _windows(counts: Sequence[tuple[int, int]]) -> list[WindowFacts]:
    at = [START + n * MINUTE for n in range(len(counts))]
    return [
        WindowFacts(moment, moment + MINUTE, True, n, bad, ((Decimal(0), Decimal(500), n),) if n else ())
        for moment, (n, bad) in zip(at, counts, strict=True)
    ]


@dataclass(frozen=True)
class Rates:
    """How often one judge stopped canaries of one kind, and after how many minutes."""

    difference: str
    judge: str
    stopped: float
    median_delay: float | None


KINDS = (("none", 0.005, 1), ("small: 0.8 %", 0.008, 4), ("medium: 1.2 %", 0.012, 4), ("large: 3 %", 0.03, 4))


def canaries(count: int = 2000, hours: int = 24, requests: int = 20) -> list[Rates]:
    """A canary with a tenth of the traffic beside a live release with 0.5 % errors; the trigger is 1.5 %."""
    print(
        f"{hours} h, {requests} requests a minute in the canary, {9 * requests} in the live release, 0.5 % errors there"
    )
    print(f"{'difference':24} {'judge':34} {'stopped':>8}  {'median delay':>12}")
    rates = []
    with ProcessPoolExecutor() as pool:
        for name, rate, part in KINDS:
            found: dict[str, list[float | None]] = {}
            one = partial(_one, hours=hours, requests=requests, rate=rate)
            for delays in pool.map(one, range(count // part), chunksize=4):
                for judge_name, delay in delays.items():
                    found.setdefault(judge_name, []).append(delay)
            rates += [_rates(name, judge_name, delays) for judge_name, delays in found.items()]
    return rates


def _rates(difference: str, judge_name: str, delays: Sequence[float | None]) -> Rates:
    stopped = [delay for delay in delays if delay is not None]
    median = statistics.median(stopped) if stopped else None
    rates = Rates(difference, judge_name, len(stopped) / len(delays), median)
    low, high = wilson(len(stopped), len(delays))
    delay = "-" if median is None else f"{median:.0f} min"
    between = f"({low:.1%} to {high:.1%} of {len(delays):,})"
    print(f"{difference:24} {judge_name:34} {rates.stopped:8.2%}  {delay:>12}  {between}", flush=True)
    return rates


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a share that was counted."""
    z, share = 1.96, hits / of
    middle, half = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return max(0.0, (middle - half) / (1 + z * z / of)), min(1.0, (middle + half) / (1 + z * z / of))


def _one(seed: int, hours: int, requests: int, rate: float) -> dict[str, float | None]:
    """After how many minutes each judge stops one canary; None: never."""
    chance = np.random.default_rng([20_260_101, seed, int(rate * 1e6)])
    mine = _simulate(chance, hours * 60, requests, rate)
    live = _simulate(chance, hours * 60, 9 * requests, 0.005)
    return {
        "ours: the judge, every window": _judged(mine, live, hours),
        "fixed horizon, once at the end": _fixed(mine, live),
        "fixed horizon, at every window": _peeking(mine, live),
        "plain: 1.5 % in any window": next((n + 1.0 for n, (all_, bad) in enumerate(mine) if bad > 0.015 * all_), None),
        "plain: 1.5 % in any hour": _plain_hour(mine),
    }


def _judged(mine: Sequence[tuple[int, int]], live: Sequence[tuple[int, int]], hours: int) -> float | None:
    """The canary's judge itself, as the worker asks it. A breach stays, and the evidence of a comparison never shrinks,
    so the first failing look can be searched for; where only the size of the difference wavers, every hour is asked."""
    windows, others = _windows(mine), _windows(live)

    def fails(look: int) -> bool:
        return _look(windows[:look], others[:look], hours, look).outcome == "fail"

    last = _look(windows, others, hours, len(windows))
    if last.outcome != "fail":
        if last.p_worse is None or last.p_worse > Decimal(str(ALPHA / 6)):
            return None
        high = next((look for look in range(60, len(windows), 60) if fails(look)), 0)
        if not high:
            return None
    else:
        high = len(windows)
    low = 0
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fails(middle) else (middle, high)
    return float(high)


def _look(mine: Sequence[WindowFacts], live: Sequence[WindowFacts], hours: int, minutes: int) -> CanaryVerdict:
    limits, until = replace(LIMITS, hours=hours), START + minutes * MINUTE
    return judge(mine, limits, since=START, until=until, baseline=live, compared=True)


def _z(a: np.ndarray, x: np.ndarray, b: np.ndarray, y: np.ndarray) -> np.ndarray:
    pooled = (x + y) / (a + b)
    error = np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / a + 1 / b), 1e-12))
    return (x / a - y / b) / error


def _looks(mine: Sequence[tuple[int, int]], live: Sequence[tuple[int, int]]) -> np.ndarray:
    a, x = np.cumsum(np.array(mine), axis=0).T
    b, y = np.cumsum(np.array(live), axis=0).T
    return _z(np.maximum(a, 1), x, np.maximum(b, 1), y)


def _fixed(mine: Sequence[tuple[int, int]], live: Sequence[tuple[int, int]]) -> float | None:
    return float(len(mine)) if _looks(mine, live)[-1] > 1.6449 else None


def _peeking(mine: Sequence[tuple[int, int]], live: Sequence[tuple[int, int]]) -> float | None:
    above = np.nonzero(_looks(mine, live)[29:] > 1.6449)[0]
    return float(above[0] + 30) if len(above) else None


def _plain_hour(mine: Sequence[tuple[int, int]]) -> float | None:
    for end in range(60, len(mine) + 1, 60):
        hour = mine[end - 60 : end]
        if sum(bad for _, bad in hour) > 0.015 * sum(n for n, _ in hour):
            return float(end)
    return None


def intervals(rounds: int = 2000) -> None:
    """Paired differences of evaluations: pass and fail as -1, 0, 1, and scores that vary continuously."""
    for name, cases, draw, truth in (
        ("pass and fail, 200 cases", 200, lambda c, n: c.choice([-1, 0, 1], n, p=[0.06, 0.84, 0.10]), 0.04),
        ("pass and fail, 1,000 cases", 1000, lambda c, n: c.choice([-1, 0, 1], n, p=[0.06, 0.84, 0.10]), 0.04),
        ("scores, 200 cases", 200, lambda c, n: c.normal(0.02, 0.2, n), 0.02),
        ("skewed scores, 200 cases", 200, lambda c, n: c.exponential(0.1, n) - 0.08, 0.02),
    ):
        chance = np.random.default_rng(7)
        held = 0
        for seed in range(rounds):
            low, high = bootstrap_interval(
                np.asarray(draw(chance, cases), dtype=float), confidence=0.95, resamples=2000, seed=seed, spread=1.0
            )
            held += low <= truth <= high
        print(f"95 % interval, {name}: holds the true change in {held / rounds:.1%} of {rounds:,} (goal 93 to 97 %)")


PARTS = {"speed": speed, "canaries": canaries, "intervals": intervals}

if __name__ == "__main__":
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()
