"""`readiness check` as a pipeline runs it: a process of its own, no Django, and a server that may answer anything."""

import base64
import io
import json
import os
import runpy
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from audit import dsse
from audit.checkpoint import Signer
from releases import attest
from releases.gate.types import Question

SCRIPT = Path(__file__).resolve().parents[2] / "pipelines" / "readiness.py"
REASON = {"code": "item-missing", "sentence": "Runbook: no evidence.\n::notice::fine", "who": "operations", "url": "/x"}
KEY, OTHER = Signer("readiness.example/decisions", b"k" * 32), Signer("readiness.example/decisions", b"o" * 32)


def said(allow: Any = True, **more: Any) -> dict[str, Any]:
    body = {"system": "bot", "label": "1", "question": "release", "allow": allow, "reasons": [] if allow else [REASON]}
    return body | more


class Gate:
    """Answers each question with what the test put in, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.asked: list[tuple[str, str]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append((self.path, self.headers["Authorization"]))
                status, body = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def will_say(self, *answers: Any, status: int = 200) -> None:
        self.answers = [(status, row if isinstance(row, bytes) else json.dumps(row).encode()) for row in answers]


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    threading.Thread(target=gate.server.serve_forever, daemon=True).start()
    yield gate
    gate.server.shutdown()
    gate.server.server_close()


def run(*arguments: str, token: str = "rdy_secret") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "READINESS_TOKEN": token}
    command = [sys.executable, str(SCRIPT), "check", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


MODULE = runpy.run_path(str(SCRIPT))


def check(*arguments: str, token: str = "rdy_secret") -> subprocess.CompletedProcess[str]:
    """The same in this process, for the many cases: starting one takes longer than asking."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), patch.dict(os.environ, {"READINESS_TOKEN": token}):
        os.environ.pop("READINESS_URL", None)
        try:
            code = MODULE["main"](["check", *arguments])
        except SystemExit as exit:
            code = exit.code
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def test_go_is_0_and_the_question_is_asked_with_the_token(gate: Gate) -> None:
    gate.will_say(said())
    found = run("bot:1", "--server", gate.url)
    assert (found.returncode, found.stdout) == (0, "GO  bot:1 is cleared for release.\n")
    assert gate.asked == [("/api/releases/bot%3A1/gate?question=release", "Bearer rdy_secret")]
    assert "secret" not in found.stdout + found.stderr


def test_no_go_is_1_with_each_reason_and_who_can_clear_it(gate: Gate) -> None:
    gate.will_say(said(allow=False))
    found = run("bot:1", "--server", gate.url)
    assert found.returncode == 1
    assert "NO-GO" in found.stdout and "[operations] /x" in found.stdout


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"<html>Welcome to the proxy</html>"),
        (200, b"[]"),
        (200, b"null"),
        (200, {}),
        (200, said(allow="true")),
        (200, said(allow=1)),
        (200, said(allow=None)),
        (200, said(question="canary")),
        (200, said(reasons=None)),
        (204, b""),
        (201, said()),
        (301, said()),
        (302, b""),
        (401, {"detail": "This token is not valid."}),
        (403, said()),
        (404, {"detail": "There is no such release."}),
        (500, said()),
        (503, said()),
    ],
)
def test_whatever_is_no_plain_answer_is_3(gate: Gate, status: int, body: Any) -> None:
    gate.will_say(body, status=status)
    found = check("bot:1", "--server", gate.url)
    assert found.returncode == 3, found.stdout
    assert found.stdout.startswith("CANNOT DECIDE")


def test_nobody_there_is_3() -> None:
    found = run("bot:1", "--server", "http://127.0.0.1:9")
    assert found.returncode == 3 and "cannot be reached" in found.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("bot:1",),
        ("bot:1", "--server", "ftp://x"),
        ("bot:1", "--server", "file:///etc/passwd"),
        ("bot:1", "--server", "http://127.0.0.1:9", "--question", "maybe"),
        ("bot:1", "--server", "http://127.0.0.1:9", "--output", "yaml"),
        ("bot:1", "--server", "http://127.0.0.1:9", "--wait", "-1"),
        ("bot:1", "--server", "http://127.0.0.1:9", "--token-file", "/nowhere"),
        (" ", "--server", "http://127.0.0.1:9"),
        ("bot:1", "--force"),
        ("bot:1", "--summary", "x.json"),
    ],
)
def test_what_cannot_be_meant_is_2(arguments: tuple[str, ...]) -> None:
    assert check(*arguments).returncode == 2


def test_without_a_token_it_is_2() -> None:
    assert check("bot:1", "--server", "http://127.0.0.1:9", token="").returncode == 2


def test_waiting_asks_until_it_is_a_go(gate: Gate) -> None:
    gate.will_say(said(allow=False), b"broken", said())
    found = check("bot:1", "--server", gate.url, "--wait", "20", "--every", "0.05")
    assert found.returncode == 0
    assert len(gate.asked) == 3
    assert "Asking again" in found.stderr


def test_waiting_ends(gate: Gate) -> None:
    gate.will_say(said(allow=False))
    assert check("bot:1", "--server", gate.url, "--wait", "0.3", "--every", "0.1").returncode == 1
    assert len(gate.asked) >= 2


def test_json_junit_and_github_say_the_same(gate: Gate) -> None:
    gate.will_say(said(allow=False))
    found = check("bot:1", "--server", gate.url, "--output", "json")
    assert json.loads(found.stdout)["answer"] == "no-go" and json.loads(found.stdout)["exit_code"] == 1
    suite = ET.fromstring(check("bot:1", "--server", gate.url, "--output", "junit").stdout)
    assert suite.attrib["failures"] == "1"
    assert suite.find("testcase/failure").text == REASON["sentence"]
    lines = check("bot:1", "--server", gate.url, "--output", "github").stdout.splitlines()
    assert lines == ["::error title=Readiness no-go::Runbook: no evidence.%0A::notice::fine"]


def summary(
    path: Path, *, cleared: bool = True, at: datetime | None = None, question: str = "release", signer: Signer = KEY
) -> str:
    about = attest.About(
        "bot", "1", "sha256:" + "a" * 64, (("image", "sha256:" + "b" * 64),), "https://r.example", "2026.1", "sha256:cc"
    )
    statement = attest.verdict(
        about,
        question=Question(question),
        cleared=cleared,
        decision=None,
        inputs=[],
        checkpoint=None,
        verifier_version="1",
        at=at or datetime.now(UTC),
    )
    path.write_text(json.dumps(dsse.envelope(statement, [signer])))
    return str(path)


def offline(path: str, *arguments: str, release: str = "bot:1") -> subprocess.CompletedProcess[str]:
    return check(release, "--summary", path, "--key", str(KEY.public), *arguments, token="")


def test_a_saved_summary_decides_without_the_server(tmp_path: Path) -> None:
    path = summary(tmp_path / "s.json")
    for release in ("bot:1", "sha256:" + "b" * 64, "sha256:" + "a" * 64):
        found = offline(path, release=release)
        assert found.returncode == 0, found.stdout
    assert offline(path, "--server", "https://r.example").returncode == 0
    assert offline(summary(tmp_path / "n.json", cleared=False)).returncode == 1


def test_what_was_saved_on_go_is_what_decides_later(gate: Gate, tmp_path: Path) -> None:
    signed = json.loads(Path(summary(tmp_path / "made.json")).read_text())
    gate.will_say(said(), signed)
    kept = tmp_path / "kept.json"
    assert check("bot:1", "--server", gate.url, "--save-summary", str(kept)).returncode == 0
    assert gate.asked[1][0] == "/api/releases/bot%3A1/summary?question=release"
    assert offline(str(kept)).returncode == 0
    gate.will_say(said(), b"broken")
    assert check("bot:1", "--server", gate.url, "--save-summary", str(tmp_path / "x.json")).returncode == 3


def test_no_other_summary_decides(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    good = json.loads(Path(summary(tmp_path / "good.json")).read_text())
    edited = good | {"payload": base64.b64encode(base64.b64decode(good["payload"]) + b" ").decode()}
    (tmp_path / "edited.json").write_text(json.dumps(edited))
    (tmp_path / "unsigned.json").write_text(json.dumps(good | {"signatures": []}))
    (tmp_path / "noise.json").write_text("{")
    cases = {
        "held from": summary(tmp_path / "old.json", at=now - timedelta(hours=2)),
        "held from ": summary(tmp_path / "future.json", at=now + timedelta(hours=1)),
        "not signed by the key": summary(tmp_path / "other.json", signer=OTHER),
        "not signed by the key ": str(tmp_path / "edited.json"),
        "not signed by the key that": str(tmp_path / "unsigned.json"),
        "the question canary": summary(tmp_path / "canary.json", question="canary"),
        "not a DSSE envelope": str(tmp_path / "noise.json"),
        "cannot be read": str(tmp_path / "nowhere.json"),
    }
    for words, path in cases.items():
        found = offline(path)
        assert (found.returncode, words.strip() in found.stdout) == (3, True), found.stdout
    assert offline(summary(tmp_path / "s.json"), release="bot:2").returncode == 3
    assert offline(summary(tmp_path / "s.json"), "--server", "https://other.example").returncode == 3


def test_it_runs_without_anything_of_ours() -> None:
    code = (
        f"import sys; sys.path = [p for p in sys.path if 'site-packages' not in p]; sys.argv = ['readiness', '--help'];\
    import runpy; runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    found = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd="/", capture_output=True, check=False)
    assert found.returncode == 0, found.stderr
