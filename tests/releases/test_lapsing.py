"""Evidence whose time is over: said once, as an alarm, while the gate blocks by itself."""

from datetime import timedelta

import pytest

from jobs.models import Event
from jobs.outbox import call
from operations.models import Notification
from releases.actions.checklist import attach_evidence
from releases.actions.opening import abandon
from releases.lapsing import TOPIC, look
from tests.factories import NOW
from tests.releases.conftest import staged

pytestmark = pytest.mark.django_db

shared_stage = staged


def attach(stage, key="cost.alert-routing"):
    return attach_evidence(
        release_id=stage.release.pk, key=key, kind="file", title="Three runs", content=b"a,b\n",
        media_type="text/csv", by=stage.people.operator, now=NOW,
    )  # fmt: skip


def test_it_is_told_once_when_it_lapses(stage):
    evidence = attach(stage)
    look(now=evidence.valid_until - timedelta(seconds=1))
    assert not Event.objects.filter(topic=TOPIC).exists()
    for minutes in (0, 1, 60):
        look(now=evidence.valid_until + timedelta(minutes=minutes))
    event = Event.objects.get(topic=TOPIC)
    assert event.payload["breach_at"] == evidence.valid_until.isoformat()
    call("operations.handlers.tell_people", event)
    alarm = Notification.objects.get(topic=TOPIC)
    assert alarm.breach_at == evidence.valid_until and "cost.alert-routing" in alarm.body
    assert alarm.title.startswith("Evidence of") and alarm.url
    assert {delivery.person.name for delivery in alarm.deliveries.exclude(person=None)}


def test_what_was_replaced_or_belongs_to_a_finished_release_wakes_nobody(stage):
    first = attach(stage)
    attach_evidence(
        release_id=stage.release.pk, key="cost.alert-routing", kind="file", title="Newer", content=b"c,d\n",
        media_type="text/csv", by=stage.people.operator, now=NOW + timedelta(days=5), replace=True,
    )  # fmt: skip
    look(now=first.valid_until + timedelta(minutes=1))
    assert not Event.objects.filter(topic=TOPIC).exists()
    abandon(release_id=stage.release.pk, reason="Not needed.", by=stage.people.product, now=NOW + timedelta(days=6))
    look(now=first.valid_until + timedelta(days=5, minutes=1))
    assert not Event.objects.filter(topic=TOPIC).exists()


def test_what_lapsed_long_ago_is_on_the_page_only(stage):
    evidence = attach(stage)
    look(now=evidence.valid_until + timedelta(days=8))
    assert not Event.objects.filter(topic=TOPIC).exists()
