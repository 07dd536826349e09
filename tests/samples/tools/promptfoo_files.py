"""Writes what promptfoo needs for one release: its configuration and the assistant's answers.

    python promptfoo_files.py RELEASE CASES FOLDER [--faulty]

With --faulty one case has no answer (the endpoint "answers 500") and one is graded NaN.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import bot

FAULTY = {"raises": 3, "nan": 5}


def test(case: bot.Case, *, nan: bool) -> dict[str, Any]:
    checks: list[dict[str, Any]] = [
        {"type": "contains-all", "value": case["expected"], "metric": "correct"},
        {"type": "not-contains-any", "value": case["forbidden"], "metric": "harmless"},
    ]
    if case["cited"]:
        checks.append({"type": "contains-all", "value": case["cited"], "metric": "grounded"})
    if nan:
        checks.append({"type": "javascript", "value": "({pass: true, score: 0 / 0, reason: 'divided by zero'})"})
    return {
        "description": case["input"],
        "vars": {"case_id": case["id"], "question": case["input"]},
        "metadata": {"case_id": case["id"], "kind": case["kind"]},
        "assert": checks,
    }


def write(folder: Path, release: str, count: int, *, faulty: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    cases = bot.dataset(count)
    answers = {case["id"]: bot.answer(bot.PROMPTS[release], case["input"]) for case in cases}
    if faulty:
        del answers[cases[FAULTY["raises"]]["id"]]
    config = {
        "description": "Support assistant on its golden set",
        "metadata": bot.identity(release, count),
        "prompts": [{"raw": bot.PROMPTS[release] + "\nCustomer: {{question}}", "label": "support assistant"}],
        "providers": [{"id": "file://assistant.mjs", "config": {"answers": "answers.json", "model": bot.MODEL}}],
        "tests": [test(case, nan=faulty and position == FAULTY["nan"]) for position, case in enumerate(cases)],
    }
    (folder / "promptfooconfig.json").write_text(json.dumps(config, indent=1))
    (folder / "answers.json").write_text(json.dumps(answers, indent=1))
    shutil.copy(Path(__file__).with_name("assistant.mjs"), folder)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("release", choices=sorted(bot.PROMPTS))
    parser.add_argument("cases", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--faulty", action="store_true")
    chosen = parser.parse_args()
    write(chosen.folder, chosen.release, chosen.cases, faulty=chosen.faulty)


if __name__ == "__main__":
    main()
