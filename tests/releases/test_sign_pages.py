"""The pages around a signature: sign and next, sections, the shortest way, requests and reminders."""

import json
from datetime import timedelta

import pytest
import time_machine

from accounts.totp import code_at
from demo import walk
from jobs.models import Event, Job
from releases import asking
from releases.actions import checklist
from releases.actions import signing as acts
from releases.decisions import standing
from releases.gate.types import Question
from releases.models import SignOff
from releases.presenting.express import express
from releases.presenting.rows import in_words
from releases.presenting.signing import proven
from releases.presenting.work import next_to_sign
from tests.factories import NOW, PASSWORD, TOTP_SECRET, make_whole_system, sign_in
from tests.releases.conftest import in_review, made_ready, make_stage
from tests.releases.ready import make_ready

LATER = NOW + timedelta(minutes=30)

shared_stage = made_ready


@pytest.fixture
def ready(stage):
    return stage


@pytest.fixture
def clock():
    with time_machine.travel(LATER, tick=False):
        yield


def url(stage, *parts):
    return "/".join(["/systems", stage.system.slug, "releases", stage.release.label, *parts, ""])


def sign(stage, user, side, **more):
    user.set_password(PASSWORD)
    user.save()
    client = sign_in(user)
    initial = client.get(url(stage, "sign", side)).context["form"].initial
    factors = {"password": PASSWORD, "code": code_at(TOTP_SECRET, LATER)}
    return client.post(url(stage, "sign", side), {**initial, **factors, **more})


def test_signing_leads_to_the_next_signature_or_back(ready, clock):
    people, systems = ready.people, [ready.system.slug]
    assert next_to_sign(people.engineer2, systems, now=LATER) == url(ready, "sign", "engineering")
    assert next_to_sign(people.product, systems, now=LATER) == ""
    answer = sign(ready, people.engineer2, "engineering", then="next")
    assert answer["Location"].endswith(f"/{ready.release.label}/#signoffs")  # nothing else waits for this person
    assert SignOff.objects.get().signer == people.engineer2
    assert next_to_sign(people.engineer2, systems, now=LATER) == ""
    assert next_to_sign(people.operator2, systems, now=LATER) == url(ready, "sign", "operations")


def test_signing_says_what_was_signed_and_what_waits(ready, clock):
    """Labels repeat over systems: both are named."""
    waiting = make_ready(make_stage(make_whole_system("billing-bot", people=ready.people)))
    answer = sign(ready, ready.people.engineer2, "engineering", then="next")
    assert answer["Location"] == url(waiting, "sign", "engineering")
    said = "You signed Support bot 2026.11.2 for engineering. Here is the next that waits for you."
    assert said in answer.client.get(answer["Location"]).text


def test_who_signs_what_has_changed_sees_what_has(ready, clock):
    user, item = ready.people.engineer2, walk.by_people(ready.release)[0]
    user.set_password(PASSWORD)
    user.save()
    client, page = sign_in(user), url(ready, "sign", "engineering")
    shown = client.get(page)
    assert 'id="moved"' not in shown.text
    with time_machine.travel(LATER + timedelta(minutes=1), tick=False):
        now = LATER + timedelta(minutes=1)
        by = walk.verifier(ready.people, item.owner_role)
        checklist.send_back(release_id=ready.release.pk, key=item.key, reason="Blurred.", by=by, now=now)
        factors = {"password": PASSWORD, "code": code_at(TOTP_SECRET, now)}
        refused = client.post(page, {**shown.context["form"].initial, **factors})
    assert (refused.status_code, "The release changed after you opened this page" in refused.text) == (409, True)
    [moved] = refused.context["moved"]
    assert "sent back" in moved["sentence"] and item.key in moved["sentence"] and moved["url"] in refused.text
    assert not SignOff.objects.exists()


def test_a_certificate_says_what_can_be_checked_and_where_it_is_recorded(ready, clock):
    signed = walk.sign(ready.release, "engineering", by=ready.people.engineer2, now=LATER)
    client, page = sign_in(ready.people.auditor), url(ready, "signatures", str(signed.pk))
    shown = client.get(page)
    assert "Password and code were checked when it was signed; neither is kept." in shown.text
    entry = shown.context["entry"]
    assert (entry.kind, entry.actor_id) == ("release.signed", ready.people.engineer2.actor_id)
    assert f"Entry {entry.index} of the ledger" in shown.text
    assert list(json.loads(shown.context["statement_json"])) == sorted(signed.statement), "in the order of its digest"
    changed = SignOff(statement=signed.statement | {"side": "operations"}, statement_digest=signed.statement_digest)
    assert proven(signed)[1] == "" and "not the one that its digest" in proven(changed)[1]
    acts.withdraw(sign_off_id=signed.pk, by=ready.people.engineer2, now=LATER)
    assert "Withdrawn at" in client.get(page).text


def test_a_section_is_signed_by_its_owner_and_clears_nothing(ready, clock):
    assert sign(ready, ready.people.platform, "platform").status_code == 302
    signed = SignOff.objects.get()
    assert (signed.side, signed.get_side_display()) == ("platform", "Security")
    found = standing(ready.again(), Question.CANARY, now=LATER)
    assert [reason.code for reason in found.missing] == ["sign-off-missing", "sign-off-missing"]
    walk.sign_both(ready.release, ready.people, now=LATER)
    assert standing(ready.again(), Question.CANARY, now=LATER).cleared
    client = sign_in(ready.people.engineer)
    sections = {row["name"]: row["status"] for row in client.get(url(ready)).context["signoffs"]["sections"]}
    assert sections["Security"] == "signed"
    certificate = client.get(url(ready, "signatures", str(signed.pk)))
    assert "I have checked the security of this release" in certificate.text


def test_a_section_takes_its_own_role_and_another_person(ready, clock):
    refused = sign(ready, ready.people.engineer2, "privacy")
    assert (refused.status_code, "takes the role privacy" in refused.text) == (403, True)
    assert not SignOff.objects.exists()
    assert sign_in(ready.people.engineer2).get(url(ready, "sign", "nobody")).status_code == 404


def test_the_shortest_way_names_what_is_left_and_who_can_sign(ready, clock):
    stage = in_review(ready, "2026.11.3")
    found = standing(stage.again(), Question.CANARY, now=LATER)
    way = express(stage.again(), found, now=LATER)
    assert way["left"] == len([r for r in found.missing if not r.code.startswith("sign-off")]) > 10
    assert sum(len(reasons) for _, reasons in way["hands"]) == way["left"]
    assert [side["names"] for side in way["signers"]] == [
        sorted({stage.people.engineer.name, stage.people.engineer2.name}),
        sorted({stage.people.operator.name, stage.people.operator2.name}),
    ]
    client = sign_in(stage.people.engineer)
    assert "Degrade or fall back" in client.get(url(stage, "express")).text
    answer = client.get(f"/api/releases/{stage.release.pk}/express").json()
    assert (answer["left"], answer["signers"]) == (way["left"], way["signers"])


def test_the_shortest_way_is_short_where_all_is_done(ready):
    walk.sign(ready.release, "engineering", by=ready.people.engineer2, now=LATER)
    way = express(ready.again(), standing(ready.again(), Question.CANARY, now=LATER), now=LATER)
    assert (way["left"], way["hands"], way["cleared"]) == (0, [], False)
    assert [side["done"] for side in way["signers"]] == [True, False]
    assert ready.people.engineer2.name not in way["signers"][1]["names"]
    walk.sign(ready.release, "operations", by=ready.people.operator2, now=LATER)
    assert express(ready.again(), standing(ready.again(), Question.CANARY, now=LATER), now=LATER)["cleared"]


def test_who_has_not_signed_is_asked_once_and_reminded_each_day(ready):
    for minutes in (0, 1, 600):
        assert asking.look(now=LATER + timedelta(minutes=minutes)) == 1
    assert Job.objects.filter(task="releases.request_sign_off").count() == 1
    assert not Job.objects.filter(task="releases.remind_sign_off").exists()
    tomorrow = LATER + timedelta(hours=25)
    asking.look(now=tomorrow)
    asking.look(now=tomorrow + timedelta(minutes=1))
    reminder = Job.objects.get(task="releases.remind_sign_off")
    assert reminder.args == {"release_id": str(ready.release.pk), "days": 1}
    asking.remind_sign_off(**reminder.args, now=LATER + timedelta(hours=2))
    assert Event.objects.get(topic="releases.sign-off-reminder").payload["days"] == 1


def test_nobody_is_reminded_of_what_was_done_meanwhile(ready):
    walk.sign_both(ready.release, ready.people, now=LATER)
    asking.remind_sign_off(release_id=str(ready.release.pk), days=1, now=LATER)
    assert not Event.objects.filter(topic="releases.sign-off-reminder").exists()


def test_a_signature_is_withdrawn_by_its_signer_only_and_a_rejection_takes_a_reason(ready, clock):
    signed = walk.sign(ready.release, "engineering", by=ready.people.engineer2, now=LATER)
    operator, engineer = sign_in(ready.people.operator2), sign_in(ready.people.engineer2)
    assert operator.post(url(ready, "say", "withdraw"), {"id": str(signed.pk)}).status_code == 403
    assert engineer.post(url(ready, "say", "withdraw"), {"id": str(signed.pk)}).status_code == 302
    signed.refresh_from_db()
    assert signed.withdrawn_at == LATER
    reject = {"side": "operations", "reason": "Alerts are muted."}
    assert operator.post(url(ready, "say", "reject"), {**reject, "reason": " "}).status_code == 422
    assert operator.post(url(ready, "say", "reject"), reject).status_code == 302
    found = standing(ready.again(), Question.CANARY, now=LATER)
    assert [reason.code for reason in found.verdict.reasons] == ["rejected"]


@pytest.mark.parametrize(
    ("named", "read"),
    [
        ("engineering", "Engineering"),
        ("engineering or operations", "Engineering or operations"),
        ("another person: privacy or operations", "Another person: privacy or operations"),
        ("another person: operations or operations", "Another person: operations"),
    ],
)
def test_who_can_clear_a_reason_is_said_once(named, read):
    assert in_words(named) == read
