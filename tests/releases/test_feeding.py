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
from releases.decisions import standing
from releases.gate.types import ItemState, Question
from releases.handlers import ask_owners_again, feed_items, feed_ownership
from releases.models import Evidence
from releases.standard.published import definition_of
from systems.actions import acknowledge_ownership, assign_ownership
from systems.errors import Refused
from tests.factories import NOW, sign_in
from tests.operations.test_risks_and_runbooks import FULL
from tests.releases.conftest import staged

pytestmark = pytest.mark.django_db

shared_stage = staged


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


OWNERSHIP = "ownership.acknowledged"


def acknowledged(stage, *, now=NOW):
    """Every owner says so, and the worker hears of it."""
    owners = {row.user for row in stage.system.ownerships.filter(acknowledged_at=None).select_related("user")}
    for user in owners:
        acknowledge_ownership(system=stage.system, by=user, now=now)
    for event in Event.objects.filter(topic="systems.ownership-acknowledged"):
        feed_ownership(event)
        feed_ownership(event)


def state(stage):
    verdict = standing(stage.release, Question.CANARY, now=NOW).verdict
    return next(item.state for item in verdict.items if item.key == OWNERSHIP)


def test_the_word_of_the_last_owner_makes_the_map_evidence(stage):
    first = stage.people.engineer
    acknowledge_ownership(system=stage.system, by=first, now=NOW)
    assert not Event.objects.filter(topic="systems.ownership-acknowledged").exists()
    with pytest.raises(Refused, match="have said so already"):
        acknowledge_ownership(system=stage.system, by=first, now=NOW)
    with pytest.raises(Refused, match="not named for anything"):
        acknowledge_ownership(system=stage.system, by=stage.people.auditor, now=NOW)
    acknowledged(stage)
    found = living(stage, "acknowledgement")
    (evidence,) = found[OWNERSHIP]
    assert evidence.attached_by == stage.people.operator
    said = loads(vault.get(evidence.digest))["fields"]
    assert {line["label"] for line in said} >= {"Product", "On-call rotation", "Model regressions"}
    assert "Emil Engineer, acknowledged 2026-11-23" in {line["label"]: line["value"] for line in said}["Engineering"]
    # The product's acknowledgement is another thing: nobody's word is taken for it.
    assert not found["ownership.product-acknowledgement"]
    assert state(stage) is ItemState.WAITING


def test_another_owner_undoes_what_was_acknowledged(stage):
    acknowledged(stage)
    (evidence,) = living(stage, "acknowledgement")[OWNERSHIP]
    verify_item(
        release_id=stage.release.pk, key=OWNERSHIP, digests=[evidence.digest], by=stage.people.operator2, now=NOW
    )
    assert state(stage) is ItemState.VERIFIED
    assign_ownership(system=stage.system, area="budget", user=stage.people.product2, by=stage.people.product, now=NOW)
    event = Event.objects.filter(topic="systems.ownership-changed").latest("created_at", "pk")
    ask_owners_again(event)
    ask_owners_again(event)
    assert state(stage) is ItemState.STALE
    assert "budget changed after it was acknowledged" in stage.release.items.get(key=OWNERSHIP).stale_reason
    acknowledged(stage)
    assert state(stage) is ItemState.WAITING


def test_a_change_of_owner_told_late_leaves_what_was_acknowledged_since(stage):
    assign_ownership(system=stage.system, area="budget", user=stage.people.product2, by=stage.people.product, now=NOW)
    event = Event.objects.filter(topic="systems.ownership-changed").latest("created_at", "pk")
    acknowledged(stage)
    assert living(stage, "acknowledgement")[OWNERSHIP][0].attached_at == NOW
    event.created_at = NOW - timedelta(seconds=1)
    ask_owners_again(event)
    assert state(stage) is ItemState.WAITING
    event.created_at = NOW  # in the same moment nobody can say which came first
    ask_owners_again(event)
    assert state(stage) is ItemState.STALE


def test_owners_acknowledge_on_the_page_of_the_system_and_over_the_api(stage):
    url = f"/systems/{stage.system.slug}/"
    product, engineer = sign_in(stage.people.product), sign_in(stage.people.engineer)
    page = product.get(url).content.decode()
    assert "You are named for product, budget." in page
    assert "not acknowledged yet" in page
    product.post(f"{url}owners/acknowledge/")
    assert "You are named for" not in product.get(url).content.decode()
    answer = engineer.post(f"/api{url}owners/acknowledge", content_type="application/json")
    said = {line["area"]: line["acknowledged_at"] for line in answer.json()["owners"]}
    assert said["product"] and said["engineering"] and said["model_regressions"]
    assert said["operations"] is None
    assert engineer.post(f"/api{url}owners/acknowledge", content_type="application/json").status_code == 409
