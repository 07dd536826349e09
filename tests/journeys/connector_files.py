"""What each evaluation tool writes about two releases: one that clears the bar, and one that does not.

Inspect AI, promptfoo and MLflow: the committed files of the real tools. JUnit: pytest runs the golden set here and now.
A table and JSON of any tool: what those cases look like when a team writes them out itself.
"""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from metrics.connectors import mlflow
from tests.metrics.samples import FOLDER, IDENTITY, INSPECT, PROMPTFOO

SERVER = FOLDER / "mlflow" / "3.17.2"
TOOLS = FOLDER / "tools"
CASES = 40

PYTEST = """
import sys
sys.path.insert(0, {tools!r})
import bot, pytest

@pytest.fixture(scope="session", autouse=True)
def about(record_testsuite_property):
    for name, value in {about!r}.items():
        record_testsuite_property(name, value)

@pytest.mark.parametrize("case", bot.dataset({cases}), ids=lambda case: case["id"])
def test_golden(case, record_property):
    record_property("readiness.tags", case["kind"])
    assert bot.is_correct(case, bot.answer(bot.PROMPTS[{label!r}], case["input"]))
"""


@dataclass(frozen=True)
class Tool:
    """How a person sets a source of this kind up, and how its file for a release comes to be in the folder."""

    kind: str
    put: Callable[[Path, str, str], None]  # (folder, the release that it is about, the release that it is filed under)
    fields: dict[str, str] = field(default_factory=dict)


def _copied(source: Path, suffix: str) -> Callable[[Path, str, str], None]:
    def put(folder: Path, about: str, filed: str) -> None:
        shutil.copy(source / f"{about}{suffix}", folder / f"{filed}{suffix}")

    return put


def _junit(folder: Path, about: str, filed: str) -> None:
    made = folder.parent / f"junit-{about}"
    if not made.exists():
        made.mkdir()
        ended = {"readiness.finished_at": "2026-11-24T10:00:00Z"}  # as the other tools' files
        text = PYTEST.format(tools=str(TOOLS), about=IDENTITY[about] | ended, cases=CASES, label=about)
        (made / "test_golden.py").write_text(text)
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml=results.xml"]
        command += ["-c", "/dev/null", "test_golden.py"]
        quick = {"PATH": os.environ["PATH"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(command, cwd=made, env=quick, capture_output=True, check=False)
        assert (made / "results.xml").exists(), done.stdout + done.stderr
    shutil.copy(made / "results.xml", folder / f"{filed}.xml")


def _rows(about: str) -> list[dict[str, Any]]:
    answer = mlflow.parse((SERVER / f"{about}.json").read_bytes())
    score = {case.case_id: case.scores["correct"] or Fraction(0) for case in answer.cases}
    return [{"case_id": name, "score.correct": str(float(value))} for name, value in sorted(score.items())]


def _table(folder: Path, about: str, filed: str) -> None:
    rows = [{**row, **IDENTITY[about], "finished_at": "2026-11-24T10:00:00Z"} for row in _rows(about)]
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    (folder / f"{filed}.csv").write_text(text.getvalue())


def _json(folder: Path, about: str, filed: str) -> None:
    of = {name.partition(".")[2]: value for name, value in IDENTITY[about].items()}
    items = [{"key": {"id": row["case_id"]}, "grade": float(row["score.correct"])} for row in _rows(about)]
    document = {"meta": {**of, "ended": "2026-11-24T10:00:00Z"}, "summary": {"n": len(items)}, "items": items}
    (folder / f"{filed}.json").write_text(json.dumps(document))


FILES = [
    Tool("inspect_ai", _copied(INSPECT, ".eval"), {"location": "{release}.eval"}),
    Tool("promptfoo", _copied(PROMPTFOO, ".json"), {"location": "{release}.json"}),
    Tool("junit", _junit, {"location": "{release}.xml"}),
    Tool("table", _table, {"location": "{release}.csv"}),
    Tool(
        "json_http",
        _json,
        {
            "location": "{release}.json",
            "rows": "items",
            "total": "summary.n",
            "case_id": "key.id",
            "scores": "correct=grade",
            "release": "meta.release",
            "dataset_hash": "meta.dataset_hash",
            "prompt_hash": "meta.prompt_hash",
            "model": "meta.model",
            "finished_at": "meta.ended",
        },
    ),
]


class _Answers(BaseHTTPRequestHandler):
    """What a tracking server of MLflow 3.17 answered to the same questions (tests/samples/mlflow)."""

    filed: dict[str, str]  # the release that is asked for -> the one whose run the server has under that tag

    def do_GET(self) -> None:
        if self.path == "/version":
            return self._say(b"3.17.2")
        return self._say({"experiment": {"experiment_id": "2", "name": "support-assistant"}})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        wanted = re.search(r"= '([^']+)'", asked.get("filter", ""))
        documents = {label: json.loads((SERVER / f"{kept}.json").read_text()) for label, kept in self.filed.items()}
        if self.path.endswith("runs/search"):
            labels = [wanted[1]] if wanted else list(documents)
            return self._say({"runs": [documents[label]["run"] for label in labels if label in documents]})
        assert wanted
        runs = {one["run"]["info"]["run_id"]: one["traces"] for one in documents.values()}
        return self._say({"traces": runs[wanted[1]]})

    def _say(self, what: Any) -> None:
        body = what if isinstance(what, bytes) else json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""


@contextmanager
def mlflow_answers() -> Iterator[Tool]:
    class Handler(_Answers):
        filed: dict[str, str] = {}

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()

    def put(folder: Path, about: str, filed: str) -> None:
        Handler.filed[filed] = about

    try:
        address = f"http://127.0.0.1:{server.server_port}"
        yield Tool("mlflow", put, {"url": address, "experiment": "support-assistant", "metric": "correct"})
    finally:
        server.shutdown()
        server.server_close()
