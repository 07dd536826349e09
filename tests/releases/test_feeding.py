"""What operations recorded reaches the items that ask for it, and never replaces what people chose."""

from datetime import timedelta

import pytest

from audit import vault
from audit.canonical import loads
from demo import walk
from jobs.models import Event
from operations.actions.drills import end_drill, mark_recovered, plan_drill, start_drill
from operations.actions.runbooks import write_runbook
from releases.actions.checklist import verify_item
from releases.handlers import feed_items
from releases.models import Evidence
from releases.standard.published import definition_of
from tests.factories import NOW
from tests.operations.test_risks_and_runbooks import FULL

pytestmark = pytest.mark.django_db


def drill(stage, kind, *, outcome="passed", now=NOW):
    operator = stage.people.operator
    followed = None
    if kind == "runbook":
        followed = write_runbook(system=stage.system, title="A", kind="other", text=FULL, by=operator, now=now)
    planned = plan_drill(
        system=stage.system, kind=kind, environment="staging", plan="x", participants=[], by=operator, now=now,
        runbook=followed,
    )  # fmt: skip
    running = start_drill(drill=planned, by=operator, now=now)
    mark_recovered(drill=running, by=operator, now=now + timedelta(minutes=4))
    end_drill(drill=running, outcome=outcome, log="ok", by=operator, now=now + timedelta(minutes=5))


def fed():
    for event in Event.objects.filter(topic="operations.record-made"):
        feed_items(event)
        feed_items(event)  # at least once may be twice


def living(stage, record):
    keys = [i.key for i in definition_of(stage.release.standard).items if f"record:{record}" in i.evidence]
    assert keys, record
    return {
        key: list(Evidence.objects.filter(item__release=stage.release, item__key=key, superseded_at=None))
        for key in keys
    }


@pytest.mark.parametrize(
    ("kind", "record"),
    [
        ("budget_alarm", "drill.budget"),
        ("degradation", "drill.degradation"),
        ("ux_fallback", "drill.fallback"),
        ("runbook", "drill.runbook"),
        ("access", "drill.access"),
    ],
)
def test_a_passed_drill_is_attached_once_and_verified_by_another(stage, kind, record):
    drill(stage, kind)
    fed()
    for key, (evidence,) in living(stage, record).items():
        assert (evidence.kind, evidence.attached_by) == ("record", stage.people.operator)
        stored = loads(vault.get(evidence.digest))
        assert (stored["kind"], stored["seconds"]) == (kind, 240)
        verify_item(
            release_id=stage.release.pk, key=key, digests=[evidence.digest], now=NOW,
            by=walk.verifier(stage.people, definition_of(stage.release.standard).item(key).owner_role)
            if definition_of(stage.release.standard).item(key).owner_role != "operations" else stage.people.operator2,
        )  # fmt: skip


def test_a_failed_drill_backs_nothing(stage):
    drill(stage, "budget_alarm", outcome="failed")
    fed()
    assert not any(living(stage, "drill.budget").values())


def test_what_people_attached_stays(stage):
    walk.do_checklist(stage.release, stage.people, now=NOW)
    before = living(stage, "runbook")
    write_runbook(
        system=stage.system, title="Outage", kind="model_outage", text=FULL, by=stage.people.operator, now=NOW
    )
    fed()
    assert living(stage, "runbook") == before
