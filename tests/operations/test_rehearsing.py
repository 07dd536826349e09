"""Drills that the product runs: synthetic requests by the road of every request, real mails and webhooks at its end."""

import json
from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from standardwebhooks import Webhook

from audit import derivation, retention, spanlog, trail
from audit.actors import SYSTEM
from audit.ledger import entries
from audit.models import Request
from jobs.models import Event
from operations import deliver
from operations.actions.channels import create_channel, rotate_secret, switch_channel
from operations.actions.drills import end_drill, mark_recovered, plan_drill, start_drill
from operations.actions.reviews import note_launch
from operations.actions.runbooks import write_runbook
from operations.budget import budget_state
from operations.errors import InvalidInput, Refused
from operations.models import BudgetAlarm, Drill, Notification
from operations.queries import alarm_delays, latest_passed
from operations.rehearsing import advance_all
from operations.reminding import start_scheduled
from tests.factories import make_user, sign_in
from tests.operations.test_risks_and_runbooks import FULL

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(now):
    with time_machine.travel(now, tick=False) as moved:
        yield moved


@pytest.fixture
def oli(people):
    return people("Oli", "operations")


@pytest.fixture
def bot(system, admin, receiver, now):
    return create_channel(system=system, name="Deploy", kind="webhook", target=receiver.url, by=admin, now=now)


def planned(system, by, kind, **changes):
    given = {"environment": "staging", "plan": "Break it.", "participants": [], "by_product": True}
    return plan_drill(system=system, kind=kind, by=by, now=timezone.now(), **given | changes)


def works(clock, seconds=5):
    """What the worker does in a while: drills, sums, deliveries."""
    clock.shift(timedelta(seconds=seconds))
    now = timezone.now()
    advance_all(now=now)
    spanlog.sequence(now=now)
    derivation.derive(now=now)
    for delivery in deliver.due(now):
        deliver.attempt(str(delivery.pk), now=now)


def run(clock, drill, by, *, times=12):
    start_drill(drill=drill, by=by, now=timezone.now())
    for _ in range(times):
        works(clock)
    drill.refresh_from_db()
    return drill


def confirm(drill, secret, restored, *, at=None):
    """As a deploy system does: it signs what it says with the secret of its webhook."""
    body = json.dumps({"restored": restored})
    sent = at or timezone.now()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(sent.timestamp())),
        "webhook-signature": Webhook(secret).sign(msg_id="msg_1", timestamp=sent, data=body),
    }
    url = reverse("operations_api:drill-acknowledge", args=[drill.system.slug, drill.pk])
    return Client().post(url, body, content_type="application/json", headers=headers)


def test_a_budget_drill_spends_nothing_and_alarms_everybody(clock, system, oli, bot, receiver, inbox):
    drill = run(clock, planned(system, oli, "budget_alarm"), oli)
    assert (drill.outcome, drill.ended_by) == ("passed", oli)
    assert timedelta(0) < drill.measured < timedelta(minutes=1)
    said = json.loads(receiver.requests[0][1])
    assert said["type"] == "operations.budget-exceeded" and said["data"]["drill"] == str(drill.pk)
    assert said["data"]["title"].startswith("Drill: Support bot has used up its budget: 50.00 USD")
    assert len(inbox.to(oli.email)) == 1
    now = timezone.now()
    assert budget_state(system, now).spent_nanousd == 0 and not BudgetAlarm.objects.exists()
    assert trail.rates(system.slug, since=now - timedelta(days=1), until=now).requests == 0, "it counts nowhere"
    assert retention.kept(drill.trail_label) == (30, 1) and retention.kept(system.slug) == (400, 400)
    assert alarm_delays(system, now).worst == drill.measured  # a measured alarm, like any other
    record = Event.objects.get(topic="operations.record-made").payload
    assert record["record"] == "drill.budget" and record["by"] == oli.actor_id
    assert not Event.objects.filter(topic="audit.unapproved-traffic").exists()
    last = list(entries(subject=f"drill:{drill.pk}"))[-1]
    assert (last.kind, last.actor_id) == ("drill.ended", SYSTEM.actor_id)


def test_an_auditor_finds_the_requests_of_a_drill(clock, system, oli, bot, receiver, settings):
    settings.REQUIRE_MFA = False
    drill = run(clock, planned(system, oli, "budget_alarm"), oli)
    client = sign_in(make_user("Aud Auditor", "auditor"))
    listed = client.get(reverse("audit:requests"))
    seen = Request.objects.get(system=drill.trail_label)
    page = reverse("audit:request", args=[seen.system, seen.trace_id])
    assert listed.status_code == 200 and page in listed.content.decode()
    assert drill.trail_label in client.get(page).content.decode()


def test_a_budget_drill_fails_where_the_alarm_does_not_arrive(clock, system, oli, bot, receiver):
    receiver.answers = [503] * 50
    drill = run(clock, planned(system, oli, "budget_alarm"), oli)
    assert drill.state == "running"
    works(clock, 300)
    drill.refresh_from_db()
    assert drill.outcome == "failed" and "1 of 1 channels did not have the alarm after 300 seconds" in drill.log


def test_a_budget_drill_fails_where_no_channel_hears_of_it(clock, system, oli, admin, receiver, now):
    create_channel(
        system=system, name="Other", kind="webhook", target=receiver.url, topics=["releases.signed"], by=admin, now=now
    )
    drill = run(clock, planned(system, oli, "budget_alarm"), oli)
    assert drill.outcome == "failed" and drill.log.startswith("No channel hears of the budget")


def test_a_rollback_drill_from_synthetic_errors_to_the_signed_confirmation(clock, system, oli, bot, receiver, now):
    hook, secret = bot
    for label, days in (("1.0", 9), ("1.1", 3)):
        note_launch(system=system, label=label, at=now - timedelta(days=days), now=now)
    drill = run(clock, planned(system, oli, "rollback", hook=hook, release_label="1.1"), oli)
    assert drill.state == "running"  # it waits for the deploy system
    ((headers, body),) = receiver.requests
    data = Webhook(secret).verify(body, headers)["data"]
    assert (data["restore"], data["release"], data["environment"]) == ("1.0", "1.1", "staging")
    assert data["acknowledge"] == reverse("operations_api:drill-acknowledge", args=[system.slug, drill.pk])
    assert "30 of 30 requests failed" in data["body"]

    clock.shift(timedelta(minutes=3))
    answer = confirm(drill, secret, "1.0")
    assert answer.status_code == 200 and answer.json()["outcome"] == "passed"
    drill.refresh_from_db()
    assert timedelta(minutes=3) < drill.measured < timedelta(minutes=6)
    assert latest_passed(system, "rollback", now=timezone.now() + timedelta(seconds=1), validity_days=90) == [drill]
    texts = [moment.text for moment in drill.moments.all()]
    assert texts[0].startswith("The trigger fired") and texts[1] == "The deploy system says: 1.0 serves."
    assert all(moment.by is None for moment in drill.moments.all())
    assert confirm(drill, secret, "1.0").status_code == 409  # it ended


def test_a_rollback_to_something_else_fails_the_drill(clock, system, oli, bot):
    hook, secret = bot
    drill = run(clock, planned(system, oli, "rollback", hook=hook), oli)
    assert confirm(drill, secret, "2.7").json()["outcome"] == "failed"
    drill.refresh_from_db()
    assert drill.log == "2.7 serves, and not fallback, which was asked for."


def test_nobody_else_confirms_a_rollback(clock, system, oli, admin, bot, receiver, now):
    hook, secret = bot
    drill = planned(system, oli, "rollback", hook=hook)
    assert confirm(drill, secret, "fallback").status_code == 409  # it does not run yet
    run(clock, drill, oli)
    _, others = create_channel(
        system=system, name="Other", kind="webhook", target=f"{receiver.url}&other=1", by=admin, now=now
    )
    for why, answer in (
        ("another secret", confirm(drill, others, "fallback")),
        ("an old signature", confirm(drill, secret, "fallback", at=timezone.now() - timedelta(minutes=6))),
        ("none", Client().post(
            reverse("operations_api:drill-acknowledge", args=[system.slug, drill.pk]), {"restored": "fallback"},
            content_type="application/json",
        )),
    ):  # fmt: skip
        assert answer.status_code == 403 and "signature" in answer.json()["detail"], why
    assert confirm(drill, secret, "").status_code == 422
    former, secret = secret, rotate_secret(channel=hook, by=admin, now=timezone.now())
    assert confirm(drill, former, "fallback").json()["outcome"] == "passed"  # it signs for a day longer


def test_a_rollback_that_nobody_confirms_fails_after_the_minutes_of_the_policy(clock, system, oli, bot):
    hook, _ = bot
    drill = run(clock, planned(system, oli, "rollback", hook=hook), oli)
    works(clock, 30 * 60)
    drill.refresh_from_db()
    assert drill.outcome == "failed"
    assert drill.log == "The deploy system did not confirm the rollback within 30 minutes."
    assert latest_passed(system, "rollback", now=timezone.now(), validity_days=90) == []


def test_a_deploy_system_that_is_gone_ends_the_drill(clock, system, oli, bot, receiver):
    hook, _ = bot
    receiver.answers = [410]
    drill = run(clock, planned(system, oli, "rollback", hook=hook), oli)
    assert drill.outcome == "failed" and "never reached" in drill.log


def test_people_take_no_times_in_it_but_may_break_it_off(clock, system, oli, bot):
    drill = planned(system, oli, "budget_alarm")
    start_drill(drill=drill, by=oli, now=timezone.now())
    with pytest.raises(Refused, match="takes its times itself"):
        mark_recovered(drill=drill, by=oli, now=timezone.now())
    with pytest.raises(Refused):
        end_drill(drill=drill, outcome="passed", log="x", by=oli, now=timezone.now())
    assert end_drill(drill=drill, outcome="failed", log="Not now.", by=oli, now=timezone.now()).outcome == "failed"
    works(clock)
    assert not Notification.objects.filter(topic="operations.budget-exceeded").exists()


@pytest.mark.parametrize(
    ("kind", "changes", "why"),
    [
        ("incident", {}, "budget and rollback drills"),
        ("budget_alarm", {"environment": "production"}, "nothing in production"),
        ("rollback", {}, "Choose the webhook"),
        ("rollback", {"by_product": False, "hook": "bot"}, "only where the product runs"),
        ("budget_alarm", {"hook": "bot"}, "choose no webhook"),
        ("runbook", {"by_product": False}, "which runbook"),
    ],
)
def test_what_the_product_does_not_run(system, oli, bot, kind, changes, why):
    if "hook" in changes:
        changes = changes | {"hook": bot[0]}
    with pytest.raises(InvalidInput, match=why):
        planned(system, oli, kind, **changes)


def test_a_webhook_that_is_off_or_elsewhere_is_no_deploy_system(system, other_system, oli, bot, admin, receiver, now):
    switch_channel(channel=bot[0], on=False, by=admin, now=now)
    elsewhere, _ = create_channel(system=other_system, name="X", kind="webhook", target=receiver.url, by=admin, now=now)
    for hook in (bot[0], elsewhere):
        with pytest.raises(InvalidInput, match="switched on"):
            planned(system, oli, "rollback", hook=hook)


def test_the_database_keeps_product_drills_whole(system, oli, bot):
    drill = planned(system, oli, "rollback", hook=bot[0])
    for wrong in ({"hook": None}, {"by_product": False}, {"kind": "incident"}):
        with pytest.raises(IntegrityError, match="operations_drill_product_runs"), transaction.atomic():
            Drill.objects.filter(pk=drill.pk).update(**wrong)


def test_the_product_starts_its_drill_on_the_day(clock, system, oli, bot):
    day = (timezone.now() + timedelta(days=3)).date()
    drill = planned(system, oli, "budget_alarm", scheduled_for=day)
    start_scheduled(now=timezone.now())
    assert Drill.objects.get().state == "planned"
    clock.shift(timedelta(days=3))
    start_scheduled(now=timezone.now())
    drill.refresh_from_db()
    assert (drill.state, drill.started_by) == ("running", oli)


def test_its_page_says_who_runs_it_and_offers_only_to_break_it_off(clock, system, oli, bot, client, settings):
    settings.REQUIRE_MFA = False
    client.force_login(oli)
    drill = planned(system, oli, "rollback", hook=bot[0])
    page = reverse("operations:drill", args=[system.slug, drill.pk])
    assert "Let the product run it" in client.get(page).content.decode()
    client.post(reverse("operations:drill-start", args=[system.slug, drill.pk]))
    shown = client.get(page).content.decode()
    follows = 'hx-trigger="every 2s"'
    assert follows in shown and "HX-Refresh" not in client.get(page, headers={"HX-Request": "true"})
    assert "Break it off" in shown and 'value="failed"' in shown and 'value="passed"' not in shown
    assert "stop the clock" not in shown
    assert "runs now" in client.get(reverse("operations:drills", args=[system.slug])).content.decode()
    end = reverse("operations:drill-end", args=[system.slug, drill.pk])
    assert client.post(end, {"outcome": "passed", "log": "x"}).status_code == 422
    client.post(end, {"outcome": "failed", "log": "Not now."})
    assert Drill.objects.get().outcome == "failed"
    ended = client.get(page, headers={"HX-Request": "true"})
    assert ended["HX-Refresh"] == "true" and follows not in ended.content.decode()


def test_a_drill_is_planned_by_its_form_with_runbook_day_and_webhook(clock, system, oli, bot, client, settings):
    settings.REQUIRE_MFA = False
    client.force_login(oli)
    drills, day = reverse("operations:drills", args=[system.slug]), (timezone.now() + timedelta(days=9)).date()
    given = {"kind": "rollback", "environment": "staging", "plan": "Break it.", "by_product": "on"}
    answer = client.post(drills, given)
    assert answer.status_code == 422 and "Choose the webhook of the deploy system" in answer.content.decode()
    assert client.post(drills, given | {"hook": bot[0].pk, "scheduled_for": day}).status_code == 302
    version = write_runbook(system=system, title="Outage", kind="other", text=FULL, by=oli, now=timezone.now())
    followed = {"kind": "runbook", "environment": "staging", "plan": "Follow it.", "runbook": version.pk}
    assert client.post(drills, followed).status_code == 302
    rollback, runbook = (Drill.objects.get(kind=kind) for kind in ("rollback", "runbook"))
    assert (rollback.hook, rollback.scheduled_for, rollback.by_product) == (bot[0], day, True)
    assert runbook.runbook == version
    said = client.get(reverse("operations_api:drill-schedule", args=[system.slug])).json()
    assert {row["kind"]: row["next"] for row in said if row["next"]} == {
        "rollback": str(rollback.pk), "runbook": str(runbook.pk),
    }  # fmt: skip
    start_drill(drill=runbook, by=oli, now=timezone.now())
    mark_recovered(drill=runbook, by=oli, now=timezone.now())
    end_drill(drill=runbook, outcome="passed", log="It holds.", by=oli, now=timezone.now())
    shown = client.get(reverse("operations:runbooks", args=[system.slug])).content.decode()
    assert f"{timezone.now():%Y-%m-%d}" in shown and "Never" not in shown
