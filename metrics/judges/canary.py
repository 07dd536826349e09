"""Is the canary doing well? A pure judgement over the windows of its rollout, looked at after every one of them.

It fails when hours with enough requests lie above a trigger, when the evidence within an hour that the true rate lies
above it is overwhelming (so that a bad release is stopped within a window or two), or when it is worse than the live
release. The clock counts only covered hours; what was not answered never counts for it.

Limits are named as Argo Rollouts names them, and all of its ways to pass on silence are closed: whatever outcome is
worse wins (fail, then error, then inconclusive), errors in a row end the run, and nothing that stops early is a pass.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

from metrics.judges import sequential
from metrics.judges.against_live import Comparison, compare
from metrics.judges.latency import Histogram, merge, quantile, slower_than, total

ERRORS, SLOW = "error rate", "p95"
PASS, FAIL, ERROR, INCONCLUSIVE, RUNNING = "pass", "fail", "error", "inconclusive", "running"
ENDING = (FAIL, ERROR)  # the rollout is taken back at once
BIN = timedelta(hours=1)
_TICK = timedelta(microseconds=1)
SLOW_SHARE = Decimal("0.05")  # p95 above the limit is: more than 5 % of the requests slower than it
NAMED = 5


@dataclass(frozen=True)
class WindowFacts:
    since: datetime
    until: datetime
    answered: bool
    requests: int = 0
    errors: int = 0
    latency: Histogram = ()
    reason: str = ""
    raw_digest: str = ""
    note: str = ""  # what was odd about an answer that counts: a restarted counter, a new series, a clock


@dataclass(frozen=True)
class Limits:
    """Rates are shares. More than `failure_limit` breaches fail, more than `consecutive_error_limit` unanswered windows
    in a row are an error, more than `inconclusive_limit` hours that do not count leave it inconclusive for good.
    `alpha`: chance that the sequential tests ever raise a false alarm in a whole rollout. `least_effect` and
    `least_slowdown`: how much worse than the live release is worth stopping for."""

    error_rate_max: Decimal
    p95_ms_max: int
    hours: int
    coverage: Decimal
    failure_limit: int
    min_requests: int
    alpha: Decimal = Decimal("0.05")
    least_effect: Decimal = Decimal("0.002")
    least_slowdown: Decimal = Decimal("1.1")  # times the live release's p95
    inconclusive_limit: int = 24
    consecutive_error_limit: int = 30


@dataclass(frozen=True)
class Bin:
    """An hour of the rollout, counted from its start. `answered` is the share of its time that was answered."""

    since: datetime
    until: datetime
    complete: bool
    answered: Decimal
    covered: bool
    requests: int
    errors: int
    slow: Decimal
    p95_ms: Decimal | None


@dataclass(frozen=True)
class Breach:
    since: datetime
    until: datetime
    sentence: str


@dataclass(frozen=True)
class CanaryVerdict:
    outcome: str
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    covered_hours: Decimal
    requests: int
    errors: int
    error_rate: Decimal | None
    p95_ms: Decimal | None
    breaches: int
    breached: tuple[Breach, ...]
    bins: tuple[Bin, ...]
    windows_digest: str
    p_worse: Decimal | None = None  # always-valid p-value of "no worse than the baseline"; None: nothing to compare
    compared_requests: int = 0


def judge(
    windows: Sequence[WindowFacts],
    limits: Limits,
    *,
    since: datetime,
    until: datetime,
    baseline: Sequence[WindowFacts] = (),
    compared: bool = False,
) -> CanaryVerdict:
    """Judges the rollout from `since` to `until`; others are left out.

    `baseline`: windows of the live release. `compared`: there is one, so a comparison that is missing blocks.
    """
    seen = sorted((_checked(window) for window in windows if _within(window, since, until)), key=lambda w: w.since)
    live = sorted((window for window in baseline if _within(window, since, until)), key=lambda w: w.since)
    bins = tuple(_bins(seen, limits, since, until))
    breached = tuple(_breaches(seen, bins, limits))
    answered = [window for window in seen if window.answered]
    requests, errors = (sum(getattr(w, name) for w in answered) for name in ("requests", "errors"))
    spread = merge(window.latency for window in answered)
    against = _compare(answered, live, limits)
    covered = sum(item.covered for item in bins)
    outcome, reasons = _decide(bins, breached, limits, since, until)
    outcome, reasons = _worst(outcome, reasons, seen, bins, against, limits, compared=compared)
    return CanaryVerdict(
        outcome=outcome,
        reasons=tuple(reasons),
        notes=tuple(_notes(bins, breached, limits, against)),
        covered_hours=Decimal(covered),
        requests=requests,
        errors=errors,
        error_rate=_share(errors, requests),
        p95_ms=quantile(spread, 1 - SLOW_SHARE),
        breaches=len(breached),
        breached=breached,
        bins=bins,
        windows_digest=digest([*seen, *live]),
        p_worse=None
        if against.p_worse is None
        else Decimal(against.p_worse).quantize(Decimal("0.000001"), ROUND_HALF_EVEN),
        compared_requests=against.requests,
    )


def digest(windows: Sequence[WindowFacts]) -> str:
    """Names exactly these windows: times, counts, and the raw answers (by digest) that all of it was read from."""
    lines = (
        f"{w.since.isoformat()} {w.until.isoformat()} {w.answered:d} {w.requests} {w.errors} {w.raw_digest}\n"
        for w in windows
    )
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def _decide(
    bins: Sequence[Bin],
    breached: Sequence[Breach],
    limits: Limits,
    since: datetime,
    until: datetime,
) -> tuple[str, list[str]]:
    if len(breached) > limits.failure_limit:
        return FAIL, [breach.sentence for breach in breached]
    covered, requests = sum(item.covered for item in bins), sum(item.requests for item in bins)
    reasons = []
    if covered < limits.hours:
        reasons.append(f"{covered} of {limits.hours} hours are covered.")
    if requests < limits.min_requests:
        reasons.append(f"Not enough data: {requests} of {limits.min_requests} requests.")
    if covered < limits.hours:
        return RUNNING, reasons
    if reasons:
        return INCONCLUSIVE, reasons
    for trigger, share_max in _triggers(limits):
        bad = sum((_bad(trigger, item) for item in bins), Decimal(0))
        if Fraction(bad) / requests > Fraction(share_max):
            reasons.append(_sentence(trigger, since, until, bad, requests, limits))
    return (FAIL, reasons) if reasons else (PASS, [])


def _worst(
    outcome: str,
    reasons: list[str],
    windows: Sequence[WindowFacts],
    bins: Sequence[Bin],
    against: Comparison,
    limits: Limits,
    *,
    compared: bool,
) -> tuple[str, list[str]]:
    """What else speaks against it. Of all outcomes the worst wins, and every reason for it is told."""
    found = {FAIL: list(against.reasons), ERROR: [], INCONCLUSIVE: []}
    silent = _longest_silence(windows)
    if silent > limits.consecutive_error_limit:
        found[ERROR].append(
            f"{silent} pulls in a row were not answered; {limits.consecutive_error_limit} are tolerated."
        )
    lost = sum(item.complete and not item.covered for item in bins)
    if lost > limits.inconclusive_limit:
        found[INCONCLUSIVE].append(f"{lost} hours did not count; {limits.inconclusive_limit} are tolerated.")
    if compared and outcome == PASS and against.requests < limits.min_requests:
        found[INCONCLUSIVE].append(
            f"Not enough data to compare with the live release in the same windows: "
            f"{against.requests} of {limits.min_requests} requests."
        )
    for worse in (FAIL, ERROR, INCONCLUSIVE):
        if outcome == worse or found[worse]:
            return worse, (reasons if outcome == worse else []) + found[worse]
    return outcome, reasons


def _longest_silence(windows: Sequence[WindowFacts]) -> int:
    longest = here = 0
    for window in windows:
        here = 0 if window.answered else here + 1
        longest = max(longest, here)
    return longest


def _checked(window: WindowFacts) -> WindowFacts:
    """A window whose numbers contradict each other, or lack the latency of requests it counts, was not answered."""
    if not window.answered:
        return replace(window, requests=0, errors=0, latency=())
    if not 0 <= window.errors <= window.requests:
        return _unanswered(window, "more errors than requests")
    if window.requests and not total(window.latency):
        return _unanswered(window, "no latency for its requests")
    return window


def _unanswered(window: WindowFacts, reason: str) -> WindowFacts:
    return replace(window, answered=False, requests=0, errors=0, latency=(), reason=reason)


def _within(window: WindowFacts, since: datetime, until: datetime) -> bool:
    return since <= window.since < window.until <= until


def _bins(windows: Sequence[WindowFacts], limits: Limits, since: datetime, until: datetime) -> Iterator[Bin]:
    """Hours from the start on. An hour is covered when it is over, was answered, and served anybody at all."""
    start = since
    while start < until:
        end = start + BIN
        inside = [window for window in windows if start <= window.since < end and window.answered]
        # A second is answered once: windows that overlap do not add up to more than their hour.
        share = Fraction(_union(inside) // _TICK, BIN // _TICK)
        requests = sum(window.requests for window in inside)
        spread = merge(window.latency for window in inside)
        complete = end <= until
        yield Bin(
            since=start,
            until=min(end, until),
            complete=complete,
            answered=(Decimal(share.numerator) / share.denominator).quantize(Decimal("0.0001"), ROUND_HALF_EVEN),
            covered=complete and share >= Fraction(limits.coverage) and requests > 0,
            requests=requests,
            errors=sum(window.errors for window in inside),
            slow=slower_than(spread, Decimal(limits.p95_ms_max)),
            p95_ms=quantile(spread, 1 - SLOW_SHARE),
        )
        start = end


def _union(windows: Sequence[WindowFacts]) -> timedelta:
    covered, end = timedelta(0), None
    for window in windows:
        start = window.since if end is None else max(window.since, end)
        if window.until > start:
            covered += window.until - start
            end = window.until
    return covered


def _triggers(limits: Limits) -> tuple[tuple[str, Decimal], ...]:
    return (ERRORS, limits.error_rate_max), (SLOW, SLOW_SHARE)


def _bad(trigger: str, counted: Bin) -> Decimal:
    return Decimal(counted.errors) if trigger == ERRORS else counted.slow


def _bad_in(trigger: str, window: WindowFacts, limits: Limits) -> Decimal:
    if trigger == ERRORS:
        return Decimal(window.errors)
    return slower_than(window.latency, Decimal(limits.p95_ms_max))


def _breaches(windows: Sequence[WindowFacts], bins: Sequence[Bin], limits: Limits) -> Iterator[Breach]:
    """Per trigger: overwhelming evidence within an hour, or a stretch of whole hours above it.

    A stretch is as many hours as it takes to have the requests that let a rate decide: one where traffic is dense.
    """
    for trigger, share_max in _triggers(limits):
        start: datetime | None = None
        requests, bad = 0, Decimal(0)
        for number, hour in enumerate(bins, start=1):
            if early := _overwhelming(trigger, share_max, windows, hour, number, limits):
                yield early
                start, requests, bad = None, 0, Decimal(0)
            elif hour.complete:
                start = start or hour.since
                requests, bad = requests + hour.requests, bad + _bad(trigger, hour)
                if requests >= limits.min_requests:
                    if Fraction(bad) / requests > Fraction(share_max):
                        sentence = _sentence(trigger, start, hour.until, bad, requests, limits)
                        yield Breach(start, hour.until, sentence)
                    start, requests, bad = None, 0, Decimal(0)


def _overwhelming(
    trigger: str, share_max: Decimal, windows: Sequence[WindowFacts], hour: Bin, number: int, limits: Limits
) -> Breach | None:
    """The first window of the hour after which the true rate cannot well be at or below the trigger.

    The chance of a false alarm is shared out: a quarter of alpha for each trigger (the comparison has the others), and
    1/(k(k+1)) of that for hour k, which adds up to one however long the rollout runs.
    """
    if not 0 < share_max < 1:
        return None
    needed = -math.log(float(limits.alpha) / 4 / (number * (number + 1)))
    requests, bad = 0, Decimal(0)
    for window in windows:
        if window.answered and hour.since <= window.since < hour.until:
            requests, bad = requests + window.requests, bad + _bad_in(trigger, window, limits)
            if sequential.log_wealth_above(requests, float(bad), float(share_max)) >= needed:
                sentence = _sentence(trigger, hour.since, window.until, bad, requests, limits)
                return Breach(window.since, window.until, sentence)
    return None


def _sentence(trigger: str, since: datetime, until: datetime, bad: Decimal, requests: int, limits: Limits) -> str:
    when = _when(since, until)
    if trigger == ERRORS:
        return (
            f"Error rate {_percent(bad, requests)} ({bad:.0f} of {requests} requests), {when}: "
            f"above {_percent_of(limits.error_rate_max)}."
        )
    return (
        f"{_percent(bad, requests)} of {requests} requests took longer than {limits.p95_ms_max} ms, {when}: "
        f"p95 is above {limits.p95_ms_max} ms."
    )


def _compare(canary: Sequence[WindowFacts], baseline: Sequence[WindowFacts], limits: Limits) -> Comparison:
    """Against the live release, in windows that both answered."""
    others = {w.since: w for w in map(_checked, baseline) if w.answered}
    return compare(
        [(window, others[window.since]) for window in canary if window.since in others],
        p95_ms_max=limits.p95_ms_max,
        alpha=float(limits.alpha) / 2,
        least_effect=limits.least_effect,
        least_slowdown=limits.least_slowdown,
    )


def _notes(bins: Sequence[Bin], breached: Sequence[Breach], limits: Limits, against: Comparison) -> Iterator[str]:
    gaps = [item for item in bins if item.complete and not item.covered]
    for item in gaps[:NAMED]:
        why = "served no request" if item.requests == 0 and item.answered else f"{item.answered:.0%} of it was answered"
        yield f"{_when(item.since, item.until)} does not count: {why}."
    if len(gaps) > NAMED:
        yield f"{len(gaps) - NAMED} more hours do not count."
    if breached and len(breached) <= limits.failure_limit:
        yield f"{len(breached)} of {limits.failure_limit} tolerated breaches: " + " ".join(b.sentence for b in breached)
    if against.p_worse is None:
        yield "There was no live release to compare with in the same windows; only the absolute triggers decide."


def _when(since: datetime, until: datetime) -> str:
    end = f"{until:%H:%M}" if since.date() == until.date() else f"{until:%Y-%m-%d %H:%M}"
    return f"{since:%Y-%m-%d %H:%M} to {end} UTC"


def _share(part: int, whole: int) -> Decimal | None:
    return (Decimal(part) / whole).quantize(Decimal("0.000001"), ROUND_HALF_EVEN) if whole else None


def _percent(part: Decimal | float, whole: int) -> str:
    return _percent_of(Decimal(part) / whole) if whole else "0 %"


def _percent_of(share: Decimal) -> str:
    return f"{(share * 100).quantize(Decimal('0.01')).normalize():f} %"
