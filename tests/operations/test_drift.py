"""A week that drifted: told, and the system is frozen until people have lifted it."""

from datetime import UTC, datetime, timedelta

import pytest

from jobs.models import Event
from jobs.outbox import emit
from metrics import drift
from operations import handlers
from operations.actions.freezes import confirm_mitigation, record_mitigation
from operations.models import Condition, Freeze, Notification
from operations.queries import active_freezes
from tests.metrics.test_drift import requests

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)


def report(system, *drifted, at):
    """What the weekly report says through the outbox."""
    emit(
        "metrics.drift-reported",
        subject="drift:1",
        payload={"system": system.slug, "report": "1", "drifted": list(drifted), "said": "Stability index 0.9."},
        now=at,
    )
    handlers.weigh_the_week(Event.objects.latest("pk"))


def test_the_real_report_of_a_week_that_drifted_freezes_the_system(system, people, now):
    requests(MONDAY - 2 * drift.WEEK)
    requests(MONDAY - drift.WEEK, tokens=900)
    drift.make_report(system=system, until=MONDAY, now=now)
    handlers.weigh_the_week(Event.objects.get(topic="metrics.drift-reported"))
    (freeze,) = active_freezes(system, now + timedelta(minutes=1))
    assert (freeze.cause, freeze.imposed_by) == ("drift", None)
    assert freeze.reason.startswith("Not as in the week before: input tokens. Input tokens: stability index")
    assert Notification.objects.get(topic="operations.drift").title.endswith("drifts: input tokens")


def test_a_stable_week_freezes_nothing_and_ends_the_alarm_but_not_the_freeze(system, people, now):
    report(system, at=now)
    assert not Freeze.objects.exists() and not Condition.objects.exists()
    report(system, "model", at=now)
    report(system, "model", at=now)
    assert (Freeze.objects.count(), Notification.objects.filter(topic="operations.drift").count()) == (1, 1)
    report(system, at=now + timedelta(days=7))
    assert Condition.objects.get().over_at is not None
    assert active_freezes(system, now + timedelta(days=7)) == [Freeze.objects.get()]


def test_the_release_that_is_the_fix_gets_its_time(system, people, now):
    mara, ed, oli = people("Mara", "product"), people("Ed", "engineering"), people("Oli", "operations")
    report(system, "model", at=now)
    freeze = record_mitigation(freeze=Freeze.objects.get(), text="The old model.", release_label="8", by=mara, now=now)
    for side, who in (("engineering", ed), ("operations", oli)):
        confirm_mitigation(freeze=freeze, side=side, seen=freeze.mitigation_digest, by=who, now=now)
    report(system, "model", at=now)
    assert active_freezes(system, now + timedelta(minutes=1)) == []
