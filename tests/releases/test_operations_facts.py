"""What the gate knows from operations, taken from their own rows: without each of them it says no, and says which."""

from datetime import timedelta

import pytest
import time_machine
from django.db import connection

from demo import walk
from operations.actions.channels import switch_channel
from operations.actions.drills import end_drill, plan_drill, start_drill
from operations.actions.freezes import impose_freeze
from operations.models import Channel, Delivery, Drill, Notification
from operations.queries import ALARM_TOPIC
from releases.decisions import standing
from releases.gate.types import Question
from releases.judging import judge_waiting
from systems.actions import registry
from tests.factories import NOW
from tests.operations.test_budget_watch import spend
from tests.releases.conftest import staged
from tests.releases.ready import prove_channel, record_evaluation

pytestmark = pytest.mark.django_db

shared_stage = staged


def ready(stage, *, without=""):
    walk.do_checklist(stage.release, stage.people, now=NOW)
    walk.answer_questions(stage.release, by=stage.people.product, now=NOW)
    for kind in ("rollback", "incident"):
        if kind != without:
            walk.drill(stage.system, kind, stage.people, now=NOW)
    prove_channel(stage.system, by=stage.people.operator)
    if without == "channel":
        Channel.objects.update(tested_at=None)
    if without == "alarm":
        Notification.objects.filter(topic=ALARM_TOPIC).delete()
    record_evaluation(stage)
    judge_waiting(now=NOW)
    return stage


def missing(stage, now=NOW + timedelta(minutes=30)):
    verdict = standing(stage.release, Question.CANARY, now=now).verdict
    assert verdict.go == (not verdict.reasons)
    return {reason.sentence for reason in verdict.reasons}


def test_with_all_of_them_it_says_go(stage):
    assert missing(ready(stage)) == set()


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ("rollback", "No rollback drill has been passed."),
        ("incident", "No incident drill has been passed."),
        ("channel", "A budget alarm would reach nobody: connect a channel."),
        ("alarm", "No alarm has been delivered in the last 30 days. Run a budget alarm drill."),
    ],
)
def test_one_fact_that_is_not_there_blocks(stage, without, words):
    (sentence,) = missing(ready(stage, without=without))
    assert words in sentence


def test_a_budget_alarm_that_came_late_blocks(stage):
    ready(stage)
    Delivery.objects.update(sent_at=NOW + timedelta(minutes=5))
    assert missing(stage) == set()
    Delivery.objects.update(sent_at=NOW + timedelta(minutes=5, seconds=0.1))
    (sentence,) = missing(stage)
    assert "The slowest alarm took 301 seconds; 300 are allowed." in sentence


def test_retiring_the_component_does_not_hide_that_the_pinned_version_is_no_good(stage):
    ready(stage)
    pinned = stage.release.pins.select_related("version__component").get(component__kind="fallback").version
    engineer = stage.people.engineer2
    registry.deprecate_version(version=pinned, by=engineer, now=NOW)
    assert missing(stage) == set()
    registry.retire_version(version=pinned, by=engineer, now=NOW)
    retired = f"{pinned.component.name} version {pinned.number} is not approved by a second person."
    assert retired in missing(stage)
    registry.retire_component(component=pinned.component, by=engineer, now=NOW)
    assert retired in missing(stage)


def test_a_freeze_blocks(stage):
    impose_freeze(system=ready(stage).system, reason="It leaks names.", by=stage.people.operator, now=NOW)
    (sentence,) = missing(stage)
    assert "It leaks names." in sentence


def test_an_exceeded_budget_blocks_until_the_next_budget_day(stage):
    ready(stage)
    with time_machine.travel(NOW, tick=False):
        spend(stage.system, "50", NOW)
    (sentence,) = missing(stage)
    assert "budget" in sentence.lower()
    assert missing(stage, now=NOW + timedelta(days=1)) == set()


def test_a_channel_that_is_switched_off_blocks(stage):
    ready(stage)
    switch_channel(channel=Channel.objects.get(), on=False, by=stage.people.admin, now=NOW)
    assert len(missing(stage)) == 1


@pytest.mark.parametrize("ending", ["none", "failed"])
def test_a_drill_without_its_stop_or_that_failed_is_no_drill(stage, ending):
    ready(stage, without="incident")
    operator = stage.people.operator
    planned = plan_drill(
        system=stage.system, kind="incident", environment="staging", plan="x", participants=[], by=operator, now=NOW
    )
    running = start_drill(drill=planned, by=operator, now=NOW)
    if ending == "failed":
        end_drill(drill=running, outcome="failed", log="Nobody came.", by=operator, now=NOW + timedelta(minutes=5))
    assert len(missing(stage)) == 1


def test_a_drill_that_is_too_old_is_no_drill(stage):
    ready(stage, without="rollback")
    walk.drill(stage.system, "rollback", stage.people, now=NOW)
    assert missing(stage) == set()
    with connection.cursor() as cursor:  # a trigger lets nobody else do it
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE operations_drill DISABLE TRIGGER operations_guard")
        old = Drill.objects.get(kind="rollback")
        days = timedelta(days=91)
        Drill.objects.filter(pk=old.pk).update(
            started_at=old.started_at - days, recovered_at=old.recovered_at - days, ended_at=old.ended_at - days
        )
        cursor.execute("ALTER TABLE operations_drill ENABLE TRIGGER operations_guard")
    assert len(missing(stage)) == 1
