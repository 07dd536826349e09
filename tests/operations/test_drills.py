from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from audit import vault
from audit.ledger import entries
from jobs.models import Event
from operations.actions.drills import (
    end_drill,
    mark_recovered,
    note_moment,
    plan_drill,
    record_of,
    start_drill,
)
from operations.errors import InvalidInput, NotYourRole, Refused
from operations.models import Drill, DrillMoment
from operations.queries import latest_passed

pytestmark = pytest.mark.django_db


@pytest.fixture
def oli(people):
    return people("Oli", "operations")


def plan(system, by, now, **changes):
    planned = {"kind": "rollback", "environment": "staging", "plan": "Break it.", "participants": []}
    return plan_drill(system=system, by=by, now=now, **planned | changes)


def run(system, by, now, *, outcome="passed", minutes=12, **changes):
    drill = plan(system, by, now, **changes)
    start_drill(drill=drill, by=by, now=now)
    if outcome == "passed":
        mark_recovered(drill=drill, by=by, now=now + timedelta(minutes=minutes))
    return end_drill(
        drill=drill, outcome=outcome, log="Switch back sooner.", by=by, now=now + timedelta(minutes=minutes + 40)
    )


def test_a_drill_from_plan_to_evidence(system, oli, people, now):
    ed = people("Ed", "engineering")
    drill = plan(system, oli, now, participants=[ed], release_label="2026.11.4")
    start_drill(drill=drill, by=oli, now=now)
    note_moment(drill=drill, text="Traffic shifted.", by=ed, now=now + timedelta(minutes=3))
    mark_recovered(drill=drill, by=oli, now=now + timedelta(minutes=11))
    ended = end_drill(
        drill=drill, outcome="passed", log="Fine.", by=ed, now=now + timedelta(hours=2),
        evidence=b"video", evidence_name="run.webm",
    )  # fmt: skip

    assert ended.measured == timedelta(minutes=11)  # writing the log took two hours and does not count
    assert vault.get(ended.evidence_digest) == b"video"
    record = record_of(ended)
    assert record["seconds"] == 660 and record["participants"] == sorted([oli.actor_id, ed.actor_id])
    assert [entry.kind for entry in entries(subject=f"drill:{drill.pk}")] == [
        "drill.planned", "drill.started", "drill.noted", "drill.recovered", "drill.ended",
    ]  # fmt: skip
    event = Event.objects.get(topic="operations.drill-ended")
    assert event.payload["kind"] == "rollback" and event.payload["label"] == "2026.11.4"


def test_only_a_passed_drill_that_is_young_enough_counts(system, other_system, oli, now):
    run(system, oli, now)
    later = now + timedelta(days=91)
    run(system, oli, later - timedelta(hours=3), outcome="failed")
    run(system, oli, later - timedelta(hours=3), kind="degradation")
    run(other_system, oli, later - timedelta(hours=3))
    assert latest_passed(system, "rollback", now=later, validity_days=90) == []
    assert latest_passed(system, "rollback", now=later, validity_days=92) != []
    good = run(system, oli, later - timedelta(hours=2))
    assert latest_passed(system, "rollback", now=later, validity_days=90) == [good]
    assert latest_passed(system, "rollback", now=later - timedelta(hours=2), validity_days=90) == []  # not ended then


def test_a_drill_without_recovery_does_not_pass(system, oli, now):
    drill = plan(system, oli, now)
    start_drill(drill=drill, by=oli, now=now)
    with pytest.raises(Refused, match="mark the recovery first"):
        end_drill(drill=drill, outcome="passed", log="x", by=oli, now=now)
    failed = end_drill(drill=drill, outcome="failed", log="x", by=oli, now=now + timedelta(minutes=50))
    assert failed.measured == timedelta(minutes=50)


def test_product_runs_no_drill_and_a_stranger_takes_part_in_none(system, oli, people, now):
    with pytest.raises(NotYourRole):
        plan(system, people("Pia", "product"), now)
    with pytest.raises(InvalidInput, match="Sam holds no role on Support bot"):
        plan(system, oli, now, participants=[people("Sam", "operations", system="search")])


def test_times_cannot_be_moved_and_what_has_ended_does_not_change(system, oli, now):
    drill = plan(system, oli, now)
    with pytest.raises(DatabaseError, match="only while it runs"), transaction.atomic():
        DrillMoment.objects.create(drill=drill, at=now, by=oli, text="Before it began.")
    start_drill(drill=drill, by=oli, now=now)
    with pytest.raises(DatabaseError, match="measured time never changes"), transaction.atomic():
        Drill.objects.filter(pk=drill.pk).update(started_at=now + timedelta(minutes=5))
    with pytest.raises(IntegrityError, match="times_fit_state"), transaction.atomic():
        Drill.objects.filter(pk=drill.pk).update(state="ended", outcome="failed")
    mark_recovered(drill=drill, by=oli, now=now + timedelta(minutes=40))
    with pytest.raises(Refused, match="not measured twice"):
        mark_recovered(drill=drill, by=oli, now=now + timedelta(minutes=41))
    end_drill(drill=drill, outcome="passed", log="x", by=oli, now=now + timedelta(minutes=50))
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        Drill.objects.filter(pk=drill.pk).update(log="It went better than that.")
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        Drill.objects.filter(pk=drill.pk).delete()
