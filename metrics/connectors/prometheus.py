"""Prometheus: requests, errors and latency of one release, counted from raw samples.

We do not ask for `increase()` or `rate()`: they extrapolate, and their windows do not add up. We ask for the samples of
the counters and count ourselves: every increment belongs to the window in which it was scraped, so windows add up to
exactly what the application counted; a counter that starts again at zero is a restart, not a loss.

Errors are requests whose error label has one of the named values: one metric, so zero errors is a fact and not the
silence of a selector with a typing error in it.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import pairwise
from operator import itemgetter
from typing import Any
from urllib.parse import urlencode

from metrics import egress
from metrics.findings import Finding
from metrics.judges.canary import WindowFacts
from metrics.judges.latency import Histogram
from metrics.problems import Invalid, MetricsError, SourceFailed, Unreadable
from metrics.reading import optional, read_json

NAME = "prometheus"
# Answers are final: a sample scraped in a window may be written a moment after it ends.
SETTLE = timedelta(seconds=15)
LOOKBACK = timedelta(minutes=5)  # Prometheus' own idea of how long a series without a new sample is still there
MAX_SKEW = timedelta(seconds=30)
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_LIMITS = egress.Limits(connect=5, read=15, total=30, max_bytes=20 * 1024 * 1024)

Sample = tuple[datetime, Decimal | None]  # None: the sample is not a number


@dataclass(frozen=True)
class Config:
    """What is asked for. `error_values` may use * and ?, as in `5*`."""

    url: str
    requests: str = "llm_requests_total"
    latency: str = "llm_request_duration_seconds"
    latency_unit: str = "s"
    release_label: str = "release"
    error_label: str = "outcome"
    error_values: tuple[str, ...] = ("error",)
    matchers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> "Config":
        unknown = set(config) - set(cls.__dataclass_fields__)
        if unknown:
            raise Invalid(f"Prometheus sources have no setting {', '.join(sorted(unknown))}.")
        read = cls(**{**config, "error_values": tuple(config.get("error_values", cls.error_values))})
        for name in (read.requests, read.latency):
            if not _METRIC.match(name):
                raise Invalid(f"{name!r} is not the name of a Prometheus metric.")
        for name in (read.release_label, read.error_label, *read.matchers):
            if not _LABEL.match(name):
                raise Invalid(f"{name!r} is not the name of a label.")
        if read.latency_unit not in ("s", "ms"):
            raise Invalid("The unit of latency is s or ms.")
        if not read.error_values:
            raise Invalid("Name at least one value of the error label that means an error.")
        return read


@dataclass(frozen=True)
class Series:
    labels: Mapping[str, str]
    samples: tuple[Sample, ...]

    @cached_property
    def increments(self) -> tuple[Sample, ...]:
        return tuple(_increments(self.samples))


def describe() -> str:
    return "A Prometheus server that scrapes the application: requests, errors and latency, told apart by release."


def windows(
    config: Mapping[str, Any],
    *,
    secret: str,
    release_label: str,
    spans: Sequence[tuple[datetime, datetime]],
    counted_before: bool,
) -> tuple[list[WindowFacts], bytes]:
    """Facts of adjoining windows and the raw answers. `counted_before`: earlier windows of this release had requests.

    Raises where Prometheus does not answer at all; a window that it cannot fill is unanswered, with the reason.
    """
    wanted = Config.read(config)
    since, until = spans[0][0], spans[-1][1]
    replies: list[dict[str, str]] = []
    requests = _ask(wanted, wanted.requests, release_label, since, until, secret, replies)
    buckets = _ask(wanted, wanted.latency + "_bucket", release_label, since, until, secret, replies)
    raw = json.dumps({"source": NAME, "replies": replies}, sort_keys=True).encode()
    if not requests:
        reason = f'There is no {wanted.requests} with {wanted.release_label}="{release_label}".'
        return [WindowFacts(start, end, False, reason=reason) for start, end in spans], raw
    _check_error_label(wanted, requests)
    clock = _clock_note(replies)
    facts = [_window(wanted, requests, buckets, span, counted_before) for span in spans]
    return [replace(one, note=" ".join([*clock, *_oddities(requests, one, since)])) for one in facts], raw


def _ask(
    config: Config,
    metric: str,
    release_label: str,
    since: datetime,
    until: datetime,
    secret: str,
    replies: list[dict[str, str]],
) -> list[Series]:
    matchers = {**config.matchers, config.release_label: release_label}
    selector = ",".join(f"{name}={_quoted(value)}" for name, value in matchers.items())
    seconds = int((until - since + LOOKBACK).total_seconds())
    body = _query(config.url, f"{metric}{{{selector}}}[{seconds}s]", until, secret, replies)
    found = []
    for entry in body:
        labels = optional(entry, "metric")
        if not isinstance(labels, dict) or labels.get(config.release_label) != release_label:
            raise Unreadable("Prometheus answered about another release than it was asked for.")
        found.append(Series(labels, tuple(_samples(entry.get("values")))))
    return found


def _query(url: str, query: str, at: datetime, secret: str, replies: list[dict[str, str]]) -> list[Any]:
    response = _get(url, "/api/v1/query", secret, {"query": query, "time": f"{at.timestamp():.3f}"})
    skew = f"{_skew(response, datetime.now(UTC)).total_seconds():.0f}"
    reply = response.body.decode("utf-8", "replace")
    replies.append({"query": query, "time": at.isoformat(), "skew_seconds": skew, "reply": reply})
    answer = read_json(response.body, "The answer of Prometheus")
    if optional(answer, "warnings"):
        # Servers in front of several Prometheus warn that way that a part is missing.
        raise SourceFailed(f"Prometheus answered with a warning: {answer['warnings']}")
    result = optional(answer, "data", "result")
    if optional(answer, "status") != "success" or not isinstance(result, list):
        raise SourceFailed(f"Prometheus refused the query: {optional(answer, 'error') or 'no reason given'}.")
    return result


def _get(url: str, path: str, secret: str, parameters: Mapping[str, str]) -> egress.Response:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    response = egress.fetch(
        url.rstrip("/") + path,
        method="POST" if parameters else "GET",
        headers=headers,
        content=urlencode(parameters).encode() if parameters else None,
        limits=_LIMITS,
    )
    if not response.ok:
        raise SourceFailed(f"Prometheus did not answer the query. {response.problem}")
    return response


def _skew(response: egress.Response, now: datetime) -> timedelta:
    """How far its clock is from ours, now: to the second, and nothing where it does not say."""
    date = response.headers.get("date")
    return parsedate_to_datetime(date) - now if date else timedelta(0)


def _clock_note(replies: Sequence[Mapping[str, str]]) -> list[str]:
    skew = max((int(reply["skew_seconds"]) for reply in replies), key=abs, default=0)
    if abs(skew) <= MAX_SKEW.total_seconds():
        return []
    return [
        f"Its clock is {abs(skew)} s {'ahead of' if skew > 0 else 'behind'} ours: windows lie beside their minutes."
    ]


def _oddities(requests: Sequence[Series], window: WindowFacts, asked_since: datetime) -> Iterator[str]:
    """What happened to the counters within a window that was answered all the same."""
    if not window.answered:
        return
    inside = (window.since, window.until)
    restarted, came, went = [], [], []
    for one in requests:
        first, last = (bisect_right(one.samples, moment, key=itemgetter(0)) for moment in inside)
        pairs = pairwise(one.samples[max(first - 1, 0) : last])
        if any(a is not None and b is not None and b < a for (_, a), (_, b) in pairs):
            restarted.append(_named(one))
        if first == 0 and last > 0 and one.samples[0][0] > asked_since:
            came.append(_named(one))
        if 0 < first == last and one.samples[first - 1][0] > window.since - (window.until - window.since):
            went.append(_named(one))
    for what, names in (("Began anew at zero", restarted), ("New series", came), ("No longer scraped", went)):
        if names:
            more = f" and {len(names) - 2} more" if len(names) > 2 else ""
            yield f"{what}: {', '.join(names[:2])}{more}."


def _named(one: Series) -> str:
    return "{" + ", ".join(f"{name}={value}" for name, value in sorted(one.labels.items()) if name != "__name__") + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _samples(values: Any) -> Iterator[Sample]:
    if not isinstance(values, list):
        raise Unreadable("Prometheus answered without samples.")
    for pair in values:
        try:
            at, value = pair
            moment, number = datetime.fromtimestamp(float(at), UTC), Decimal(value)
        except (TypeError, ValueError, InvalidOperation, OverflowError):
            raise Unreadable("Prometheus answered with a sample that is not a time and a number.") from None
        yield moment, number if number.is_finite() else None


def _check_error_label(config: Config, requests: Sequence[Series]) -> None:
    """Without its label nothing would ever be an error."""
    if any(config.error_label not in series.labels for series in requests):
        raise SourceFailed(
            f"{config.requests} has series without the label {config.error_label}, by which errors are told apart."
        )


def _window(
    config: Config,
    requests: Sequence[Series],
    buckets: Sequence[Series],
    span: tuple[datetime, datetime],
    counted_before: bool,
) -> WindowFacts:
    since, until = span
    try:
        if not any(since < at <= until for series in requests for at, _ in series.samples):
            raise Unreadable("Nothing was scraped.")
        first = min(at for series in requests for at, _ in series.samples)
        if counted_before and first > since:
            raise Unreadable("No earlier sample to count from: after a gap the first window is unknown.")
        total = sum(_increase(series, span) for series in requests)
        errors = sum(_increase(series, span) for series in requests if _is_error(config, series))
        return WindowFacts(since, until, True, total, errors, _histogram(config, buckets, span, total))
    except Unreadable as error:
        return WindowFacts(since, until, False, reason=error.detail)


def _is_error(config: Config, series: Series) -> bool:
    return any(fnmatchcase(series.labels[config.error_label], pattern) for pattern in config.error_values)


def _increments(samples: Iterable[Sample]) -> Iterator[Sample]:
    """What each sample adds to the one before it. The first one adds all of its value: a new series began at zero."""
    before: Decimal | None = Decimal(0)
    for at, value in samples:
        added = None
        if value is not None and before is not None:
            added = value - before if value >= before else value
        yield at, added
        before = value


def _increase(series: Series, span: tuple[datetime, datetime]) -> int:
    """What was counted in the samples that were scraped within the window."""
    first, last = (bisect_right(series.increments, moment, key=itemgetter(0)) for moment in span)
    added = [value for _, value in series.increments[first:last]]
    if None in added:
        raise Unreadable("A sample is not a number.")
    total = sum((value for value in added if value is not None), Decimal(0))
    if total != int(total):
        raise Unreadable(f"The counter {series.labels.get('__name__', '')} does not count in whole numbers.")
    return int(total)


def _histogram(config: Config, buckets: Sequence[Series], span: tuple[datetime, datetime], requests: int) -> Histogram:
    """Ranges out of Prometheus' cumulative buckets, summed over all instances."""
    upto: dict[Decimal, int] = {}
    for series in buckets:
        bound = _bound(series.labels.get("le", ""), config.latency_unit)
        upto[bound] = upto.get(bound, 0) + _increase(series, span)
    if requests and not upto:
        raise Unreadable(f"There is no histogram {config.latency}_bucket for its requests.")
    ranges, below, seen = [], Decimal(0), 0
    for bound in sorted(upto):
        count = upto[bound] - seen
        if count < 0:
            raise Unreadable("The latency histogram contradicts itself.")
        if count:
            ranges.append((below, bound, count))
        below, seen = bound, upto[bound]
    return tuple(ranges)


def _bound(le: str, unit: str) -> Decimal:
    try:
        bound = Decimal(le)
    except InvalidOperation:
        raise Unreadable(f"The latency histogram has a bucket {le!r}.") from None
    return bound * 1000 if unit == "s" and bound.is_finite() else bound


def check(config: Mapping[str, Any], *, secret: str, now: datetime) -> list[Finding]:
    """What a person should know before relying on the source. Every finding, good or bad, is a sentence."""
    try:
        wanted = Config.read(config)
        return list(_findings(wanted, secret, now))
    except MetricsError as error:
        return [Finding(False, error.detail)]


def _findings(config: Config, secret: str, now: datetime) -> Iterator[Finding]:
    response = _get(config.url, "/api/v1/status/buildinfo", secret, {})
    version = optional(read_json(response.body, "The answer of Prometheus"), "data", "version")
    yield Finding(True, f"Prometheus {version or 'of unknown version'} answers.")
    skew = abs(_skew(response, now))
    if skew > MAX_SKEW:
        yield Finding(False, f"Its clock differs from ours by {skew.total_seconds():.0f} s.")
    found = _query(config.url, f"{config.requests}[10m]", now, secret, [])
    if not found:
        yield Finding(False, f"It has no samples of {config.requests} in the last ten minutes.")
        return
    series = [Series(entry["metric"], tuple(_samples(entry.get("values")))) for entry in found]
    releases = sorted({one.labels[config.release_label] for one in series if config.release_label in one.labels})
    if releases:
        yield Finding(True, f"{config.requests} knows the releases {', '.join(releases[-5:])}.")
    else:
        yield Finding(False, f"{config.requests} has no label {config.release_label}: releases cannot be told apart.")
    yield _error_finding(config, series)
    yield from _scrape_finding(series)
    bounds = _query(config.url, f"count by (le) ({config.latency}_bucket)", now, secret, [])
    if not bounds:
        yield Finding(False, f"It has no histogram {config.latency}_bucket: latency stays unknown, which blocks.")
        return
    known = sorted(_bound(entry["metric"].get("le", ""), config.latency_unit) for entry in bounds)
    shown = ", ".join(f"{bound.normalize():f}" for bound in known if bound.is_finite())
    yield Finding(True, f"Latency is counted up to {shown} ms. A boundary at your p95 limit makes its judgement exact.")


def _error_finding(config: Config, series: Sequence[Series]) -> Finding:
    values = {one.labels.get(config.error_label) for one in series}
    if None in values:
        return Finding(False, f"Some series of {config.requests} have no label {config.error_label}.")
    errors = sorted(str(v) for v in values if any(fnmatchcase(str(v), pattern) for pattern in config.error_values))
    rest = sorted(str(v) for v in values if str(v) not in errors)
    return Finding(
        True,
        f"{config.error_label} has the values {', '.join(errors) or 'none so far'} (errors) and {', '.join(rest)}.",
    )


def _scrape_finding(series: Sequence[Series]) -> Iterator[Finding]:
    gaps = [later - earlier for one in series for (earlier, _), (later, _) in pairwise(one.samples)]
    if gaps:
        seconds = sorted(gaps)[len(gaps) // 2].total_seconds()
        ok = seconds <= 60
        yield Finding(ok, f"It is scraped every {seconds:.0f} s" + ("." if ok else ": windows of 60 s stay empty."))
