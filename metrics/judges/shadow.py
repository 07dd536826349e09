"""A shadow run beside the release that serves: is it as sound, and does it answer alike? Pure, looked at once.

The absolute triggers are those of the canary. Errors and latency are compared in place and in spread over stretches of
ten minutes, by the test that fits the kind of metric (metrics.judges.series). What the answers look like (length, cost,
form) is compared as whole distributions, and told, not judged: a release that answers otherwise may be the point of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from metrics.judges import canary, series
from metrics.judges.canary import CanaryVerdict, WindowFacts
from metrics.judges.drift import Feature
from metrics.judges.latency import merge, quantile

STRETCH = timedelta(minutes=10)
ALPHA = 0.05  # chance that a shadow which is the same is called worse, shared by the two metrics
ALIKE = 1.1  # one side has at most so many times the other's requests in a stretch, for their spread to be compared
P95 = Decimal("0.95")
PASSED, FAILED, INCONCLUSIVE = "passed", "failed", "inconclusive"


@dataclass(frozen=True)
class Compared:
    """One metric beside the live release's. `kind` chose the test."""

    name: str
    kind: str
    change: series.Change


@dataclass(frozen=True)
class Report:
    outcome: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    covered_hours: Decimal
    requests: int
    live_requests: int
    compared: tuple[Compared, ...]
    answers: tuple[Feature, ...]
    windows_digest: str


def judge(
    verdict: CanaryVerdict,
    mine: Sequence[WindowFacts],
    live: Sequence[WindowFacts],
    answers: Sequence[Feature],
    *,
    since: datetime,
    min_requests: int,
) -> Report:
    """`verdict`: what the canary's judge says of the same windows by the absolute triggers alone."""
    sides = [list(_stretches(windows, since)) for windows in (mine, live)]
    compared = (
        Compared("error rate", "proportion", _compare(sides, _error_rate, "proportion")),
        Compared("p95 latency", "quantile", _compare(sides, _p95, "quantile")),
    )
    requests, live_requests = (sum(w.requests for w in windows if w.answered) for windows in (mine, live))
    failed, unsure = list(_failures(verdict, compared)), list(_doubts(verdict, compared))
    for name, count in (("The shadow", requests), ("The live release", live_requests)):
        if count < min_requests:
            unsure.append(f"{name} had {count} of {min_requests} requests.")
    return Report(
        outcome=FAILED if failed else INCONCLUSIVE if unsure else PASSED,
        reasons=tuple(failed or unsure),
        notes=tuple(f"Answers differ. {one.sentence}" for one in answers if one.outcome == "drifted"),
        covered_hours=verdict.covered_hours,
        requests=requests,
        live_requests=live_requests,
        compared=compared,
        answers=tuple(answers),
        windows_digest=canary.digest([*mine, *live]),
    )


def _failures(verdict: CanaryVerdict, compared: Sequence[Compared]) -> Iterator[str]:
    if verdict.outcome in canary.ENDING:
        yield from verdict.reasons
    for one in compared:
        if one.change.outcome == series.FAIL:
            yield f"Worse than the live release: {one.name}. {one.change.sentence}"


def _doubts(verdict: CanaryVerdict, compared: Sequence[Compared]) -> Iterator[str]:
    if verdict.outcome in (canary.RUNNING, canary.INCONCLUSIVE):
        yield from verdict.reasons
    for one in compared:
        if one.change.outcome == series.INCONCLUSIVE:
            yield f"{one.name.capitalize()}: {one.change.sentence}"


def _compare(sides: Sequence[Sequence[Sequence[WindowFacts]]], measure: object, kind: str) -> series.Change:
    mine, live = ([measure(stretch) for stretch in side] for side in sides)  # type: ignore[operator]
    return series.compare(mine, live, kind=kind, direction="up", alpha=ALPHA / 2, spread=_as_many(sides))


def _as_many(sides: Sequence[Sequence[Sequence[WindowFacts]]]) -> bool:
    """Whether both rest on about as many requests: a share of the traffic scatters more than all of it does."""
    few, many = sorted(sum(w.requests for stretch in side for w in stretch) / max(1, len(side)) for side in sides)
    return many <= ALIKE * few


def _stretches(windows: Sequence[WindowFacts], since: datetime) -> Iterator[list[WindowFacts]]:
    """Windows that were answered, ten minutes at a time: a minute alone is mostly noise."""
    stretch: dict[int, list[WindowFacts]] = {}
    for window in windows:
        if window.answered and window.requests:
            stretch.setdefault((window.since - since) // STRETCH, []).append(window)
    yield from (stretch[number] for number in sorted(stretch))


def _error_rate(windows: Sequence[WindowFacts]) -> float:
    return sum(w.errors for w in windows) / sum(w.requests for w in windows)


def _p95(windows: Sequence[WindowFacts]) -> float | None:
    found = quantile(merge(w.latency for w in windows), P95)
    return None if found is None else float(found)
