"""Spending that arrives as spans of a real ingest, and the alarms it raises."""

import itertools
from datetime import timedelta

import pytest
import time_machine
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import timezone

from audit import derivation, spanlog
from audit.ingest.otlp import decode_json
from audit.ingest.receive import receive
from audit.ledger import entries
from jobs.models import Job
from operations import deliver
from operations.actions.channels import create_channel
from operations.budget import budget_state, day_of
from operations.budget_watch import watch, watch_all
from operations.conditions import begin
from operations.models import BudgetAlarm, Notification
from operations.notify import notify
from operations.queries import ALARM_TOPIC, BUDGET_TOPICS, AlarmDelays, alarm_delays, alarms
from systems.actions.policies import approve_policy, propose_policy
from tests.audit import sending

pytestmark = pytest.mark.django_db

NANO = 10**9


def spend(system, usd, at):
    """One model call that its application priced, through the ingest, numbered and derived as a worker does it."""
    spans = sending.chat_trace(start=at, gen_ai__request__model="in-house-7b", readiness__cost_usd=usd)
    receipt = receive(decode_json(sending.request_json(*spans)), system=system.slug, environment="production", now=at)
    assert receipt.refused_count == 0
    spanlog.sequence(now=at)
    derivation.derive(now=at + timedelta(seconds=30))


@pytest.fixture
def noon(system, now):
    """The next midday of the system's budget day: a test crosses no midnight, and everybody is there by then."""
    start = day_of(system.time_zone, now + timedelta(days=1)).start + timedelta(hours=12)
    with time_machine.travel(start, tick=False):
        yield start


def test_nothing_spent_is_ok(system, now):
    state = budget_state(system, now)
    assert (state.state, state.spent_nanousd, state.unknown_share) == ("ok", 0, 0)
    assert (state.alert_nanousd, state.cap_nanousd) == (45 * NANO, 50 * NANO)
    assert watch(system, now=now) is None and not BudgetAlarm.objects.exists()


def test_crossing_45_and_then_50_raises_one_alarm_each(system, people, noon, receiver, admin):
    people("Oli", "operations")
    create_channel(system=system, name="Bot", kind="webhook", target=receiver.url, by=admin, now=noon)
    spend(system, "44.5", noon)
    assert watch(system, now=noon + timedelta(minutes=1)) is None

    crossing = noon + timedelta(minutes=2)
    with time_machine.travel(crossing + timedelta(seconds=40), tick=False):
        spend(system, "0.5", crossing)
        seen = timezone.now()
        assert budget_state(system, seen).state == "alert"
        alarm = watch(system, now=seen)
        assert watch(system, now=seen + timedelta(seconds=30)) is None
        assert BudgetAlarm.objects.get().level == "alert"
        assert timedelta(0) <= alarm.breach_at - crossing < timedelta(seconds=2)
        for delivery in alarm.notification.deliveries.all():
            deliver.attempt(str(delivery.pk), now=seen)
        assert len(receiver.requests) == 1
        (measured,) = alarms(system, seen)
        assert timedelta(seconds=38) <= measured.delay <= timedelta(seconds=41)

    later = noon + timedelta(minutes=10)
    with time_machine.travel(later + timedelta(seconds=10), tick=False):
        spend(system, "6", later)
        alarm = watch(system, now=timezone.now())
        assert alarm.level == "exceeded" and alarm.spent_nanousd == 51 * NANO
        assert alarm.notification.title == "Support bot has used up its budget: 51.00 USD of 50.00 USD"
        watch_all(now=timezone.now())
    assert BudgetAlarm.objects.count() == 2
    kinds = [entry.kind for entry in entries(system=system.slug)]
    assert kinds.count("budget.alert") == kinds.count("budget.exceeded") == 1
    assert {d.person.name for d in alarm.notification.deliveries.exclude(person=None)} == {"Oli"}
    assert Job.objects.filter(task="operations.deliver").count() == 4


def test_an_alarm_that_reached_nobody_counts_with_its_age(system, noon):
    spend(system, "60", noon)
    watch(system, now=noon + timedelta(minutes=1))
    delays = alarm_delays(system, noon + timedelta(minutes=20))
    assert (delays.alarms, delays.undelivered) == (1, 1)
    assert timedelta(minutes=19) < delays.worst <= timedelta(minutes=20)
    assert alarm_delays(system, noon + timedelta(days=31)).worst is None


def test_the_delays_that_are_judged_are_those_of_budget_alarms(system, admin, noon, client, settings):
    settings.REQUIRE_MFA = False
    for number, (topic, took) in enumerate((*((topic, 20) for topic in BUDGET_TOPICS), (ALARM_TOPIC, 90))):
        told = notify(
            topic=topic, system=system, subject="x", title="x", body="x", url="", now=noon, breach_at=noon,
            key=str(number),
            people=[admin],
        )  # fmt: skip
        told.deliveries.update(sent_at=noon + timedelta(seconds=took))
    begin(
        system=system, kind="silence", title="Quiet", said="Quiet.", began_at=noon - timedelta(hours=1), now=noon,
    )  # fmt: skip
    found = alarm_delays(system, noon + timedelta(minutes=1))
    assert found == AlarmDelays(alarms=5, undelivered=0, worst=timedelta(seconds=90), typical=timedelta(seconds=20))
    client.force_login(admin)
    with time_machine.travel(noon + timedelta(minutes=1), tick=False):
        said = client.get(reverse("operations_api:alarm-delays", args=[system.slug])).json()
    assert said == {
        "alarms": 5, "undelivered": 0, "worst_seconds": 90, "typical_seconds": 20, "limit_seconds": 300,
    }  # fmt: skip


def test_a_new_day_starts_with_an_unspent_budget(system, noon):
    spend(system, "60", noon)
    assert budget_state(system, noon + timedelta(hours=11)).state == "exceeded"
    assert budget_state(system, noon + timedelta(hours=13)).state == "ok"


def test_a_raised_budget_that_is_crossed_the_same_day_alarms_again(system, people, noon):
    pia, mara = people("Pia", "product"), people("Mara", "product")
    spend(system, "51", noon)
    first = watch(system, now=noon + timedelta(minutes=1))
    raised = {"budget_daily_usd": "80", "budget_alert_usd": "75"}
    policy = propose_policy(
        system=system, part="running", body=raised, reason="A launch.", by=pia, now=noon + timedelta(minutes=2)
    )
    approve_policy(policy=policy, role="product", by=mara, now=noon + timedelta(minutes=3))
    assert budget_state(system, noon + timedelta(minutes=4)).state == "ok"
    with time_machine.travel(noon + timedelta(minutes=30), tick=False):
        spend(system, "40", noon + timedelta(minutes=30))
        second = watch(system, now=noon + timedelta(minutes=31))
    assert first.level == second.level == "exceeded"
    assert (first.threshold_nanousd, second.threshold_nanousd) == (50 * NANO, 80 * NANO)


def test_requests_without_a_price_are_told(system, noon):
    spend(system, "1", noon)
    spans = sending.chat_trace(start=noon, gen_ai__request__model="a-model-nobody-prices")
    receive(decode_json(sending.request_json(*spans)), system=system.slug, environment="production", now=noon)
    spanlog.sequence(now=noon)
    derivation.derive(now=noon + timedelta(seconds=30))
    state = budget_state(system, noon + timedelta(minutes=1))
    assert str(state.unknown_share) == "0.5000"


def test_one_system_that_cannot_be_watched_does_not_silence_the_others(system, other_system, noon):
    spend(system, "60", noon)
    type(other_system).objects.filter(pk=other_system.pk).update(time_zone="Atlantis/Nowhere")
    with pytest.raises(RuntimeError, match="search"):
        watch_all(now=noon + timedelta(minutes=1))
    assert BudgetAlarm.objects.get().system == system


def test_alarms_are_only_ever_added(system, noon):
    spend(system, "60", noon)
    watch(system, now=noon + timedelta(minutes=1))
    for change in (BudgetAlarm.objects.all().delete, lambda: BudgetAlarm.objects.update(breach_at=noon)):
        with pytest.raises(DatabaseError, match="only ever added"), transaction.atomic():
            change()
    assert Notification.objects.filter(topic="operations.budget-exceeded").count() == 1


def test_two_watchers_at_once_raise_one_alarm(system, noon, monkeypatch):
    """The second one looks before the first has written its row, and finds it when it writes its own."""
    spend(system, "60", noon)
    when = noon + timedelta(minutes=1)
    first = watch(system, now=when)
    nothing_yet = itertools.repeat(False)
    monkeypatch.setattr("operations.budget_watch._raised", lambda which: next(nothing_yet))
    assert watch(system, now=when + timedelta(seconds=1)) == first
    assert [entry.kind for entry in entries(system=system.slug)].count("budget.exceeded") == 1
