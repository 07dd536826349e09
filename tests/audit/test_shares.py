"""A canary and its share of traffic: what the trail counts, when it alarms, and when it cannot know."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from audit import fingerprints, shares
from audit.models import SideEnvironment
from jobs.models import Event
from tests.audit.sending import span
from tests.audit.trailing import new_system, send, settle
from tests.factories import NOW

pytestmark = pytest.mark.django_db
LIVE, CANARY = "2026.11.1", "2026.11.2"


@pytest.fixture
def system():
    return new_system()


def approve(system, label, share, at):
    fingerprints.approve(
        system=system, release_label=label, release_id=f"{system}:{label}", fingerprint={"release": [label]},
        share=share, now=at,
    )  # fmt: skip


def ask(system, label, count, at, **also):
    send(*(span(kind=2, start=at, readiness__release=label) for _ in range(count)), system=system, now=at, **also)


def alarms(system):
    return list(Event.objects.filter(topic=shares.TOPIC, subject=f"system:{system}"))


def test_a_router_that_sends_half_to_a_tenth_alarms_at_once_and_hourly(system):
    now = timezone.now()
    began = now - timedelta(minutes=40)
    approve(system, LIVE, None, now - timedelta(days=3))
    approve(system, CANARY, Decimal("0.10"), began)
    ask(system, CANARY, 300, began - timedelta(minutes=1))  # before: that is another alarm's matter
    ask(system, LIVE, 90, began + timedelta(minutes=1))
    ask(system, CANARY, 90, began + timedelta(minutes=2))
    settle()
    shares.watch_shares(now=now)
    (alarm,) = alarms(system)
    assert alarm.payload == {
        "system": system, "label": CANARY, "planned": "10 %", "seen": "50 %", "requests": 90, "all_requests": 180,
    }  # fmt: skip
    shares.watch_shares(now=now + timedelta(minutes=5))
    assert len(alarms(system)) == 1, "once an hour"
    Event.objects.filter(pk=alarm.pk).update(created_at=now - shares.HOUR)
    shares.watch_shares(now=now + timedelta(minutes=5))
    assert len(alarms(system)) == 2


def test_the_planned_share_is_no_alarm_and_neither_is_one_that_is_over(system):
    now = timezone.now()
    approve(system, LIVE, None, now - timedelta(days=3))
    approve(system, CANARY, Decimal("0.10"), now - timedelta(minutes=50))
    ask(system, LIVE, 179, now - timedelta(minutes=30))
    ask(system, CANARY, 21, now - timedelta(minutes=30))
    settle()
    found = shares.now_of(f"{system}:{CANARY}", now=now)
    assert (found.requests, found.all_requests, found.exceeded) == (21, 200, False)
    ask(system, CANARY, 200, now - timedelta(minutes=20))
    settle()
    assert shares.now_of(f"{system}:{CANARY}", now=now).exceeded
    fingerprints.withdraw(release_id=f"{system}:{CANARY}", now=now)
    shares.watch_shares(now=now)
    assert alarms(system) == [], "rolled back: nothing more may be sent, and that has its own alarm"


def test_where_nothing_else_serves_the_rest_of_the_traffic_is_unknown(system):
    now = timezone.now()
    approve(system, CANARY, Decimal("0.10"), now - timedelta(minutes=50))
    ask(system, CANARY, 150, now - timedelta(minutes=30))
    settle()
    found = shares.now_of(f"{system}:{CANARY}", now=now)
    assert (found.seen, found.exceeded) == (None, False)


def test_little_traffic_and_a_tenth_above_wake_nobody():
    share = shares.Share(Decimal("0.10"), 99, 99, True, timezone.now())
    assert not share.exceeded
    assert replace(share, requests=100, all_requests=100).exceeded
    assert not replace(share, requests=109_000, all_requests=1_000_000).exceeded
    assert replace(share, requests=112_000, all_requests=1_000_000).exceeded


def test_a_test_environment_set_aside_is_not_traffic(system):
    now = timezone.now()
    approve(system, LIVE, None, now - timedelta(days=3))
    approve(system, CANARY, Decimal("0.10"), now - timedelta(minutes=50))
    SideEnvironment.objects.create(
        system=system, name="staging", kind="test", daily_requests=1000, reason="Load tests.",
        proposed_by="person:1", proposed_by_name="One", proposed_as="admin", proposed_at=NOW,
        confirmed_by="person:2", confirmed_by_name="Two", confirmed_at=NOW,
    )  # fmt: skip
    ask(system, LIVE, 95, now - timedelta(minutes=30))
    ask(system, CANARY, 10, now - timedelta(minutes=30))
    ask(system, CANARY, 300, now - timedelta(minutes=30), environment="staging")
    settle()
    assert not shares.now_of(f"{system}:{CANARY}", now=now).exceeded
