"""Signatures: over what was shown, by two people, and void as soon as what they cover moves."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from accounts.actions import revoke_role
from audit import canonical
from audit.ledger import entries
from demo import walk
from jobs.models import Event
from releases.actions import checklist, rollout, signing
from releases.actions.signing import Proof, statement_for
from releases.decisions import decision_body, replay, standing
from releases.errors import InvalidInput, NotGo, Refused, StateMoved
from releases.gate.types import Question
from releases.models import Decision, SignOff
from tests.factories import NOW, make_user
from tests.releases.conftest import in_review, made_ready

LATER = NOW + timedelta(minutes=30)
PROOF = Proof(SignOff.Method.TWO_FACTOR)

shared_stage = made_ready


@pytest.fixture
def ready(stage):
    return stage


def shown(stage, side, signer, now=LATER):
    found = standing(stage.again(), Question.CANARY, now=now)
    return statement_for(stage.release, found, side, signer=signer, nonce=f"nonce-{side}-{signer.pk}", now=now)


def sign(stage, statement, by, now=LATER, digest=None):
    return signing.sign_off(
        release_id=stage.release.pk,
        statement=statement,
        shown_digest=statement["state_digest"] if digest is None else digest,
        proof=PROOF,
        by=by,
        now=now,
    )


def test_a_go_signed_by_both_sides_is_cleared(ready):
    found = standing(ready.again(), Question.CANARY, now=LATER)
    assert [reason.sentence for reason in found.verdict.reasons] == []
    assert [reason.code for reason in found.missing] == ["sign-off-missing", "sign-off-missing"]
    walk.sign_both(ready.release, ready.people, now=LATER)
    found = standing(ready.again(), Question.CANARY, now=LATER)
    assert found.cleared
    assert [entry.kind for entry in entries(subject=ready.release.subject).order_by("-index")[:2]] == [
        "release.signed"
    ] * 2


def test_nothing_is_signed_on_a_no_go(ready):
    stage = in_review(ready, "2026.11.3")
    with pytest.raises(NotGo) as caught:
        sign(stage, shown(stage, "engineering", stage.people.engineer2), stage.people.engineer2)
    assert len(caught.value.reasons) > 10
    assert not SignOff.objects.exists()


def test_a_change_after_the_page_was_shown_refuses_the_signature(ready):
    statement = shown(ready, "engineering", ready.people.engineer2)
    key = ready.again().answers.first().key
    checklist.answer_question(
        release_id=ready.release.pk, key=key, value="yes", text="Said better.", by=ready.people.product, now=LATER
    )
    with pytest.raises(StateMoved, match="changed after you opened"):
        sign(ready, statement, ready.people.engineer2)


def test_a_change_voids_what_was_signed_and_says_why(ready):
    walk.sign_both(ready.release, ready.people, now=LATER)
    item = walk.by_people(ready.release)[0]
    walk.attach(ready.release, item, by=ready.people.operator, now=LATER)
    checklist.attach_evidence(
        release_id=ready.release.pk,
        key=item.key,
        kind="file",
        title="more.txt",
        content=b"more",
        media_type="text/plain",
        by=ready.people.engineer,
        now=LATER,
    )
    found = standing(ready.again(), Question.CANARY, now=LATER)
    assert not found.cleared
    assert {s.void_reason for s in SignOff.objects.all()} == {f"New evidence was attached to “{item.key}”."}
    assert Event.objects.filter(topic="releases.voided").count() == 2
    assert any("signed an earlier state" in reason.sentence for reason in found.missing)


def test_a_voided_signature_never_comes_back(ready):
    key = ready.again().answers.first().key
    common = {"release_id": ready.release.pk, "key": key, "by": ready.people.product, "now": LATER}
    before = ready.again().answers.first().text
    walk.sign_both(ready.release, ready.people, now=LATER)
    checklist.answer_question(value="yes", text="Another.", **common)
    checklist.answer_question(value="yes", text=before, **common)
    found = standing(ready.again(), Question.CANARY, now=LATER)
    assert found.state_digest == SignOff.objects.first().state_digest
    assert not found.cleared


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ("product", "takes the role engineering"),
        ("operator", "takes the role engineering"),
        ("admin", "takes the role engineering"),
        ("auditor", "takes the role engineering"),
    ],
)
def test_a_side_takes_its_role(ready, who, words):
    person = getattr(ready.people, who)
    with pytest.raises(Refused, match=words):
        sign(ready, shown(ready, "engineering", person), person)


def test_an_author_signs_neither_side(ready):
    ready.release.authors.add(ready.people.engineer2)
    with pytest.raises(Refused, match="You are an author"):
        sign(ready, shown(ready, "engineering", ready.people.engineer2), ready.people.engineer2)


def test_one_person_never_holds_both_sides(ready):
    both = make_user("Bo Both", "engineering", "operations")
    sign(ready, shown(ready, "engineering", both), both)
    with pytest.raises(Refused, match="You signed the other side"):
        sign(ready, shown(ready, "operations", both), both)
    row = SignOff.objects.get()
    row.pk, row.side, row.nonce = None, "operations", "another"
    row._state.adding = True
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save(force_insert=True)


@pytest.mark.parametrize(("digest", "error"), [("", InvalidInput), ("sha256:" + "0" * 64, StateMoved)])
def test_the_digest_that_was_shown_must_come_back(ready, digest, error):
    with pytest.raises(error):
        sign(ready, shown(ready, "engineering", ready.people.engineer2), ready.people.engineer2, digest=digest)


def test_a_statement_is_used_once_by_its_person_and_soon(ready):
    statement = shown(ready, "engineering", ready.people.engineer2)
    with pytest.raises(Refused, match="another person"):
        sign(ready, statement, ready.people.engineer)
    with pytest.raises(StateMoved, match="15 minutes"):
        sign(ready, statement, ready.people.engineer2, now=LATER + timedelta(minutes=16))
    sign(ready, statement, ready.people.engineer2)
    with pytest.raises(StateMoved, match="has been used"):
        sign(ready, statement, ready.people.engineer2)


def test_a_signature_dies_with_the_role_of_its_signer(ready):
    walk.sign_both(ready.release, ready.people, now=LATER)
    grant = ready.people.engineer2.grants.get(role="engineering")
    revoke_role(grant=grant, by=ready.people.admin, now=LATER)
    found = standing(ready.again(), Question.CANARY, now=LATER + timedelta(seconds=1))
    assert not found.cleared
    assert any("no longer holds" in reason.sentence for reason in found.missing)


def test_a_rejection_blocks_through_every_change_until_its_author_lifts_it(ready):
    walk.sign_both(ready.release, ready.people, now=LATER)
    rejected = signing.reject(
        release_id=ready.release.pk, side="operations", reason="Alerts are muted.", by=ready.people.operator, now=LATER
    )
    found = standing(ready.again(), Question.CANARY, now=LATER)
    assert not found.cleared
    assert [reason.code for reason in found.verdict.reasons] == ["rejected"]
    with pytest.raises(Refused, match="Only the person who rejected"):
        signing.lift_rejection(rejection_id=rejected.pk, by=ready.people.operator2, now=LATER)
    signing.lift_rejection(rejection_id=rejected.pk, by=ready.people.operator, now=LATER)
    assert standing(ready.again(), Question.CANARY, now=LATER).cleared


def test_withdrawn_is_gone_but_kept(ready):
    walk.sign_both(ready.release, ready.people, now=LATER)
    mine = SignOff.objects.get(side="engineering")
    with pytest.raises(Refused, match="Only the signer"):
        signing.withdraw(sign_off_id=mine.pk, by=ready.people.operator2, now=LATER)
    signing.withdraw(sign_off_id=mine.pk, by=ready.people.engineer2, now=LATER)
    assert not standing(ready.again(), Question.CANARY, now=LATER).cleared
    assert SignOff.objects.count() == 2


def test_the_canary_starts_with_clearance_only(ready):
    with pytest.raises(Refused, match="no clearance"):
        rollout.start_rollout(release_id=ready.release.pk, by=ready.people.operator, now=LATER)
    walk.sign_both(ready.release, ready.people, now=LATER)
    rollout.start_rollout(release_id=ready.release.pk, by=ready.people.operator, now=LATER)
    assert ready.again().state == "canary"
    decision = Decision.objects.get(occasion="started")
    assert decision.cleared
    assert replay(decision)[1]
    assert canonical.digest(decision_body(decision)) == decision.digest


def test_a_closed_question_is_frozen(ready):
    walk.sign_both(ready.release, ready.people, now=LATER)
    rollout.start_rollout(release_id=ready.release.pk, by=ready.people.operator, now=LATER)
    found = standing(ready.again(), Question.CANARY, now=LATER)
    assert found.cleared
    assert found.closed_by is not None
    with pytest.raises(Refused, match="fixed"):
        checklist.answer_question(
            release_id=ready.release.pk,
            key=found.facts.answers[0].key,
            value="no",
            text="No.",
            by=ready.people.product,
            now=LATER,
        )
    grant = ready.people.engineer2.grants.get(role="engineering")
    revoke_role(grant=grant, by=ready.people.admin, now=LATER)
    assert standing(ready.again(), Question.CANARY, now=LATER + timedelta(hours=1)).cleared


@pytest.mark.parametrize("sql", ["UPDATE {} SET cleared = true", "DELETE FROM {}"])
def test_decisions_are_kept_as_they_are(ready, sql):
    walk.sign_both(ready.release, ready.people, now=LATER)
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="refused"), transaction.atomic():
        cursor.execute(sql.format("releases_decision"))


def test_signatures_are_not_edited_or_deleted(ready):
    walk.sign_both(ready.release, ready.people, now=LATER)
    for sql in ("UPDATE releases_signoff SET side = 'operations'", "DELETE FROM releases_signoff"):
        with connection.cursor() as cursor, pytest.raises((ProgrammingError, IntegrityError)), transaction.atomic():
            cursor.execute(sql)
