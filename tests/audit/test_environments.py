"""Requests of a test or shadow environment are no production: not in rates, not in the alarm."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from audit import derivation, environments, spanlog, trail
from audit.ingest.otlp import decode_json
from audit.ingest.receive import receive
from audit.ledger import entries
from audit.models import SideEnvironment, Unapproved
from jobs.models import Event
from tests.audit import sending
from tests.factories import NOW

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def set_aside(name: str = "shadow", *, confirmed: bool = True, daily: int = 1000) -> SideEnvironment:
    """As it stands once two people have agreed (systems.actions.environments)."""
    by = {"confirmed_by": "person:2", "confirmed_by_name": "Two", "confirmed_at": NOW} if confirmed else {}
    return SideEnvironment.objects.create(
        system="support-bot", name=name, kind="shadow", daily_requests=daily, reason="Mirrored requests.",
        proposed_by="person:1", proposed_by_name="One", proposed_as="admin", proposed_at=NOW, **by,
    )  # fmt: skip


def send(environment: str, count: int, *, failed: bool = False) -> None:
    """Each request asks a model once, of a release that nobody approved."""
    for n in range(count):
        at = NOW + timedelta(seconds=n)
        status = {"code": 2} if failed else {}
        spans = [sending.span("answer", start=at, kind=2, status=status, readiness__release="2026.11.2")]
        receive(decode_json(sending.request_json(*spans)), system="support-bot", environment=environment, now=at)
    spanlog.sequence(now=NOW + HOUR)
    derivation.derive(now=NOW + HOUR)


def rates(**chosen):
    return trail.rates("support-bot", since=NOW - HOUR, until=NOW + HOUR, **chosen)


def test_what_was_agreed_stays_out_of_rates_and_alarms_and_can_still_be_asked_for():
    set_aside()
    send("production", 3)
    send("shadow", 5, failed=True)
    assert (rates().requests, rates().errors) == (3, 0)
    assert rates(release="2026.11.2").requests == 3
    seen = rates(environments=["shadow"])
    assert (seen.requests, seen.errors) == (5, 5)
    assert set(Unapproved.objects.values_list("environment", flat=True)) == {"production"}


def test_what_waits_for_its_second_person_counts():
    set_aside(confirmed=False)
    send("shadow", 2, failed=True)
    assert (rates().requests, rates().errors) == (2, 2)
    assert Unapproved.objects.get().environment == "shadow"


def test_with_more_than_was_agreed_all_of_it_counts_again_and_people_are_told():
    set_aside(daily=4)
    send("shadow", 4)
    assert environments.end_those_over(now=NOW + HOUR) == 0
    send("shadow", 1)
    assert environments.end_those_over(now=NOW + HOUR) == 1
    assert environments.end_those_over(now=NOW + HOUR) == 0
    assert rates().requests == 5
    row = SideEnvironment.objects.get()
    assert (row.state, row.ended_reason) == ("ended", "5 requests in a day; 4 were agreed.")
    assert Event.objects.get(topic=environments.TOPIC).payload["environment"] == "shadow"
    assert entries(system="support-bot").filter(kind="system.environment-ended").count() == 1


def test_the_database_takes_one_at_a_time_and_never_one_person_twice():
    set_aside()
    with pytest.raises(IntegrityError), transaction.atomic():
        set_aside()
    with pytest.raises(IntegrityError), transaction.atomic():
        SideEnvironment.objects.update(confirmed_by="person:1")
