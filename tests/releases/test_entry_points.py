"""Every way to a rollout, a promotion or a signature, found by looking at the code and tried by who must not.

The list is generated: a new caller of one of these acts fails the first test until it stands below with its trial.
"""

import ast
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.test import Client

from accounts.actions import issue_token, revoke_role
from demo import walk
from readiness.celery import app
from releases.actions import rollout, shadow
from releases.decisions import standing
from releases.errors import Refused
from releases.gate.types import Question
from releases.locking import lock
from releases.models import Decision, Release, ShadowRun, SignOff
from tests.factories import NOW, sign_in
from tests.releases.ready import make_ready
from tests.releases.test_shadow import beside, planned

__all__ = ["beside", "planned"]

ROOT = Path(__file__).resolve().parents[2]
FLOORS = ("readiness", "demo", "releases", "operations", "metrics", "systems", "accounts", "audit", "jobs", "web")
ACTS = {"start_rollout", "start_shadow", "promote", "sign_off"}
LATER = NOW + timedelta(minutes=30)
# (file, act): browser, API, and the demo, which walks by the same actions. There is no task, command or admin page.
CALLERS = {
    ("releases/views/release.py", "start_rollout"),
    ("releases/views/release.py", "start_shadow"),
    ("releases/views/release.py", "promote"),
    ("releases/views/signing.py", "sign_off"),
    ("releases/api/views.py", "start_rollout"),
    ("releases/api/views.py", "start_shadow"),
    ("releases/api/views.py", "promote"),
    ("releases/api/views.py", "sign_off"),
    ("demo/project.py", "start_rollout"),
    ("demo/project.py", "promote"),
    ("demo/walk.py", "sign_off"),
}
# Whoever writes these can let a release through: the actions alone, and each of them through the lock.
WRITES = {f"releases/actions/{name}.py" for name in ("opening", "rollout", "shadow", "signing")}


def trees():
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def called(node: ast.AST) -> str:
    match node:
        case ast.Call(func=ast.Attribute(attr=name)) | ast.Call(func=ast.Name(id=name)):
            return name
    return ""


def test_the_callers_are_these():
    found = {(path, name) for path, tree in trees() for node in ast.walk(tree) if (name := called(node)) in ACTS} - {
        ("releases/attest.py", "sign_off"),
        ("releases/bundle.py", "sign_off"),
    }  # what a signature says as in-toto
    assert found == CALLERS


def test_only_the_actions_move_a_release_into_canary_or_live():
    """Nothing else assigns the state of a release or makes a signature."""
    moving = set()
    for path, tree in trees():
        text = ast.unparse(tree)
        if "Release.State.CANARY\n" in text or ".state = Release.State" in text or "SignOff.objects.create" in text:
            moving.add(path)
        if "Release.State.CANARY, Release" in text and ".state," in text:
            moving.add(path)
    assert moving <= WRITES, moving
    assert {"releases/actions/rollout.py", "releases/actions/signing.py"} <= moving


def test_no_task_and_no_command_starts_or_promotes():
    app.loader.import_default_modules()
    names = {name for name in app.tasks if name.startswith("releases.")}
    assert names and not [name for name in names if "start" in name or "promote" in name]
    commands = [path for floor in FLOORS for path in (ROOT / floor / "management" / "commands").glob("*.py")]
    assert commands
    for path in commands:
        assert not ACTS & {called(node) for node in ast.walk(ast.parse(path.read_text()))}, path


@pytest.fixture
def ready(stage):
    with time_machine.travel(LATER, tick=False):
        yield make_ready(stage)


def started(stage) -> bool:
    return Decision.objects.filter(occasion="started").exists() or stage.again().state != Release.State.PRE_PRODUCTION


def tries(stage, user) -> list[int]:
    """Start in the shadow, start and promote, by browser and by API, as this person."""
    client = sign_in(user)
    base = f"/systems/{stage.system.slug}/releases/{stage.release.label}/"
    answers = []
    for act in ("start-shadow", "start", "promote"):
        answers.append(client.post(f"{base}move/{act}/").status_code)
        answers.append(
            client.post(
                f"/api/releases/{stage.release.pk}/act",
                {"act": act},
                content_type="application/json",
                headers={"Idempotency-Key": f"{user.pk}-{act}-{len(answers)}"},
            ).status_code
        )
    return answers


def test_without_clearance_nobody_starts_by_any_route(ready):
    """Not the requester, not the administrator, not with one signature, not with the same person's twice."""
    people = ready.people
    walk.sign(ready.release, "engineering", by=people.engineer2, now=LATER)
    with pytest.raises(Refused):
        walk.sign(ready.release, "operations", by=people.engineer2, now=LATER)
    for user in (people.product, people.admin, people.engineer, people.engineer2, people.operator, people.auditor):
        assert set(tries(ready, user)) <= {403, 404, 409}, user
        for act in (shadow.start_shadow, rollout.start_rollout, rollout.promote):
            with pytest.raises(Refused):
                act(release_id=ready.release.pk, by=user, now=LATER)
    assert not started(ready)


def test_a_removed_member_neither_counts_nor_starts(ready):
    people = ready.people
    walk.sign_both(ready.release, people, now=LATER)
    assert standing(ready.again(), Question.CANARY, now=LATER).cleared
    [grant] = people.engineer2.grants.filter(role="engineering", revoked_at=None)
    revoke_role(grant=grant, by=people.admin, now=LATER)
    assert not standing(ready.again(), Question.CANARY, now=LATER).cleared
    assert set(tries(ready, people.operator)) <= {403, 404, 409}
    assert set(tries(ready, people.engineer2)) <= {403, 404, 409}
    assert not started(ready)


def test_a_token_never_signs_starts_or_promotes(ready):
    people = ready.people
    walk.sign_both(ready.release, people, now=LATER)
    _, token = issue_token(
        owner=people.engineer, name="ci", scopes=["gate:read", "evidence:write", "evaluations:write"],
        system=ready.system.slug, by=people.admin, now=LATER,
    )  # fmt: skip
    client, headers = Client(), {"Authorization": f"Bearer {token}"}
    for act in ("start-shadow", "start", "promote", "roll-back"):
        answer = client.post(
            f"/api/releases/{ready.release.pk}/act", {"act": act}, content_type="application/json", headers=headers
        )
        assert answer.status_code == 403, answer.content
    assert client.get(f"/api/releases/{ready.release.pk}/sign-off/engineering", headers=headers).status_code == 403
    assert not started(ready)


def test_of_a_shadow_run_that_may_start_the_wrong_ones_start_none(beside):
    """It asks for no signatures, so only who asks stands in the way: by browser, by API, by the action, by a token."""
    people, system = beside.people, beside.system
    with time_machine.travel(LATER, tick=False):
        [grant] = people.engineer2.grants.filter(role="engineering", revoked_at=None)
        revoke_role(grant=grant, by=people.admin, now=LATER)
        for user in (people.product, people.admin, people.auditor, people.engineer2):
            assert set(tries(beside, user)) <= {403, 404}, user
            with pytest.raises(Refused):
                shadow.start_shadow(release_id=beside.release.pk, by=user, now=LATER)
        _, token = issue_token(
            owner=people.engineer, name="ci", scopes=["gate:read"], system=system.slug, by=people.admin, now=LATER
        )
        address, headers = f"/api/releases/{beside.release.pk}/act", {"Authorization": f"Bearer {token}"}
        body = {"act": "start-shadow"}
        assert Client().post(address, body, content_type="application/json", headers=headers).status_code == 403
        assert Client().post(address, body, content_type="application/json").status_code in (401, 403)
        assert not started(beside) and not ShadowRun.objects.exists()
        right = sign_in(people.operator).post(
            address, body, content_type="application/json", headers={"Idempotency-Key": "right"}
        )
        assert (right.status_code, beside.again().state) == (200, "shadow"), right.content


def test_the_same_person_holds_one_side_by_every_route(ready):
    """Through the action, and past it in SQL: the database says no as well."""
    people = ready.people
    signed = walk.sign(ready.release, "engineering", by=people.engineer2, now=LATER)
    twin = SignOff.objects.get(pk=signed.pk)
    twin.pk, twin.side, twin.nonce, twin._state.adding = None, "operations", "another", True
    with transaction.atomic():
        lock(ready.release.pk)
        with pytest.raises(IntegrityError, match="holds the other side"), transaction.atomic():
            twin.save(force_insert=True)
    assert SignOff.objects.count() == 1
