"""A request taken along: it verifies without us, and whoever changes a word of it is found out."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.roles import Role
from audit import spanlog, verify
from audit.checkpoint import Signer
from audit.models import Entry, SpanLog
from audit.requestproof import RequestProofError, steps
from audit.signing import public_keys
from tests.audit.sending import chat_trace, ingest_token
from tests.audit.trailing import new_system, send, settle
from tests.factories import make_user, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def system():
    return new_system("proved")


@pytest.fixture
def trace(system):
    trace = chat_trace(request_id=f"q-{system}")
    send(*trace, system=system)
    settle()
    return trace[0]["traceId"]


@pytest.fixture
def auditor():
    return sign_in(make_user("Otto", Role.AUDITOR))


@pytest.fixture
def document(system, trace, auditor):
    spanlog.sign_head(now=timezone.now())
    answer = auditor.get(reverse("audit:request-proof", args=[system, trace]))
    assert f'filename="request-{trace}.proof.json"' in answer["Content-Disposition"]
    return answer.content


def keys():
    return public_keys(SpanLog.objects.get().origin)


def test_it_verifies_offline_by_the_command(document, tmp_path):
    path = tmp_path / "request.proof.json"
    path.write_bytes(document)
    command = [sys.executable, "-m", "audit.verify", path, "--key", str(keys()[0])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(verify.__file__).parents[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2. ok   The public keys: yours" in done.stdout
    assert f"3, in a log of {SpanLog.objects.get().size} spans" in done.stdout


def test_without_a_key_it_says_whose_word_that_is(document):
    assert "as the document itself says" in dict(steps(document))["The public keys"]
    stranger = Signer("elsewhere", b"k" * 32).public
    with pytest.raises(RequestProofError, match="span 1: the note is not signed by a known key"):
        list(steps(document, pinned=[stranger]))


def changed(document, change):
    parsed = json.loads(document)
    change(parsed)
    return json.dumps(parsed).encode()


FORGERIES = [
    (lambda d: d.update(trace_id="0" * 32), "span 1 is of another request"),
    (lambda d: d.update(system="other"), "span 1 is of another request"),
    (lambda d: d.update(log="elsewhere/requests"), "span 1: the checkpoint is of the log"),
    (lambda d: d["spans"].append(d["spans"][0]), "span 4 stands in the document twice"),
    (
        lambda d: d["spans"][1].update(leaf=d["spans"][1]["leaf"].replace("retriev", "forgott")),
        "span 2: .*another root",
    ),
    (lambda d: d["spans"][2].update(leaf=d["spans"][0]["leaf"]), "span 3: .*another root"),
    (lambda d: d["spans"][0].update(proof=d["spans"][1]["proof"]), "span 1: .*another root"),
    (lambda d: d["spans"][0].update(proof="x"), "span 1: not a proof file"),
    (lambda d: d["spans"][0].pop("leaf"), "span 1: "),
    (lambda d: d.update(spans=[]), "no request, no log or no spans"),
    (lambda d: d.update(spans=[7]), "span 1: "),
    (lambda d: d.update(version=2), "does not say readiness-request-proof, version 1"),
    (lambda d: d.update(keys=[]), "holds no public key"),
    (lambda d: d.update(keys=["nonsense"]), "public key cannot be read"),
]


def test_a_forged_one_is_refused(document):
    for change, sentence in FORGERIES:
        with pytest.raises(RequestProofError, match=sentence):
            list(steps(changed(document, change)))
    with pytest.raises(RequestProofError, match="cannot be read"):
        list(steps(document[:-20]))


def test_the_command_names_what_is_wrong(document, tmp_path, capsys):
    path = tmp_path / "request.proof.json"
    path.write_bytes(changed(document, FORGERIES[3][0]))
    assert verify.main([str(path)]) == 1
    assert "3. FAIL span 4 stands in the document twice" in capsys.readouterr().out
    note = tmp_path / "note"
    note.write_text("x")
    assert verify.main([str(path), "--checkpoint", str(note)]) == 2


def test_what_is_not_signed_yet_has_no_proof(system, trace, auditor):
    answer = auditor.get(reverse("audit:request-proof", args=[system, trace]), headers={"Accept": "application/json"})
    assert answer.status_code == 409
    assert "wait for the next signed head" in answer.content.decode()


def test_reading_it_is_recorded_and_others_are_told_there_is_nothing(system, trace, document):
    assert Entry.objects.filter(kind="trail.read", subject=f"request:{trace}").count() == 1
    stranger = sign_in(make_user("Nell", Role.ENGINEERING, system="elsewhere"))
    assert stranger.get(reverse("audit:request-proof", args=[system, trace])).status_code == 404


def test_a_program_takes_it_by_the_quoted_id(system, document, client):
    secret = ingest_token(system, scopes=["trail:read"])
    url = reverse("audit_api:request-proof", args=[f"q-{system}"])
    answer = client.get(url, headers={"Authorization": f"Bearer {secret}"})
    assert answer.content == document
    elsewhere = client.get(f"{url}?environment=staging", headers={"Authorization": f"Bearer {secret}"})
    assert elsewhere.status_code == 404
