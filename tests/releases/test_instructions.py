"""What the deploy system is told, and how it answers: by a real webhook, signed both ways."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from standardwebhooks import Webhook

from audit.ledger import entries
from jobs.models import Event
from jobs.outbox import call, handlers
from operations.actions.channels import create_channel, rotate_secret
from operations.deliver import attempt
from operations.models import Channel, Delivery
from releases.actions import instructing
from releases.models import Instruction
from releases.presenting.rollout_events import events
from tests.factories import NOW as START
from tests.journeys.receiver import Receiver

SOON = START + timedelta(minutes=5)


def relay(topic):
    """Passes the events of a topic on, as the worker does, and delivers what they ordered."""
    for event in Event.objects.filter(topic=topic, relayed_at=None):
        for handler in handlers(topic):
            call(handler, event)
        Event.objects.filter(pk=event.pk).update(relayed_at=event.created_at)
    for delivery in Delivery.objects.exclude(channel=None).filter(state="waiting"):
        attempt(str(delivery.pk), now=timezone.now())


@pytest.fixture
def canary(stage):
    """As if it had started: what is told is what matters here (test_rollout.py has who is told when)."""
    instructing.instruct(stage.release, Instruction.Act.START, share=Decimal("0.1"), serves=None, now=START)
    return stage


@pytest.fixture
def deploy_system(canary, settings):
    settings.EGRESS_ALLOW = ["127.0.0.0/8"]
    with Receiver() as receiver:
        _, receiver.secret = create_channel(
            system=canary.system, name="Argo", kind="webhook", target=receiver.url, topics=[instructing.TOPIC],
            by=canary.people.admin, now=START,
        )  # fmt: skip
        yield receiver


def answer(row, secret, *, result="done", detail="", about=None, address=None):
    body = json.dumps({"instruction": str(about or row.pk), "result": result, "detail": detail})
    sent = timezone.now()
    headers = {
        "webhook-id": f"answer-{row.pk}",
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(secret).sign(f"answer-{row.pk}", sent, body),
    }
    address = address or f"/api/instructions/{row.pk}/acknowledgement"
    return Client().post(address, body, content_type="application/json", headers=headers)


def test_a_rollback_reaches_the_deploy_system_signed_and_is_acknowledged(canary, deploy_system):
    instructing.instruct(
        canary.release, Instruction.Act.ROLL_BACK, share=Decimal(0), serves=None, reason="Slow.", now=SOON
    )
    relay(instructing.TOPIC)
    assert deploy_system.all_signed(deploy_system.secret)
    told = {one["act"]: one for one in (json.loads(body)["data"] for _, body in deploy_system.received)}
    order = told["roll-back"]
    assert (order["share"], order["serves"], order["label"], order["reason"]) == ("0", "", "2026.11.2", "Slow.")
    row = Instruction.objects.get(pk=order["instruction"])
    said = answer(row, deploy_system.secret, detail="weights set", address=order["acknowledge"])
    assert (said.status_code, said.json()["result"]) == (200, "done")
    assert answer(row, deploy_system.secret).status_code == 200, "the same answer again changes nothing"
    assert answer(row, deploy_system.secret, result="failed").status_code == 403
    row.refresh_from_db()
    assert (row.result, row.detail) == ("done", "weights set")
    (entry,) = entries(subject=canary.release.subject).filter(kind="release.instruction-answered")
    assert entry.actor_id == "product"
    Channel.objects.update(topics=[])  # it hears of nothing any more: what it answered stays said
    assert next(one for one in events(canary.release, None, None) if "Acknowledged" in one["detail"])


def test_while_the_secret_changes_both_are_answered_with(canary, deploy_system):
    row = canary.release.instructions.get()
    fresh = rotate_secret(channel=Channel.objects.get(), by=canary.people.admin, now=timezone.now())
    assert answer(row, deploy_system.secret).status_code == 200
    Channel.objects.update(previous_secret_until=timezone.now() - timedelta(seconds=1))
    assert answer(row, deploy_system.secret).status_code == 404
    assert answer(row, fresh).status_code == 200


def test_an_answer_that_the_secret_did_not_sign_is_refused(canary, deploy_system):
    row = canary.release.instructions.get()
    other = "whsec_" + "A" * 43 + "="
    assert answer(row, other).status_code == 404
    address = f"/api/instructions/{row.pk}/acknowledgement"
    body = {"instruction": str(row.pk), "result": "done"}
    assert Client().post(address, body, content_type="application/json").status_code == 404
    elsewhere = "0190f0c5-7b1a-7000-8000-000000000000"
    assert answer(row, deploy_system.secret, address=address.replace(str(row.pk), elsewhere)).status_code == 404
    assert answer(row, deploy_system.secret, about=elsewhere).status_code == 400
    assert answer(row, deploy_system.secret, result="maybe").status_code == 422
    relay(instructing.TOPIC)  # our own signed message, sent back to us, is no answer either
    ((headers, ours),) = deploy_system.received
    kept = {name: value for name, value in headers.items() if name.startswith("webhook-")}
    assert Client().post(address, ours, content_type="application/json", headers=kept).status_code == 422
    row.refresh_from_db()
    assert row.result == "waiting"


def test_silence_and_failure_are_told_to_people_once(canary, deploy_system):
    row = canary.release.instructions.get()
    assert instructing.look_at_waiting(now=START + timedelta(minutes=1)) == 0
    assert instructing.look_at_waiting(now=SOON) == 1
    assert instructing.look_at_waiting(now=SOON) == 0
    assert answer(row, deploy_system.secret, result="failed", detail="no such service").status_code == 200
    why = [event.payload["why"] for event in Event.objects.filter(topic="releases.instruction-failed").order_by("pk")]
    assert why == ["The deploy system has not acknowledged it.", "The deploy system says: no such service."]


def test_where_nobody_listens_nobody_is_overdue(canary):
    assert instructing.look_at_waiting(now=SOON) == 0
    (told,) = events(canary.again(), None, None)
    assert told["detail"].startswith("No deploy system listens")
