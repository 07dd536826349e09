"""The API: what tokens may read, what people may do, and that a repeat does nothing."""

import uuid
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.actions import issue_token
from audit.ledger import entries
from operations.actions.channels import create_channel
from operations.actions.freezes import impose_freeze
from operations.actions.runbooks import write_plan
from operations.actions.status import change_status
from operations.models import Channel, Delivery, Drill, Freeze
from operations.notify import notify
from operations.queries import active_freezes
from tests.operations.test_budget_watch import spend

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_second_factor(settings):
    settings.REQUIRE_MFA = False


@pytest.fixture
def bearer(admin, people, now):
    """Headers of a machine token with these scopes, owned by an engineer."""

    def make(*scopes, system=""):
        owner = people("Ed", "engineering", system=system)
        _, secret = issue_token(owner=owner, name="ci", scopes=scopes, by=admin, now=now, system=system)
        return {"Authorization": f"Bearer {secret}"}

    return make


def at(name, *args):
    return reverse(f"operations_api:{name}", args=args)


def post(client, path, body=None, **headers):
    return client.post(path, body or {}, content_type="application/json", headers=headers)


def test_an_application_asks_for_its_budget_with_a_token(system, client, bearer):
    answer = client.get(at("budget", "support-bot"), headers=bearer("status:read"))
    assert answer.status_code == 200
    assert answer.json() == {
        "system": "support-bot",
        "state": "ok",
        "day": timezone.now().date().isoformat(),
        "spent_usd": "0",
        "alert_usd": "45",
        "cap_usd": "50",
        "unknown_share": "0",
    }


def test_the_budget_is_asked_for_before_every_call_and_costs_no_look_at_the_trail(system, client, bearer, now):
    headers, path = bearer("status:read"), at("budget", "support-bot")
    with time_machine.travel(now, tick=False) as clock:
        assert client.get(path, headers=headers).json()["spent_usd"] == "0"
        spend(system, "12", now)
        with CaptureQueriesContext(connection) as asked:
            assert client.get(path, headers=headers).json()["spent_usd"] == "0"
        assert not [query for query in asked if "audit_spend" in query["sql"] or "audit_call" in query["sql"]]
        assert len(asked) <= 5
        clock.shift(timedelta(seconds=2.1))
        assert client.get(path, headers=headers).json()["spent_usd"] == "12"


def test_callers_read_the_step_and_its_tag_changes_with_it(system, client, bearer, people, now):
    oli, headers = people("Oli", "operations"), bearer("status:read")
    steps = [{"do": f"Give up {n}.", "undo": f"Take {n} back.", "status": "degraded"} for n in (1, 2)]
    write_plan(system=system, steps=steps, by=oli, now=now)
    client.force_login(oli)
    until = (now + timedelta(hours=1)).isoformat()
    tags = []
    for step in (1, 2):
        said = post(client, at("status", "support-bot"), {"step": step, "reason": "x", "expires_at": until}).json()
        assert (said["status"], said["step"], said["gives_up"]) == ("degraded", step, f"Give up {step}.")
        answer = Client().get(at("status", "support-bot"), headers=headers)
        assert answer.json()["step"] == step
        tags.append(answer["ETag"])
        same = Client().get(at("status", "support-bot"), headers=headers | {"If-None-Match": tags[-1]})
        assert (same.status_code, same.content) == (304, b"")
    assert tags[0] != tags[1]


def test_a_token_of_another_system_or_scope_learns_nothing(system, other_system, client, bearer):
    assert client.get(at("budget", "support-bot")).status_code == 401
    assert client.get(at("budget", "support-bot"), headers=bearer("gate:read")).status_code == 403
    elsewhere = bearer("status:read", system="search")
    for name in ("budget", "status", "alarms", "freezes", "drills", "channels", "deliveries"):
        assert client.get(at(name, "support-bot"), headers=elsewhere).status_code == 404, name
        assert client.get(at(name, "search"), headers=elsewhere).status_code == 200, name


def test_a_token_changes_nothing(system, client, bearer):
    token = bearer("status:read", "gate:read")
    for path in (at("status", "support-bot"), at("freezes", "support-bot"), at("drills", "support-bot")):
        answer = post(client, path, {"reason": "x", "status": "stopped"}, **token)
        assert answer.status_code == 403 and "person" in answer.json()["detail"]
    assert not Freeze.objects.exists() and not Drill.objects.exists()


def test_an_unchanged_status_costs_an_empty_answer(system, client, bearer, people, now):
    token = bearer("status:read")
    first = client.get(at("status", "support-bot"), headers=token)
    assert first.json()["status"] == "normal"
    again = client.get(at("status", "support-bot"), headers=token | {"If-None-Match": first["ETag"]})
    assert again.status_code == 304 and again.content == b""
    later = now + timedelta(hours=1)
    change_status(
        system=system, status="fallback", reason="Outage.", by=people("Oli", "operations"), now=now, expires_at=later
    )
    changed = client.get(at("status", "support-bot"), headers=token | {"If-None-Match": first["ETag"]})
    assert changed.status_code == 200 and changed.json()["status"] == "fallback"
    assert changed.json()["until"] is not None and changed["ETag"] != first["ETag"]


def test_a_status_changed_by_a_person(system, client, people):
    client.force_login(people("Oli", "operations"))
    refused = post(client, at("status", "support-bot"), {"status": "degraded", "reason": "Slow."})
    assert refused.status_code == 409
    assert refused.json()["reasons"] == ["Say until when the system is degraded: it ends by itself then."]
    until = (timezone.now() + timedelta(hours=2)).isoformat()
    changed = post(client, at("status", "support-bot"), {"status": "degraded", "reason": "Slow.", "expires_at": until})
    assert changed.json()["status"] == "degraded"
    assert post(client, at("status", "support-bot"), {"status": "broken", "reason": "x"}).status_code == 422


def test_a_freeze_from_imposed_to_lifted(system, client, people, now):
    team = [people("Mara", "product"), people("Ed", "engineering"), people("Oli", "operations")]
    client.force_login(team[0])
    key = str(uuid.uuid4())
    made = post(client, at("freezes", "support-bot"), {"reason": "Drift."}, **{"Idempotency-Key": key})
    again = post(client, at("freezes", "support-bot"), {"reason": "Drift."}, **{"Idempotency-Key": key})
    assert made.status_code == again.status_code == 201 and Freeze.objects.count() == 1
    freeze = made.json()["id"]
    body = post(client, at("mitigation", "support-bot", freeze), {"text": "Retrained."}).json()
    assert body["mitigation_by"] == team[0].actor_id
    for person, side in zip(team[1:], ("engineering", "operations"), strict=True):
        client.force_login(person)
        answer = post(
            client, at("confirmation", "support-bot", freeze), {"side": side, "seen": body["mitigation_digest"]}
        )
        assert answer.status_code == 200, answer.json()
    assert answer.json()["lifted_at"] and not active_freezes(system, timezone.now())
    listed = client.get(at("freezes", "support-bot")).json()
    assert [row["reason"] for row in listed] == ["Drift."]


def test_a_freeze_of_another_system_is_not_there(system, other_system, client, people, now):
    freeze = impose_freeze(system=system, reason="x", by=None, now=now)
    client.force_login(people("Sam", "operations", system="search"))
    for slug in ("support-bot", "search"):
        assert post(client, at("mitigation", slug, freeze.pk), {"text": "y"}).status_code == 404
    freeze.refresh_from_db()
    assert freeze.mitigation == ""


def test_a_drill_by_api_and_its_times_are_measured_not_sent(system, client, people):
    ed = people("Ed", "engineering")
    client.force_login(people("Oli", "operations"))
    plan = {"kind": "rollback", "environment": "staging", "plan": "Break it.", "participants": [ed.email]}
    stranger = post(client, at("drills", "support-bot"), plan | {"participants": ["nobody@example.com"]})
    assert stranger.status_code == 422 and "Nobody here has the address" in stranger.json()["detail"]
    sent = {"started_at": "2020-01-01T00:00:00Z", "measured_seconds": 1}
    drill = post(client, at("drills", "support-bot"), plan | sent).json()
    assert drill["started_at"] is None and drill["measured_seconds"] is None
    for step in ("drill-start", "drill-recovered"):
        answer = post(client, at(step, "support-bot", drill["id"]), sent)
        assert answer.status_code == 200, answer.json()
    assert post(client, at("drill-moments", "support-bot", drill["id"]), {"text": "Noted."}).status_code == 201
    ended = post(client, at("drill-end", "support-bot", drill["id"]), {"outcome": "passed", "log": "Fine."} | sent)
    assert ended.json()["outcome"] == "passed" and 0 <= ended.json()["measured_seconds"] < 60
    assert client.get(at("drill", "support-bot", drill["id"])).json() == ended.json()
    assert client.get(at("drills", "support-bot")).json()["results"] == [ended.json()]


def test_channels_and_deliveries(system, client, people, admin, receiver, now):
    client.force_login(admin)
    made = post(client, at("channels", "support-bot"), {"name": "Bot", "kind": "webhook", "target": receiver.url})
    assert made.status_code == 201 and made.json()["secret"].startswith("whsec_")
    assert made.json()["target"] == f"http://127.0.0.1:{receiver.port}/hooks?…"
    channel = made.json()["id"]
    assert "secret" not in client.get(at("channels", "support-bot")).json()[0]
    assert post(client, at("channel-test", channel)).status_code == 202
    (row,) = client.get(at("deliveries", "support-bot")).json()["results"]
    assert row["state"] == "waiting" and row["to"] == "Bot"
    assert post(client, at("resend", row["id"])).status_code == 409
    assert post(client, at("channel-secret", channel)).json()["secret"] != made.json()["secret"]
    assert post(client, at("channel-switch", channel), {"on": False}).json()["state"] == "off"
    kinds = [entry.kind for entry in entries(subject=f"channel:{channel}")]
    assert kinds == ["channel.created", "channel.tested", "channel.secret-rotated", "channel.switched-off"]
    for entry in entries(subject=f"channel:{channel}"):
        assert "of-the-receiver" not in entry.leaf

    client.force_login(people("Sam", "operations", system="elsewhere"))
    assert post(client, at("channel-switch", channel), {"on": True}).status_code == 404
    assert post(client, at("resend", row["id"])).status_code == 404
    assert Channel.objects.get().state == "off"


def test_channels_of_the_organisation_are_for_admins(client, people, admin, now):
    create_channel(system=None, name="All", kind="email", target="all@example.com", by=admin, now=now)
    client.force_login(people("Oli", "operations"))
    refused = client.get(at("organisation-channels"))
    assert refused.status_code == 403 and "all@example.com" not in refused.content.decode()
    client.force_login(admin)
    assert [row["name"] for row in client.get(at("organisation-channels")).json()] == ["All"]
    body = {"name": "Bots", "kind": "email", "target": "bots@example.com", "topics": ["nonsense"]}
    assert post(client, at("organisation-channels"), body).status_code == 422
    assert post(client, at("organisation-channels"), body | {"topics": []}).status_code == 201


def test_alarms_with_their_delay(system, client, bearer, admin, now):
    create_channel(system=system, name="Box", kind="email", target="a@example.com", by=admin, now=now)
    breach = now - timedelta(seconds=90)
    told = {
        "topic": "releases.canary-breach",
        "system": system,
        "subject": "r:1",
        "title": "Breach",
        "body": "3 of 47.",
    }
    notify(**told, url="", now=now, breach_at=breach)
    Delivery.objects.update(state="sent", sent_at=now, delay=now - breach)
    (alarm,) = client.get(at("alarms", "support-bot"), headers=bearer("status:read")).json()
    assert alarm["delay_seconds"] == 90 and (alarm["title"], alarm["body"]) == ("Breach", "3 of 47.")
