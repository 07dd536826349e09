"""The windows of a rollout: each minute of each release asked for once, stored once, whatever happens to the worker."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet

from audit import secrets, vault
from metrics.connectors import prometheus, trail
from metrics.judges.canary import WindowFacts
from metrics.judges.latency import Histogram
from metrics.models import Source, Window
from metrics.problems import Invalid, MetricsError

LENGTH = timedelta(seconds=60)
SETTLE = {Source.Kind.PROMETHEUS: prometheus.SETTLE, Source.Kind.TRAIL: trail.SETTLE}
# So many windows are asked for at a time: after an outage the rest follows with the next call.
AT_ONCE = 120
# A source that did not answer is asked again for the same window so long; a gap in its own data stays one.
ASK_AGAIN = timedelta(hours=1)

Span = tuple[datetime, datetime]


def pull_window(*, source: Source, release_label: str, since: datetime, until: datetime, now: datetime) -> list[Window]:
    """Stores the windows from `since` on that are over by `until` and not stored yet; returns those of the range.

    Windows begin at `since` and follow each other by a minute, so callers go on from the end of the last one. Two
    workers, or one that is killed and starts again, make no second row: (source, release, start) is unique. At most
    AT_ONCE windows are asked for; the answer then ends early.
    """
    if source.kind not in SETTLE:
        raise Invalid(f"{source.get_kind_display()} gives evaluations, not windows.")
    until = min(until, now - SETTLE[Source.Kind(source.kind)])
    spans = _spans(since, until)
    stored = _stored(source, release_label, since, until)
    known = set(stored.values_list("since", flat=True))
    missing = [span for span in spans if span[0] not in known]
    again = _to_ask_again(source, release_label, now)
    for wanted in _runs(sorted(missing + again)):
        _ask(source, release_label, wanted, now=now)
    end = spans[-1][1] if spans else since
    return list(_stored(source, release_label, since, end))


def series(*, source: Source, release_label: str, since: datetime, until: datetime) -> tuple[WindowFacts, ...]:
    """The stored windows of a range as the judge sees them."""
    return tuple(facts_of(window) for window in _stored(source, release_label, since, until))


def facts_of(window: Window) -> WindowFacts:
    return WindowFacts(
        since=window.since,
        until=window.until,
        answered=window.answered,
        requests=window.requests or 0,
        errors=window.errors or 0,
        latency=tuple((Decimal(low), Decimal(high), count) for low, high, count in window.latency),
        reason=window.reason,
        raw_digest=window.raw_digest,
        note=window.note,
    )


def _spans(since: datetime, until: datetime) -> list[Span]:
    count = min(max(int((until - since) / LENGTH), 0), AT_ONCE)
    return [(since + number * LENGTH, since + (number + 1) * LENGTH) for number in range(count)]


def _stored(source: Source, release_label: str, since: datetime, until: datetime) -> QuerySet[Window]:
    return Window.objects.filter(
        source=source, release_label=release_label, since__gte=since, until__lte=until
    ).order_by("since")


def _to_ask_again(source: Source, release_label: str, now: datetime) -> list[Span]:
    """Windows of the last hour for which no answer came at all (there are no raw bytes of one)."""
    silent = Window.objects.filter(
        source=source, release_label=release_label, answered=False, raw_digest="", until__gt=now - ASK_AGAIN
    )
    return list(silent.order_by("since").values_list("since", "until")[:AT_ONCE])


def _runs(spans: Sequence[Span]) -> list[list[Span]]:
    """Adjoining windows are asked for in one question."""
    runs: list[list[Span]] = []
    for span in spans:
        if runs and runs[-1][-1][1] == span[0]:
            runs[-1].append(span)
        else:
            runs.append([span])
    return runs


def _ask(source: Source, release_label: str, spans: list[Span], *, now: datetime) -> None:
    """Outside of a transaction while the source answers; then the rows and the raw answer together."""
    raw = b""
    try:
        facts, raw = _facts(source, release_label, spans)
        error = ""
    except MetricsError as failure:
        error = failure.detail
        facts = [WindowFacts(start, end, False, reason=error) for start, end in spans]
    with transaction.atomic():
        digest = ""
        if raw:
            digest = vault.put(
                raw, kind="window-answer", media_type="application/json", now=now, system=source.system.slug
            )
        _store(source, release_label, [replace(one, raw_digest=digest) for one in facts], now=now)
        health = {"state": Source.State.FAILING, "last_error": error} if error else {
            "state": Source.State.OK, "last_error": "", "last_ok_at": now,
        }  # fmt: skip
        Source.objects.filter(pk=source.pk).update(**health)


def _facts(source: Source, release_label: str, spans: list[Span]) -> tuple[list[WindowFacts], bytes]:
    if source.kind == Source.Kind.TRAIL:
        return trail.windows(source.config, system=source.system.slug, release_label=release_label, spans=spans)
    before = Window.objects.filter(
        source=source, release_label=release_label, answered=True, requests__gt=0, until__lte=spans[0][0]
    )
    return prometheus.windows(
        source.config,
        secret=secrets.decrypt(source.secret) if source.secret else "",
        release_label=release_label,
        spans=spans,
        counted_before=before.exists(),
    )


def _store(source: Source, release_label: str, facts: Sequence[WindowFacts], *, now: datetime) -> None:
    """New windows are inserted unless somebody was quicker; silent ones take the answer, unless they have one."""
    Window.objects.bulk_create(
        (
            Window(
                source=source,
                release_label=release_label,
                since=one.since,
                until=one.until,
                asked_at=now,
                **_columns(one),
            )
            for one in facts
        ),
        ignore_conflicts=True,
    )
    waiting = Window.objects.filter(source=source, release_label=release_label, answered=False, raw_digest="")
    starts = set(waiting.filter(since__in=[one.since for one in facts]).values_list("since", flat=True))
    for one in facts:
        if one.raw_digest and one.since in starts:
            waiting.filter(since=one.since, until=one.until).update(asked_at=now, **_columns(one))


def _columns(facts: WindowFacts) -> dict[str, object]:
    return {
        "answered": facts.answered,
        "requests": facts.requests if facts.answered else None,
        "errors": facts.errors if facts.answered else None,
        "latency": _written(facts.latency),
        "reason": "" if facts.answered else (facts.reason or "no answer")[:300],
        "note": facts.note[:300],
        "raw_digest": facts.raw_digest,
    }


def _written(histogram: Histogram) -> list[list[object]]:
    return [[str(low), str(high), count] for low, high, count in histogram]
