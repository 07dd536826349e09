"""A request reproduced from an export alone, and exports that are not what they claim."""

import io
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from audit import sealing, signing, spanlog, trail
from audit.bundle import BundleError
from audit.models import Head, SpanLog
from audit.requestproof import RequestProofError
from demo import walk
from releases import taking
from releases.actions import rollout
from releases.reproduce import reproduce
from releases.verify.request import BUNDLE, FOLDERS, REQUEST, NotReproduced, main, steps
from tests.audit.sending import chat_trace, new_trace_id
from tests.audit.spoiled import SPOILED, made
from tests.audit.trailing import send, settle
from tests.factories import MODEL, sign_in


@pytest.fixture
def answered(now_stage):
    return answer(now_stage, model=MODEL["deployment"])


def answer(now_stage, *, model: str):
    """The canary has begun, and a user's question was answered by it."""
    now = timezone.now()
    walk.sign_both(now_stage.release, now_stage.people, now=now - timedelta(minutes=10))
    rollout.start_rollout(release_id=now_stage.release.pk, by=now_stage.people.operator, now=now - timedelta(minutes=9))
    prompt = now_stage.release.pins.get(component__kind="prompt").version.sha256
    trace = new_trace_id()
    called = {"gen_ai__provider__name": MODEL["provider"], "gen_ai__request__model": model}
    spans = chat_trace(trace=trace, start=now - timedelta(minutes=1), readiness__prompt__hash=prompt, **called)
    send(*spans, system=now_stage.system.slug)
    settle()
    spanlog.sign_head(now=timezone.now())
    sealing.seal(now=timezone.now())
    [view] = trail.find(trace)
    return view


@pytest.fixture
def export(answered) -> bytes:
    return taking.take(answered, now=timezone.now())


def keys() -> list[str]:
    origins = (Head.objects.get().origin, SpanLog.objects.get().origin)
    return [str(key) for origin in origins for key in signing.public_keys(origin)]


def found_in(content: bytes, request_id: str) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return dict(steps(archive, request_id, keys=keys()))


def changed(content: bytes, name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        for entry in old.namelist():
            new.writestr(entry, data if entry == name else old.read(entry))
    return out.getvalue()


def test_every_step_holds_in_a_process_without_django(answered, export, tmp_path: Path):
    path = tmp_path / "export.zip"
    path.write_bytes(export)
    program = (
        "import sys; from releases.verify.request import main; code = main();"
        "assert 'django' not in sys.modules; sys.exit(code)"
    )
    given = [option for key in keys() for option in ("--key", key)]
    command = [sys.executable, "-c", program, str(path), answered.request_id, *given]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Reproduced.\n")
    assert done.stdout.count(". ok   ") >= 20


def test_page_api_and_file_agree(answered, export, now_stage):
    here = reproduce(answered, now=timezone.now())
    assert [(step.name, step.sentence) for step in here.steps if step.ok is False] == []
    client = sign_in(now_stage.people.engineer)
    page = client.get(f"/requests/{answered.trace_id}/reproduce/")
    [(_, shown)] = page.context["found"]
    [told] = client.get(f"/api/requests/{answered.trace_id}/reproduce").json()["results"]
    assert [step.sentence for step in shown.steps] == [row["sentence"] for row in told["steps"]]
    said = found_in(export, answered.trace_id)
    assert said["The release that answered is the one that was decided on"] in here.steps[1].sentence.replace(
        f"Release {now_stage.release.label} of", f"{now_stage.system.slug}:{now_stage.release.label}"
    )
    base = f"requests/{answered.trace_id}/reproduce"
    for path in (f"/{base}/take/", f"/api/{base}/export"):
        assert found_in(client.get(path).content, answered.trace_id).keys() == said.keys()


def test_another_id_another_prompt_and_another_decision_are_refused(answered, export):
    with pytest.raises(NotReproduced, match="not about req-unknown"):
        found_in(export, "req-unknown")
    with zipfile.ZipFile(io.BytesIO(export)) as archive:
        prompt, model = (
            next(name for name in archive.namelist() if name.startswith(FOLDERS[kind])) for kind in ("prompt", "model")
        )
        bundle, request = archive.read(BUNDLE), archive.read(REQUEST)
    with pytest.raises(NotReproduced, match="the prompt in the export does not have the hash"):
        found_in(changed(export, prompt, b"Be evil."), answered.trace_id)
    with pytest.raises(NotReproduced, match="the model in the export does not have the hash"):
        found_in(changed(export, model, b'{"model": "another"}'), answered.trace_id)
    with pytest.raises(BundleError):
        found_in(changed(export, BUNDLE, bundle[:-100]), answered.trace_id)
    with pytest.raises(RequestProofError):
        found_in(changed(export, REQUEST, request.replace(b"2026.11.2", b"2026.11.3")), answered.trace_id)


def test_a_model_that_the_release_does_not_pin_is_refused(now_stage):
    request = answer(now_stage, model="another-model")
    here = {step.name: step for step in reproduce(request, now=timezone.now()).steps}
    said = "The request called another-model, which the release does not pin."
    assert (here["Model"].ok, here["Model"].sentence) == (False, said)
    with pytest.raises(NotReproduced, match="called another-model, which the release does not pin"):
        found_in(taking.take(request, now=timezone.now()), request.trace_id)


def test_the_command_says_so_by_its_exit_code(answered, export, tmp_path, capsys):
    path = tmp_path / "export.zip"
    path.write_bytes(export)
    assert main([str(path), "another"]) == 1
    assert capsys.readouterr().out.endswith("NOT reproduced.\n")
    assert main([str(tmp_path / "nothing.zip"), "x"]) == 2


@pytest.mark.parametrize("how", SPOILED)
def test_an_export_that_cannot_be_read_is_a_sentence(how, tmp_path, capsys):
    path = tmp_path / "export.zip"
    path.write_bytes(SPOILED[how](made(REQUEST)))
    assert main([str(path), "req-1"]) == 1
    assert "cannot be unpacked" in capsys.readouterr().out
    path.write_bytes(made(REQUEST)[:-30])
    assert main([str(path), "req-1"]) == 1
    assert "not a zip file" in capsys.readouterr().out
