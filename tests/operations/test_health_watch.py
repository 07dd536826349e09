"""What wakes people besides the budget, and what freezes a system by itself."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone

from audit import derivation, spanlog
from audit.ingest.otlp import decode_json
from audit.ingest.receive import receive
from audit.ledger import entries
from operations import escalation, health
from operations.actions.alarms import acknowledge
from operations.actions.freezes import confirm_mitigation, impose_freeze, record_mitigation
from operations.actions.reviews import note_end, note_launch
from operations.budget import day_of
from operations.budget_watch import watch_tenants
from operations.conditions import begin
from operations.errors import Refused
from operations.health_watch import may_freeze_again, watch, watch_all, watch_beat, watch_spending
from operations.models import Condition, Delivery, Freeze, Notification, TenantBudget
from operations.queries import active_freezes
from operations.spending import plan, spike, variance
from tests.audit import sending
from tests.operations.test_budget_watch import spend

pytestmark = pytest.mark.django_db
NANO = 10**9
DAY = timedelta(days=1)


def requests(system, count, at, *, failed=0, invalid=0, **attributes):
    """Requests of the application, some of which failed or broke their schema."""
    for n in range(count):
        status = {"code": 2} if n < failed else {}
        valid = n >= failed + invalid
        one = sending.span(
            "answer", start=at, kind=2, status=status, readiness__schema__output__valid=valid, **attributes
        )
        received = receive(decode_json(sending.request_json(one)), system=system.slug, environment="production", now=at)
        assert received.refused_count == 0
    spanlog.sequence(now=at)
    derivation.derive(now=at + timedelta(seconds=30))


@pytest.fixture
def noon(system, now):
    start = day_of(system.time_zone, now + DAY).start + timedelta(hours=12)
    with time_machine.travel(start, tick=False):
        yield start


def test_a_spike_is_more_than_so_many_times_the_median_of_days_that_spent():
    usual = [10 * NANO, 11 * NANO, 9 * NANO, 0, 0, 0, 0]
    assert spike(15 * NANO, usual, times=Decimal("1.5")) is None
    found = spike(15 * NANO + 1, usual, times=Decimal("1.5"))
    assert found.usual_nanousd == 10 * NANO and found.times == Decimal("1.5")
    assert spike(100 * NANO, [10 * NANO, 10 * NANO, 0, 0, 0, 0, 0], times=Decimal("1.5")) is None  # too few days
    assert spike(NANO - 1, [1000] * 7, times=Decimal("1.5")) is None  # pennies


def test_variance_and_the_budget_that_follows_from_averages():
    assert variance(110, 100) == Decimal("0.1") and variance(5, 0) is None
    found = plan(
        requests_per_day=Decimal(1000), tokens_in=Decimal(2000), tokens_out=Decimal(300),
        price_in=Decimal(10), price_out=Decimal(30), buffer=Decimal("0.2"),
    )  # fmt: skip
    assert (found.expected_usd, found.cap_usd, found.alert_usd) == (
        Decimal("29.00"),
        Decimal("34.80"),
        Decimal("31.32"),
    )
    small = plan(
        requests_per_day=Decimal(400), tokens_in=Decimal(180), tokens_out=Decimal(20),
        price_in=Decimal("0.5"), price_out=Decimal("0.5"), buffer=Decimal("0.2"),
    )  # fmt: skip
    assert (small.cap_usd, small.alert_usd) == (Decimal("0.05"), Decimal("0.04"))  # the alert comes before the cap


def test_a_cost_spike_freezes_the_system_and_is_told_once(system, people, noon):
    people("Oli", "operations")
    for n in range(1, 5):
        with time_machine.travel(noon - DAY * n, tick=False):
            spend(system, "10", noon - DAY * n)
    spend(system, "14", noon)
    watch_spending(system, now=noon + timedelta(minutes=1))
    assert not Freeze.objects.exists()
    spend(system, "3", noon + timedelta(minutes=5))
    seen = noon + timedelta(minutes=6)
    for _ in range(2):
        watch_spending(system, now=seen)
    (freeze,) = active_freezes(system, seen)
    assert freeze.cause == "cost_spike" and freeze.imposed_by is None
    assert "17.00 USD were spent today, 1.7 times the usual 10.00 USD" in freeze.reason
    told = Notification.objects.get(topic="operations.cost-spike")
    assert timedelta(0) <= told.breach_at - (noon + timedelta(minutes=5)) < timedelta(seconds=2)
    tomorrow = noon + DAY
    with time_machine.travel(tomorrow, tick=False):
        watch_spending(system, now=tomorrow)
    assert Condition.objects.get().over_at == tomorrow
    assert active_freezes(system, tomorrow) == [freeze], "a quiet day lifts nothing: people do"


def test_the_fix_that_a_mitigation_names_gets_its_time(system, people, now):
    mara, ed, oli = people("Mara", "product"), people("Ed", "engineering"), people("Oli", "operations")
    assert may_freeze_again(system, "cost_spike", now=now)

    freeze = impose_freeze(system=system, reason="Spike.", cause="cost_spike", by=None, now=now)
    freeze = record_mitigation(freeze=freeze, text="Shorter prompt.", release_label="8", by=mara, now=now)
    for side, who in (("engineering", ed), ("operations", oli)):
        confirm_mitigation(freeze=freeze, side=side, seen=freeze.mitigation_digest, by=who, now=now)
    assert not may_freeze_again(system, "cost_spike", now=now + DAY)
    assert may_freeze_again(system, "drift", now=now + DAY), "another cause is another matter"
    note_launch(system=system, label="8", at=now + DAY, now=now + DAY)
    assert not may_freeze_again(system, "cost_spike", now=now + 7 * DAY)
    assert may_freeze_again(system, "cost_spike", now=now + 8 * DAY)
    note_end(system=system, label="8", restored="", at=now + 2 * DAY)
    assert may_freeze_again(system, "cost_spike", now=now + 2 * DAY)


def test_errors_and_broken_answers_are_told_until_they_are_over(system, people, noon, inbox):
    oli = people("Oli", "operations")
    requests(system, 30, noon, failed=2, invalid=5)
    seen = noon + timedelta(minutes=1)
    watch(system, now=seen)
    watch(system, now=seen + timedelta(minutes=1))
    found = {condition.kind: condition for condition in Condition.objects.all()}
    assert set(found) == {"error_rate", "schema_failure"}
    assert found["error_rate"].said == "2 of 30 requests failed in 15 minutes; 1.5 % are tolerated."
    assert Delivery.objects.filter(person=oli, notification__topic="operations.error-rate").count() == 1
    later = noon + timedelta(minutes=20)
    with time_machine.travel(later, tick=False):
        watch(system, now=later)
        assert not Condition.objects.filter(over_at=None).exists()
        requests(system, 30, later, failed=3)
        watch(system, now=later + timedelta(minutes=1))
    assert Condition.objects.filter(kind="error_rate").count() == 2, "again is another alarm"
    kinds = [entry.kind for entry in entries(subject=f"condition:{found['error_rate'].pk}")]
    assert kinds == ["condition.began", "condition.ended"]


def test_too_few_requests_wake_nobody(system, noon):
    requests(system, health.LEAST_REQUESTS - 1, noon, failed=5)
    watch(system, now=noon + timedelta(minutes=1))
    assert not Condition.objects.exists()


def test_a_live_system_that_falls_silent(system, noon, monkeypatch):
    monkeypatch.setattr(health, "USUAL_REQUESTS", 5)
    note_launch(system=system, label="1", at=noon - 3 * DAY, now=noon)
    requests(system, 5, noon - timedelta(minutes=30))
    watch(system, now=noon)
    assert not Condition.objects.exists()
    later = noon + timedelta(minutes=45)
    watch(system, now=later)
    assert Condition.objects.get().said == "No request in an hour; the day before had 5."


def test_a_tenant_has_a_budget_of_its_own(system, people, noon):
    mara = people("Mara", "product")
    TenantBudget.objects.create(
        system=system, tenant="acme", cap_nanousd=5 * NANO, alert_nanousd=4 * NANO, owner=mara, set_by=mara, set_at=noon
    )
    spans = sending.chat_trace(
        start=noon, gen_ai__request__model="m", readiness__cost_usd="4.5", readiness__tenant="acme"
    )
    receive(decode_json(sending.request_json(*spans)), system=system.slug, environment="production", now=noon)
    spanlog.sequence(now=noon)
    derivation.derive(now=noon + timedelta(seconds=30))
    spend(system, "4.5", noon)
    watch_tenants(system, now=noon + timedelta(minutes=1))
    (condition,) = Condition.objects.all()
    assert (condition.kind, condition.about) == ("tenant_alert", "acme")
    assert condition.said.startswith("4.50 USD of 5.00 USD were spent on")
    assert not active_freezes(system, noon)


def test_the_time_in_which_nobody_watched_is_told_afterwards(db, people, now, inbox):
    people("Oli", "operations")
    assert watch_beat(now - timedelta(minutes=2), now=now) is None
    condition = watch_beat(now - timedelta(minutes=12), now=now)
    assert condition.notification.title == "Nothing was watched for 12 minutes"
    assert Condition.objects.get().over_at == now


def test_one_systems_trouble_does_not_silence_the_others(system, other_system, noon, monkeypatch):
    requests(other_system, 30, noon, failed=3)

    def broken(found, *, now):
        if found == system:
            raise ValueError("no policy")
        return watch(found, now=now)

    monkeypatch.setattr("operations.health_watch.watch", broken)
    with pytest.raises(RuntimeError, match="support-bot: no policy"):
        watch_all(now=noon + timedelta(minutes=1))
    assert {condition.system for condition in Condition.objects.all()} == {other_system}


def test_an_alarm_nobody_takes_goes_on_to_the_next_and_only_once(system, people, now, inbox):
    oli, boss = people("Oli", "operations"), people("Adam", "admin")

    for kind in ("error_rate", "schema_failure"):
        begin(system=system, kind=kind, title=kind, said="x", began_at=now, now=now)
    taken, left = Notification.objects.get(title="error_rate"), Notification.objects.get(title="schema_failure")
    acknowledge(notification=taken, by=oli, now=now + timedelta(minutes=5))
    with pytest.raises(Refused, match="Somebody acknowledged it already"):
        acknowledge(notification=taken, by=oli, now=now + timedelta(minutes=6))
    escalation.look(now=now + timedelta(minutes=14))
    assert not Notification.objects.filter(topic="operations.escalated").exists()
    for _ in range(2):
        escalation.look(now=now + timedelta(minutes=16))
    escalated = Notification.objects.get(topic="operations.escalated")
    assert escalated.title == "Not acknowledged for 16 minutes: schema_failure" and escalated.breach_at is None
    assert boss in {delivery.person for delivery in escalated.deliveries.all()}
    left.refresh_from_db()
    assert left.escalated_at is not None
    with pytest.raises(Refused, match="Only an alarm"):
        acknowledge(notification=escalated, by=oli, now=timezone.now())
