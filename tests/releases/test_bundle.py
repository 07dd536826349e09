"""The bundle of a real decision: made by the product, verified by a process without Django and by others' libraries."""

import io
import json
import shutil
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.test import override_settings

from audit import sealing, signing, vault
from audit.ledger import entries
from audit.models import Head
from jobs.models import Event, Job
from releases import bundle, bundling
from releases.actions import rollout
from releases.actions.signing import sign_off
from releases.bundle import NoBundle, NotProven
from releases.decisions import standing
from releases.gate.types import Question
from releases.handlers import order_bundle
from releases.models import Bundle, Decision
from releases.offering import offer, opened, prove
from releases.statement import challenge
from tests.accounts.authenticator import SoftKey
from tests.factories import NOW, make_whole_system
from tests.releases.conftest import make_stage
from tests.releases.ready import make_ready

ROOT = Path(__file__).resolve().parents[2]
START = NOW + timedelta(minutes=30)


def sign_with_passkey(stage, side, user, *, now):
    """As the page does it: the statement is offered, the passkey answers its challenge, both come back."""
    key = SoftKey(credential_id=f"key-{side}".encode())
    key.enrol(user)
    release = stage.again()
    offered = offer(release, standing(release, Question.CANARY, now=now), side, user=user, now=now)
    statement, state = opened(offered.sealed)
    proof = prove({"passkey": key.answer(challenge(statement))}, user=user, passkey_state=state, now=now)
    return sign_off(
        release_id=release.pk,
        statement=statement,
        shown_digest=statement["state_digest"],
        proof=proof,
        by=user,
        now=now,
    )


@pytest.fixture(scope="module")
def module_stage(django_db_setup, django_db_blocker, _data_folder, tmp_path_factory):
    """One started canary, signed with passkeys, for all tests of this module: each works in a savepoint above it."""
    folder = shutil.copytree(_data_folder, tmp_path_factory.mktemp("bundle") / "data")
    quick = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with (
        django_db_blocker.unblock(),
        override_settings(DATA_DIR=folder, PASSWORD_HASHERS=quick),
        transaction.atomic(),
    ):
        stage = make_ready(make_stage(make_whole_system()))
        sign_with_passkey(stage, "engineering", stage.people.engineer2, now=START)
        sign_with_passkey(stage, "operations", stage.people.operator2, now=START)
        rollout.start_rollout(release_id=stage.release.pk, by=stage.people.operator, now=START)
        yield stage
        transaction.set_rollback(True)


@pytest.fixture
def stage(module_stage, db):
    return module_stage


@pytest.fixture
def started(stage):
    return Decision.objects.get(occasion="started")


@pytest.fixture
def packed(started, tmp_path):
    sealing.seal(now=START)
    path = tmp_path / "bundle.zip"
    path.write_bytes(bundle.build(started, now=START))
    return path


def verify(module, path, *arguments):
    """In a process of its own that could not import Django or open a connection if it tried."""
    code = (
        "import runpy, socket, sys\n"
        "class No:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name.split('.')[0] in ('django', 'rest_framework', 'celery', 'psycopg'): raise ImportError(name)\n"
        "sys.meta_path.insert(0, No())\n"
        "def refused(*a, **k): raise OSError('no network')\n"
        "socket.socket.connect = refused\n"
        f"sys.argv = ['verify', *{[str(path), *arguments]!r}]\n"
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)\n"
    )
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_it_verifies_offline_in_numbered_steps(packed, started):
    key = str(signing.public_keys(Head.objects.get().origin)[0])
    found = verify("releases.verify", packed, "--key", key)
    assert found.returncode == 0, found.stdout + found.stderr
    lines = found.stdout.splitlines()
    assert [line.split(".")[0] for line in lines[:-1]] == [str(n) for n in range(1, 12)]
    assert lines[-1] == "The bundle is verified."
    assert "(passkey)" in found.stdout and "gate 1: go" in found.stdout


def test_the_ledgers_verifier_checks_its_share(packed):
    found = verify("audit.verify", packed)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "entries, in the log of" in found.stdout
    assert "`python -m releases.verify`" in found.stdout.splitlines()[-1], "it says what it did not look at"


def test_one_changed_byte_of_evidence_is_named(packed):
    with zipfile.ZipFile(packed) as old:
        members = {info.filename: old.read(info) for info in old.infolist()}
    name = next(name for name in members if name.startswith("evidence/"))
    members[name] += b"."
    with zipfile.ZipFile(packed, "w") as new:
        for member, data in members.items():
            new.writestr(member, data)
    found = verify("releases.verify", packed)
    assert found.returncode == 1
    assert f"1. FAIL {name} is not the file that the manifest names" in found.stdout


def test_it_holds_what_an_approval_rests_on(packed, started):
    with zipfile.ZipFile(packed) as archive:
        names = archive.namelist()
        review = json.loads(archive.read("review.json"))
        page = archive.read("index.html").decode()
        security = json.loads(archive.read("security.json"))
        drills = json.loads(archive.read("drills.json"))
    for name in ("evaluation.json", "canary.json", "drills.json", "security.json", "checklist.json", "style.css"):
        assert name in names
    assert review["Evaluation score"].startswith("0.")
    assert review["Canary result"] is None and "gap: not known" in page
    assert {drill["kind"] for drill in drills} == {"rollback", "incident"} and all(d["log"] for d in drills)
    assert "verified" in {row["state"] for row in security["Security"]}
    evidence = {row["digest"] for item in started.facts["items"] for row in item["evidence"]}
    assert {f"evidence/{digest[7:]}" for digest in evidence} <= set(names)


def test_the_same_decision_gives_the_same_bytes(started):
    sealing.seal(now=START)
    assert bundle.build(started, now=START) == bundle.build(started, now=START)


def test_before_the_record_is_signed_there_is_no_bundle(started):
    with pytest.raises(NotProven, match="waits for the next signed checkpoint"):
        bundle.build(started, now=START)


def test_a_pipelines_question_has_none(started):
    started.occasion = Decision.Occasion.ASKED
    with pytest.raises(NoBundle):
        bundle.build(started, now=START)


def test_an_approval_orders_makes_keeps_and_announces_its_bundle_once(started):
    sealing.seal(now=START)
    order_bundle(Event.objects.get(topic="releases.canary-started"))
    args = Job.objects.get(task="releases.make_bundle").args
    made = bundling.make(**args, now=START)
    assert bundling.make(**args, now=START + timedelta(days=1)) == made
    assert Bundle.objects.count() == 1
    assert entries(subject=started.release.subject).last().kind == "release.bundle-made"
    assert Event.objects.get(topic="releases.bundle-made").payload["digest"] == made.digest
    with zipfile.ZipFile(io.BytesIO(bundling.content_of(started, now=START))) as archive:
        assert json.loads(archive.read("manifest.json"))["decision"] == started.digest


def test_erased_evidence_is_said_to_be_and_the_rest_verifies(started, tmp_path):
    sealing.seal(now=START)
    digest = started.facts["items"][-1]["evidence"] or next(
        item["evidence"] for item in started.facts["items"] if item["evidence"]
    )
    vault.erase(digest[0]["digest"], now=START)
    path = tmp_path / "bundle.zip"
    path.write_bytes(bundle.build(started, now=START))
    found = verify("releases.verify", path)
    assert found.returncode == 0, found.stdout
    assert "1 by digest only (erased)" in found.stdout


def test_pages_and_api_give_it(packed, started, client, stage):
    client.force_login(stage.people.engineer2)
    for address in (f"/decisions/{started.pk}/bundle/", f"/api/decisions/{started.pk}/bundle"):
        answer = client.get(address)
        assert answer.status_code == 200, answer.content[:300]
        assert "attachment" in answer["Content-Disposition"]
        assert zipfile.is_zipfile(io.BytesIO(answer.content))
    page = client.get(f"/systems/{stage.system.slug}/releases/{stage.release.label}/review/").content.decode()
    assert f"/decisions/{started.pk}/bundle/" in page
    assert "Gap" in page  # the canary has not run yet
