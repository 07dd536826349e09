"""What happened during a rollout, newest first: orders and answers, gaps with their reasons, oddities, breaches."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

from metrics import windows
from metrics.judges.canary import CanaryVerdict, WindowFacts
from operations.models import Delivery
from releases.actions.instructing import TOPIC, order_of
from releases.models import Instruction, Release, Rollout

SHOWN = 12
_ANSWERED = {"done": "passed", "failed": "failed", "waiting": "waiting"}


def events(release: Release, plan: Rollout | None, judged: CanaryVerdict | None) -> list[dict[str, Any]]:
    found = list(_instructions(release))
    if plan is not None and plan.started_at is not None and judged is not None:
        until = plan.ended_at or plan.watched_until or plan.started_at
        seen = windows.series(source=plan.source, release_label=release.label, since=plan.started_at, until=until)
        found += [*_stretches(seen), *_breaches(judged)]
    return sorted(found, key=lambda event: event["at"], reverse=True)[:SHOWN]


def instructions(release: Release) -> list[tuple[Instruction, list[Delivery]]]:
    """Each order with its deliveries. Without any, nobody listens."""
    rows = list(release.instructions.all()[:SHOWN])
    deliveries: dict[str, list[Delivery]] = {}
    subjects = [f"instruction:{row.pk}" for row in rows]
    sent = Delivery.objects.filter(notification__topic=TOPIC, notification__subject__in=subjects)
    for delivery in sent.exclude(channel=None).select_related("notification", "channel").order_by("created_at"):
        deliveries.setdefault(delivery.notification.subject, []).append(delivery)
    return [(row, deliveries.get(f"instruction:{row.pk}", [])) for row in rows]


def _instructions(release: Release) -> Iterator[dict[str, Any]]:
    for row, deliveries in instructions(release):
        listening = [one for one in deliveries if one.channel and TOPIC in one.channel.topics]
        status = "overdue" if row.result == "waiting" and row.overdue_at else _ANSWERED[row.result]
        heard = listening or row.answered_at is not None  # its channel may be gone since
        detail = _answer(row) if heard else "No deploy system listens: a webhook that names the topic would be told."
        yield {
            "status": status if heard else "noted",
            "sentence": f"Told the deploy system: {order_of(row)}",
            "at": row.ordered_at,
            "detail": " ".join([detail, *(_delivery(one) for one in listening)]),
        }


def _answer(row: Instruction) -> str:
    if row.answered_at is None:
        return "Not acknowledged."
    took = (row.answered_at - row.ordered_at).total_seconds()
    said = f": {row.detail}" if row.detail else "."
    return f"{'Acknowledged' if row.result == 'done' else 'It failed'} after {took:.0f} s{said}"


def _delivery(delivery: Delivery) -> str:
    error = f" ({delivery.last_error})" if delivery.last_error else ""
    return f"{delivery.receiver}: {delivery.get_state_display().lower()}, attempt {delivery.attempts}{error}."


def _stretches(seen: Iterable[WindowFacts]) -> Iterator[dict[str, Any]]:
    """Minutes in a row that say the same are one line."""
    first: WindowFacts | None = None
    last: WindowFacts | None = None
    for window in seen:
        same = first is not None and last is not None and _said(window) == _said(first) and window.since == last.until
        if same:
            last = window
            continue
        if first is not None and last is not None and _said(first):
            yield _stretch(first, last)
        first = last = window
    if first is not None and last is not None and _said(first):
        yield _stretch(first, last)


def _said(window: WindowFacts) -> str:
    return window.note if window.answered else window.reason or "No answer."


def _stretch(first: WindowFacts, last: WindowFacts) -> dict[str, Any]:
    minutes = (last.until - first.since) // timedelta(minutes=1)
    return {
        "status": "noted" if first.answered else "unknown",
        "sentence": _said(first),
        "at": first.since,
        "detail": f"{first.since:%H:%M} to {last.until:%H:%M} UTC, {minutes} min, "
        + ("counted all the same" if first.answered else "not answered, which counts against it"),
    }


def _breaches(judged: CanaryVerdict) -> Iterator[dict[str, Any]]:
    for breach in judged.breached:
        yield {"status": "breached", "sentence": breach.sentence, "at": breach.until, "detail": ""}
