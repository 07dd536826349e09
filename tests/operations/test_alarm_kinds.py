"""Every kind of alarm, raised by what causes it, with its breach time, and delivered to a channel.

Two begin on other floors, where their causes are tested: expired evidence in tests/releases/test_lapsing.py, a canary's
breach in tests/releases/test_rollout.py. Here their events arrive.
"""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from operations import deliver, reviewing
from operations.actions.channels import create_channel
from operations.actions.reviews import note_launch
from operations.budget import day_of
from operations.budget_watch import watch_all as watch_budgets
from operations.health_watch import watch, watch_all, watch_beat, weigh_drift
from operations.models import Notification
from operations.reminding import look as remind
from tests.operations.test_budget_watch import spend
from tests.operations.test_handlers import RELEASE, happen
from tests.operations.test_health_watch import requests
from tests.operations.test_reminding import passed

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def noon(system, now):
    start = day_of(system.time_zone, now + DAY).start + timedelta(hours=12)
    with time_machine.travel(start, tick=False) as clock:
        yield clock


def budget(system, clock, people):
    spend(system, "46", timezone.now())
    watch_budgets(now=timezone.now() + timedelta(minutes=1))


def budget_exceeded(system, clock, people):
    spend(system, "51", timezone.now())
    watch_budgets(now=timezone.now() + timedelta(minutes=1))


def error_rate(system, clock, people):
    requests(system, 30, timezone.now(), failed=3)
    watch(system, now=timezone.now() + timedelta(minutes=1))


def schema_failure(system, clock, people):
    requests(system, 30, timezone.now(), invalid=3)
    watch(system, now=timezone.now() + timedelta(minutes=1))


def cost_spike(system, clock, people):
    end = timezone.now()
    for days in (4, 3, 2, 1, 0):
        clock.move_to(end - days * DAY)
        spend(system, "20" if days == 0 else "2", timezone.now())
    clock.move_to(end + timedelta(minutes=1))
    watch_all(now=timezone.now())


def canary_breach(system, clock, people):
    happen("releases.canary-breach", RELEASE | {"reason": "Error rate 2.1 %.", "restored": ""})


def drift(system, clock, people):
    weigh_drift(system, drifted=["tokens"], said="Index 0.9.", at=timezone.now(), now=timezone.now())


def overdue_review(system, clock, people):
    note_launch(system=system, label="7", at=timezone.now() - 8 * DAY, now=timezone.now())
    reviewing.look(now=timezone.now())


def expired_evidence(system, clock, people):
    lapsed = {"title": "A scan", "item": "x", "breach_at": timezone.now().isoformat()}
    happen("releases.evidence-expired", RELEASE | lapsed)


def lapsed_drill(system, clock, people):
    passed(system, people("Oli", "operations"), timezone.now())
    clock.shift(90 * DAY)
    remind(now=timezone.now())


def ledger_trouble(system, clock, people):
    happen("audit.ledger-stopped", {"reason": "Entry 7 was altered.", "size": 9}, subject="log:decisions")


def missed_beat(system, clock, people):
    watch_beat(timezone.now() - timedelta(minutes=12), now=timezone.now())


KINDS = {
    "operations.budget-alert": budget,
    "operations.budget-exceeded": budget_exceeded,
    "operations.error-rate": error_rate,
    "operations.schema-failure": schema_failure,
    "operations.cost-spike": cost_spike,
    "releases.canary-breach": canary_breach,
    "operations.drift": drift,
    "operations.review-overdue": overdue_review,
    "releases.evidence-expired": expired_evidence,
    "operations.drill-lapsed": lapsed_drill,
    "audit.ledger-stopped": ledger_trouble,
    "operations.missed-beat": missed_beat,
}


@pytest.mark.parametrize(("topic", "cause"), KINDS.items(), ids=KINDS)
def test_each_kind_is_raised_by_its_cause_and_delivered(topic, cause, system, admin, people, noon, receiver):
    create_channel(
        system=None, name="Bot", kind="webhook", target=receiver.url, topics=[topic], by=admin, now=timezone.now()
    )
    cause(system, noon, people)
    alarm = Notification.objects.get(topic=topic)
    assert alarm.breach_at is not None and alarm.title and alarm.body
    delivery = alarm.deliveries.get(channel__isnull=False)
    noon.shift(timedelta(minutes=2))
    deliver.attempt(str(delivery.pk), now=timezone.now())
    delivery.refresh_from_db()
    assert delivery.state == "sent" and delivery.delay >= timedelta(0) and len(receiver.requests) == 1
