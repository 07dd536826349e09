"""What is owed after a launch: put into the calendar, frozen, made, told when overdue."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import time_machine
from django.db import DatabaseError, transaction
from django.utils import timezone

from accounts.queries import roles_of
from audit import vault
from audit.canonical import digest, loads
from audit.ledger import entries
from jobs.models import Event
from jobs.outbox import emit
from metrics import drift
from operations import calendar, reviewing
from operations.actions.feedback import record_feedback
from operations.actions.reviews import complete_review, decide_line, freeze_numbers, note_end, note_launch, schedule
from operations.errors import InvalidInput, NotYourRole, Refused
from operations.handlers import note_that_it_serves
from operations.models import Delivery, Freeze, Launch, Notification, Review
from operations.queries import active_freezes
from tests.metrics.test_drift import requests
from tests.operations.test_budget_watch import spend

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def test_periods_follow_one_another_and_months_keep_their_day():
    first = datetime(2026, 1, 31, 9, tzinfo=UTC)
    found = calendar.periods(calendar.CADENCES["monthly_cost"], first=first, now=datetime(2026, 4, 15, tzinfo=UTC))
    assert [(p.since.month, p.since.day) for p in found] == [(1, 31), (2, 28), (3, 31)]
    assert all(a.until == b.since for a, b in pairwise(found))
    assert found[0].due_at == found[0].until + timedelta(days=7)
    assert calendar.periods(calendar.CADENCES["weekly"], first=first, now=first - DAY) == []
    long_ago = first.replace(year=2000)
    assert len(calendar.periods(calendar.CADENCES["weekly"], first=long_ago, now=first)) == calendar.MOST


@pytest.fixture
def launched(system, now):
    """Went live just now; `later` is eight days on."""
    note_launch(system=system, label="2026.11.1", at=now, now=now)
    return system


@pytest.fixture
def later(now):
    with time_machine.travel(now + 8 * DAY, tick=False):
        yield now + 8 * DAY


def review_of(system, kind="post_launch"):
    return Review.objects.get(system=system, kind=kind, release_label="2026.11.1" if kind == "post_launch" else "")


def test_a_promotion_puts_its_review_into_the_calendar_once(system, now):
    with transaction.atomic():
        event = emit("releases.promoted", subject="release:1", payload={"system": "support-bot", "label": "7"}, now=now)
    for _ in range(2):
        note_that_it_serves(Event.objects.get(pk=event.pk))
    review = Review.objects.get()
    assert (review.kind, review.release_label, review.due_at) == ("post_launch", "7", now + timedelta(days=7))
    assert entries(subject=f"review:{review.pk}").get().kind == "review.scheduled"


def test_a_release_that_is_restored_owes_no_second_review(system, now):
    note_launch(system=system, label="1", at=now - 3 * DAY, now=now)
    note_launch(system=system, label="2", at=now - DAY, now=now)
    note_end(system=system, label="2", restored="1", at=now)
    assert [launch.release_label for launch in Launch.objects.filter(ended_at=None)] == ["1"]
    assert Review.objects.filter(release_label="1").count() == 1


def test_overdue_it_is_told_and_freezes_the_system_and_escalates(launched, people, later, inbox):
    mara, ada = people("Mara", "product"), people("Adam", "admin")
    reviewing.look(now=later - timedelta(days=2, hours=1))
    assert Notification.objects.filter(topic="operations.review-due").count() == 1
    assert not active_freezes(launched, later)
    reviewing.look(now=later)
    reviewing.look(now=later)
    told = Notification.objects.get(topic="operations.review-overdue", subject=f"review:{review_of(launched).pk}")
    assert told.breach_at == review_of(launched).due_at and told.deliveries.filter(person=mara).exists()
    (freeze,) = active_freezes(launched, later)
    assert freeze.cause == "overdue_review" and "2026.11.1" in freeze.reason
    assert not Notification.objects.filter(topic="operations.escalated").exists()
    reviewing.look(now=later + timedelta(days=3))
    escalated = Delivery.objects.filter(
        notification__topic="operations.escalated", notification__subject=f"review:{review_of(launched).pk}"
    )
    assert ada in {delivery.person for delivery in escalated}


def test_a_review_that_is_made_in_time_freezes_nothing(launched, people, later):
    mara, review = people("Mara", "product"), review_of(launched)
    in_time = later - 2 * DAY
    with pytest.raises(Refused, match="Freeze the numbers first"):
        complete_review(review=review, outcome="fine", findings="All well.", by=mara, now=in_time)
    freeze_numbers(review=review, by=mara, now=in_time)
    complete_review(review=review, outcome="fine", findings="All well.", by=mara, now=in_time)
    reviewing.look(now=later)
    assert not Freeze.objects.exists()


def test_the_cadence_begins_with_the_first_launch(launched, later):
    reviewing.look(now=later)
    kinds = list(Review.objects.filter(system=launched).order_by("kind", "since").values_list("kind", flat=True))
    assert kinds.count("weekly") == 2 and kinds.count("quarterly_access") == 1 and kinds.count("post_launch") == 1
    before = Review.objects.count()
    reviewing.look(now=later + timedelta(minutes=5))
    assert Review.objects.count() == before


def test_the_numbers_are_those_of_the_window_and_stay(launched, people, later):
    mara = people("Mara", "product")
    at = later - timedelta(hours=2)
    spend(launched, "1.25", at)
    record_feedback(
        system=launched, rating="bad", text="Wrong article.", release_label="2026.11.1", by=mara, now=at, via="form"
    )
    period = calendar.Period(later - 8 * DAY, later - DAY + timedelta(days=1), later + DAY)
    review = schedule(system=launched, kind="monthly_cost", period=period, now=later)
    frozen = freeze_numbers(review=review, by=mara, now=later)
    assert frozen.numbers["cost"]["total_usd"] == "1.25" and frozen.numbers["requests"]["count"] == 1
    assert frozen.numbers["feedback"] == {"good": 0, "bad": 1, "none": 0}
    assert frozen.numbers_digest == digest(frozen.numbers)
    spend(launched, "2", later - timedelta(hours=1))
    with pytest.raises(Refused, match="frozen already"):
        freeze_numbers(review=review, by=mara, now=later)
    with pytest.raises(DatabaseError, match="Frozen numbers never change"), transaction.atomic():
        Review.objects.filter(pk=review.pk).update(numbers={"cost": 0})

    made = complete_review(review=review, outcome="action", findings="Retries cost.", by=mara, now=later)
    event = Event.objects.get(topic="operations.record-made")
    record = loads(vault.get(event.payload["digest"]))
    assert event.payload["record"] == "review.cost" and record["numbers"]["cost"]["total_usd"] == "1.25"
    assert record["findings"] == "Retries cost." and record["by"] == mara.actor_id
    with pytest.raises(Refused, match="does not change any more"):
        complete_review(review=made, outcome="fine", findings="x", by=mara, now=later)
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        Review.objects.filter(pk=review.pk).update(findings="Nothing.")


def test_who_may_make_which_review(launched, people, now):
    period = calendar.Period(now - 90 * DAY, now, now + DAY)
    review = schedule(system=launched, kind="quarterly_security", period=period, now=now)
    with pytest.raises(NotYourRole, match="platform or operations"):
        freeze_numbers(review=review, by=people("Mara", "product"), now=now)
    freeze_numbers(review=review, by=people("Pia", "platform"), now=now)
    with pytest.raises(InvalidInput, match="Write down what was found"):
        complete_review(review=review, outcome="fine", findings="  ", by=people("Pia", "platform"), now=now)


def test_access_is_reviewed_line_by_line_and_a_revoked_role_is_gone(launched, people, admin, now):
    ed, gone = people("Ed", "engineering"), people("Gone", "engineering", system="support-bot")
    people("Elsewhere", "engineering", system="search")
    second = people("Second", "admin")
    period = calendar.Period(now - 90 * DAY, now, now + DAY)
    review = schedule(system=launched, kind="quarterly_access", period=period, now=now)
    later = timezone.now()
    freeze_numbers(review=review, by=None, now=later)
    lines = {line.person.name.split()[0]: line for line in review.roster.select_related("person")}
    assert set(lines) == {"Ada", "Second", "Ed", "Gone"}
    with pytest.raises(Refused, match="4 lines of the roster wait"):
        complete_review(review=review, outcome="fine", findings="Done.", by=admin, now=later)
    with pytest.raises(NotYourRole, match="their own access"):
        decide_line(line=lines["Ada"], decision="confirmed", by=admin, now=later)
    with pytest.raises(InvalidInput, match="Say why"):
        decide_line(line=lines["Gone"], decision="revoked", by=admin, now=later)
    decide_line(line=lines["Gone"], decision="revoked", reason="Left the team.", by=admin, now=later)
    assert roles_of(gone, system="support-bot", now=later) == frozenset()
    decide_line(line=lines["Ed"], decision="confirmed", by=admin, now=later)
    assert roles_of(ed, system="support-bot", now=later) == {"engineering"}
    decide_line(line=lines["Second"], decision="confirmed", by=admin, now=later)
    decide_line(line=lines["Ada"], decision="confirmed", by=second, now=later)
    with pytest.raises(Refused, match="decided already"):
        decide_line(line=lines["Ed"], decision="revoked", reason="x", by=admin, now=later)
    made = complete_review(review=review, outcome="fine", findings="One left.", by=admin, now=later)
    record = loads(vault.get(Event.objects.get(topic="operations.record-made").payload["digest"]))
    assert {line["decision"] for line in record["roster"]} == {"confirmed", "revoked"}
    with pytest.raises(DatabaseError, match="line by line, once"), transaction.atomic():
        made.roster.update(decision="confirmed")


def test_a_weekly_review_holds_the_drift_of_its_week(system, people, now):
    """The largest index of the report whose week ended in the period, and what drifted; frozen with the rest."""
    oli, monday = people("Oli", "operations"), datetime(2026, 11, 23, tzinfo=UTC)
    requests(monday - 2 * drift.WEEK)
    requests(monday - drift.WEEK, tokens=900)
    report = drift.make_report(system=system, until=monday, now=now)
    period = calendar.Period(monday - 3 * DAY, monday + 4 * DAY, monday + 7 * DAY)
    review = schedule(system=system, kind="weekly", period=period, now=now)
    frozen = freeze_numbers(review=review, by=oli, now=monday + 5 * DAY)
    said = frozen.numbers["drift"]
    assert (
        said["report"] == str(report.pk) and said["drifted"] == ["input tokens"] and said["feature"] == "input tokens"
    )
    assert float(said["index"]) > float(said["threshold"]) == 0.2
    empty = schedule(
        system=system, kind="weekly", period=calendar.Period(monday + DAY, monday + 5 * DAY, monday + 6 * DAY), now=now
    )
    assert freeze_numbers(review=empty, by=oli, now=monday + 5 * DAY).numbers["drift"] is None
