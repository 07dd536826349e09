"""Drills that the product runs by itself against staging: it breaks what the plan says, watches, and takes the times.

What it breaks are synthetic requests. They take the road of every request (ingest, sums, the same rules, the same
delivery), but under a label of the drill's own, so that they neither spend a system's budget nor count for a release.
Each step is found anew from what is stored: a worker that dies in the middle is followed by one that goes on.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse

from audit import trail
from audit.actors import SYSTEM
from audit.fingerprints import approve
from audit.ingest.receive import receive
from audit.ingest.wire import WireSpan
from audit.models import Fingerprint
from audit.retention import LEAST, set_retention
from operations import health, numbers
from operations.actions.drills import end_by_product, note_moment
from operations.answering import signed
from operations.budget import judge, limits_of, nano, usd
from operations.budget_watch import WHO
from operations.errors import NotYourRole, Refused
from operations.models import Delivery, Drill, Launch, Notification
from operations.notify import notify
from operations.queries import ALARM_TOPIC
from systems.models import System

FALLBACK = "fallback"  # what serves where no release was there before
ROLLBACK_TOPIC = "operations.rollback-drill"
SYNTHETIC = "synthetic"
REQUESTS = 30  # more than a rate takes to decide


def advance_all(*, now: datetime) -> None:
    for drill in Drill.objects.filter(state=Drill.State.RUNNING, by_product=True).select_related("system"):
        advance(drill, now=now)


def advance(drill: Drill, *, now: datetime) -> None:
    """The next step of a drill that the product runs; nothing where it waits for the world."""
    if drill.kind == Drill.Kind.BUDGET_ALARM:
        _budget(drill, now=now)
    else:
        _rollback(drill, now=now)


def _budget(drill: Drill, *, now: datetime) -> None:
    assert drill.started_at is not None
    limits = limits_of(drill.system)
    cap = nano(limits.budget_daily_usd)
    alarm = _told(drill)
    if alarm is None:
        spent = trail.spend(drill.trail_label, since=_since(drill), until=now + timedelta(seconds=1))
        if judge(spent, alert=nano(limits.budget_alert_usd), cap=cap) == "exceeded":
            alarm = _alarm(drill, spent, cap, now=now)
        else:
            _send(drill, [_call(drill, numbers.usd(cap))], now=now)
    bound = drill.started_at + timedelta(seconds=limits.alarm_delay_max_s)
    sent = list(alarm.deliveries.exclude(channel=None)) if alarm else []
    if alarm is not None and not sent:
        end_by_product(drill=drill, log="No channel hears of the budget: the alarm reached nobody on call.", now=now)
    elif sent and all(delivery.state == Delivery.State.SENT for delivery in sent):
        arrived = max(delivery.sent_at for delivery in sent if delivery.sent_at)
        if arrived <= bound:
            log = f"{len(sent)} of {len(sent)} channels had the alarm within {limits.alarm_delay_max_s} seconds."
            end_by_product(drill=drill, log=log, recovered_at=arrived, now=now)
        else:
            end_by_product(drill=drill, log="The alarm arrived, but too late.", now=now)
    elif now > bound:
        waiting = sum(delivery.state != Delivery.State.SENT for delivery in sent)
        what = f"{waiting} of {len(sent)} channels did not have the alarm" if alarm else "No alarm was raised"
        end_by_product(drill=drill, log=f"{what} after {limits.alarm_delay_max_s} seconds.", now=now)


def _alarm(drill: Drill, spent: int, cap: int, *, now: datetime) -> Notification:
    system = drill.system
    with transaction.atomic():
        alarm = notify(
            topic=ALARM_TOPIC,
            system=system,
            subject=f"drill:{drill.pk}",
            title=f"Drill: {system.name} has used up its budget: {usd(spent)} of {usd(cap)}",
            body=f"A rehearsal in {drill.environment}: no money was spent. Acknowledge it as you would the real one.",
            url=_page(drill),
            now=now,
            roles=WHO,
            key=_key(drill),
            breach_at=drill.started_at,
            details={"drill": str(drill.pk), "environment": drill.environment},
        )
        note_moment(
            drill=drill, text=f"The guard saw {usd(spent)} of {usd(cap)}, and raised the alarm.", by=None, now=now
        )
    return alarm


def _rollback(drill: Drill, *, now: datetime) -> None:
    assert drill.started_at is not None
    bars = numbers.bars_of(drill.system)
    fired = _told(drill)
    if fired is None:
        seen = trail.rates(drill.trail_label, since=_since(drill), until=now + timedelta(seconds=1))
        breach = health.error_rate(seen, limit=bars.error_rate_max)
        if breach is not None:
            fired = _fire(drill, breach.said, now=now)
        else:
            _send(drill, [_failure(drill, number) for number in range(REQUESTS)], now=now)
    if fired is not None and (dead := fired.deliveries.filter(state=Delivery.State.DEAD).first()):
        end_by_product(drill=drill, log=f"The deploy system was never reached: {dead.last_error}", now=now)
    elif now > drill.started_at + timedelta(minutes=bars.rollback_minutes):
        what = "The deploy system did not confirm the rollback" if fired else "The trigger did not fire"
        end_by_product(drill=drill, log=f"{what} within {bars.rollback_minutes} minutes.", now=now)


def _fire(drill: Drill, breach: str, *, now: datetime) -> Notification:
    """The trigger fires: the deploy system is told, signed, what to restore and where to confirm it."""
    restore = release_before(drill.system, drill.release_label)
    with transaction.atomic():
        fired = notify(
            topic=ROLLBACK_TOPIC,
            system=drill.system,
            subject=f"drill:{drill.pk}",
            title=f"Drill: roll {drill.system.name} back to {restore} in {drill.environment}",
            body=breach,
            url=_page(drill),
            now=now,
            key=_key(drill),
            only=drill.hook,
            details={
                "drill": str(drill.pk),
                "environment": drill.environment,
                "release": drill.release_label,
                "restore": restore,
                "acknowledge": reverse("operations_api:drill-acknowledge", args=[drill.system.slug, drill.pk]),
            },
        )
        text = f"The trigger fired: {breach} The deploy system was told to restore {restore}."
        note_moment(drill=drill, text=text, by=None, now=now)
    return fired


def acknowledge(*, drill: Drill, body: bytes, headers: Mapping[str, str], restored: str, now: datetime) -> Drill:
    """The deploy system says what serves again, signed with the secret of the webhook that told it: nobody else can."""
    if not drill.by_product or drill.kind != Drill.Kind.ROLLBACK or drill.hook is None:
        raise Refused("This drill waits for no deploy system.")
    if not signed(drill.hook, headers=headers, body=body, now=now):
        raise NotYourRole("The signature is not that of the webhook that was told to roll back, or its time is past.")
    fired = _told(drill)
    if fired is None or drill.state != Drill.State.RUNNING:
        raise Refused("This drill is not waiting for a rollback (any more).")
    note_moment(drill=drill, text=f"The deploy system says: {restored} serves.", by=None, now=now)
    wanted = fired.details["restore"]
    if restored == wanted:
        log = f"The trigger fired on synthetic errors, and {restored} serves again in {drill.environment}."
        return end_by_product(drill=drill, log=log, recovered_at=now, now=now)
    return end_by_product(drill=drill, log=f"{restored} serves, and not {wanted}, which was asked for.", now=now)


def release_before(system: System, label: str) -> str:
    """What served before, as the launches tell; the fallback, where nothing did."""
    before = Launch.objects.filter(system=system).exclude(release_label=label).order_by("-live_at").first()
    return before.release_label if before else FALLBACK


def _since(drill: Drill) -> datetime:
    """A little before its start: a span knows milliseconds, and starts in the one in which the drill did."""
    assert drill.started_at is not None
    return drill.started_at - timedelta(seconds=1)


def _told(drill: Drill) -> Notification | None:
    return Notification.objects.filter(key=_key(drill)).first()


def _key(drill: Drill) -> str:
    return f"drill:{drill.pk}"


def _page(drill: Drill) -> str:
    return reverse("operations:drill", args=[drill.system.slug, drill.pk])


def _send(drill: Drill, spans: list[WireSpan], *, now: datetime) -> None:
    """Through the ingest of every request. The ids are the drill's: sent again, they are kept once. Under the label of
    the drill this traffic is approved, so that it alarms nobody as unknown, and is kept as short as anything can be:
    a day of spans leaves only when no label needs it."""
    if not Fingerprint.objects.filter(system=drill.trail_label).exists():
        set_retention(system=drill.trail_label, days=LEAST, payload_days=1, by=SYSTEM, now=now)
        fingerprint = {"release": [SYNTHETIC], "model": [SYNTHETIC]}
        approve(system=drill.trail_label, release_label=SYNTHETIC, release_id=str(drill.pk), fingerprint=fingerprint,
                share=None, now=_since(drill))  # fmt: skip
    receive(spans, system=drill.trail_label, environment=drill.environment, now=now)


def _call(drill: Drill, dollars: str) -> WireSpan:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": SYNTHETIC,
        "gen_ai.usage.input_tokens": 1,
        "gen_ai.usage.output_tokens": 1,
        "readiness.cost_usd": dollars,
        "readiness.release": SYNTHETIC,
    }
    return _span(drill, 0, kind=3, status=0, attributes=attributes)


def _failure(drill: Drill, number: int) -> WireSpan:
    attributes = {"error.type": SYNTHETIC, "readiness.release": SYNTHETIC}
    return _span(drill, number, kind=2, status=2, attributes=attributes)


def _span(drill: Drill, number: int, *, kind: int, status: int, attributes: dict[str, Any]) -> WireSpan:
    assert drill.started_at is not None
    digest = hashlib.sha256(f"{drill.pk}:{number}".encode()).digest()
    start = int(drill.started_at.timestamp() * 1000) * 10**6
    return WireSpan(
        trace_id=digest[:16],
        span_id=digest[16:24],
        parent_id=b"",
        name=SYNTHETIC,
        kind=kind,
        start_ns=start,
        end_ns=start + 10**6,
        status=status,
        status_message="",
        attributes=attributes,
        resource={},
        scope="",
    )
