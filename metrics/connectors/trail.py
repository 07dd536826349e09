"""Our own request trail as a source: what the application's spans say about a release, counted exactly."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from audit import trail
from audit.histogram import GAMMA
from metrics.findings import Finding
from metrics.judges.canary import WindowFacts
from metrics.judges.latency import Histogram
from metrics.problems import Invalid, SourceFailed

NAME = "trail"
# Spans come in some seconds after they end, and are summed up when their trace has gone quiet.
SETTLE = timedelta(seconds=60)


def describe() -> str:
    return "The request trail: the spans that the application sends here, told apart by release."


def windows(
    config: Mapping[str, Any],
    *,
    system: str,
    release_label: str,
    spans: Sequence[tuple[datetime, datetime]],
) -> tuple[list[WindowFacts], bytes]:
    """Facts of each window and what they were read from. Silence is an answer of zero; the judge decides what it is.

    Raises SourceFailed while requests of these windows wait to be summed up (a worker was away): what was counted now
    would be too little, for ever.
    """
    wanted = environments(config)
    waiting = trail.waiting_since()
    if waiting is not None and waiting < spans[-1][1] + SETTLE / 2:
        raise SourceFailed("Requests that came in by then are still being summed up.")
    facts, raw = [], []
    for since, until in spans:
        rates = trail.rates(system, since=since, until=until, environments=wanted, release=release_label)
        facts.append(WindowFacts(since, until, True, rates.requests, rates.errors, ranges(rates.latency)))
        raw.append(
            {
                "since": since.isoformat(),
                "until": until.isoformat(),
                "requests": rates.requests,
                "errors": rates.errors,
                "latency": list(rates.latency),
            }
        )
    about = {"source": NAME, "system": system, "release": release_label, "environments": wanted}
    return facts, json.dumps({**about, "windows": raw, "checkpoint": trail.last_checkpoint()}, sort_keys=True).encode()


def ranges(bins: Sequence[int]) -> Histogram:
    """audit.histogram's bins with their bounds: bin i holds (gamma^(i-1), gamma^i] ms, bin 0 everything up to 1 ms."""
    return tuple(
        (Decimal(0) if index == 0 else _power(index - 1), _power(index), count)
        for index, count in enumerate(bins)
        if count
    )


def _power(index: int) -> Decimal:
    return Decimal(GAMMA**index).quantize(Decimal("0.001"))


def environments(config: Mapping[str, Any]) -> list[str] | None:
    unknown = set(config) - {"environments"}
    if unknown:
        raise Invalid(f"Trail sources have no setting {', '.join(sorted(unknown))}.")
    return list(config.get("environments") or []) or None


def check(config: Mapping[str, Any], *, system: str, now: datetime) -> list[Finding]:
    day = trail.rates(system, since=now - timedelta(days=1), until=now, environments=environments(config))
    if day.requests == 0:
        return [Finding(False, "No request of this system came in during the last day.")]
    return [Finding(True, f"{day.requests:,} requests came in during the last day, {day.errors:,} of them failed.")]
