"""Makes the committed evaluation files again, by the real tools.

    python generate.py --inspect PYTHON_WITH_INSPECT_AI --promptfoo NODE MAIN_JS [--only samples|demo] [--into FOLDER]

`tests/samples` gets 40 cases of each of three releases per tool and format, and faulty ones; `demo/files/evaluations`
gets 200 of each of four. The tools run in a temporary folder, so no path of this machine ends up in a file.
bin/test --long installs them and runs this.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import bot
import promptfoo_files

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SAMPLED = ("2026.10.4", "2026.11.2", "2026.11.3")
QUIET = {
    "PROMPTFOO_DISABLE_TELEMETRY": "1",
    "PROMPTFOO_DISABLE_UPDATE": "1",
    "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "NO_COLOR": "1",
}


def inspect(python: str, target: Path, release: str, cases: int, *options: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("bot.py", "inspect_task.py"):
            shutil.copy(HERE / name, folder)
        run([python, "inspect_task.py", release, str(cases), str(target), *options], folder)


def promptfoo(program: list[str], target: Path, release: str, cases: int, *options: str, faulty: bool = False) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        promptfoo_files.write(Path(folder), release, cases, faulty=faulty)
        command = [*program, "eval", "-c", "promptfooconfig.json", "-o", "results.json"]
        command += ["--no-cache", "--no-share", "--no-table", "--no-progress-bar", *options]
        run(command, folder, good=(0, 100), PROMPTFOO_CONFIG_DIR=f"{folder}/.promptfoo")
        shutil.copy(Path(folder) / "results.json", target)


def run(command: list[str], folder: str, *, good: tuple[int, ...] = (0,), **more: str) -> None:
    """promptfoo exits with 100 where a test of it failed: that is a result, not a fault."""
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **QUIET, **more}, capture_output=True, text=True, check=False
    )
    if done.returncode not in good:
        sys.exit(f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}\n{done.stderr}")


def materials(folder: Path, cases: int, releases: Iterable[str]) -> None:
    """What a release pins: the golden set, the prompts, and their hashes."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "golden-set.jsonl").write_bytes(bot.dataset_bytes(cases))
    for release in releases:
        (folder / f"prompt-{release}.txt").write_bytes(bot.PROMPTS[release].encode())
    pins = {release: bot.identity(release, cases) for release in releases}
    (folder / "identity.json").write_text(json.dumps(pins, indent=2) + "\n")


def versions(python: str | None, program: list[str] | None) -> tuple[str, str]:
    inspect_version = promptfoo_version = ""
    if python:
        ask = "import importlib.metadata as m; print(m.version('inspect-ai'))"
        inspect_version = subprocess.check_output([python, "-c", ask], text=True).strip()
    if program:
        package = Path(program[-1]).resolve().parents[2] / "package.json"
        promptfoo_version = json.loads(package.read_text())["version"]
    return inspect_version, promptfoo_version


def samples(into: Path, python: str | None, program: list[str] | None) -> None:
    inspect_version, promptfoo_version = versions(python, program)
    materials(into, 40, SAMPLED)
    if python:
        folder = into / "inspect" / inspect_version
        for release in SAMPLED:
            inspect(python, folder / f"{release}.eval", release, 40)
        inspect(python, folder / "2026.11.2.json", "2026.11.2", 40)
        inspect(python, folder / "faulty-epochs.json", "2026.11.2", 40, "--epochs", "2", "--faulty")
    if program:
        folder = into / "promptfoo" / promptfoo_version
        for release in SAMPLED:
            promptfoo(program, folder / f"{release}.json", release, 40)
        promptfoo(program, folder / "repeat.json", "2026.11.2", 10, "--repeat", "2")
        promptfoo(program, folder / "faulty.json", "2026.11.2", 10, faulty=True)


def demo(into: Path, python: str | None, program: list[str] | None) -> None:
    materials(into, 200, bot.PROMPTS)
    for release in bot.PROMPTS:
        if python:
            inspect(python, into / "inspect" / f"{release}.eval", release, 200)
        if program and release not in ("2026.11.1", "2026.11.3"):
            promptfoo(program, into / "promptfoo" / f"{release}.json", release, 200)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--inspect", metavar="PYTHON")
    parser.add_argument("--promptfoo", nargs=2, metavar=("NODE", "MAIN_JS"))
    parser.add_argument("--only", choices=["samples", "demo"])
    parser.add_argument("--into", type=Path, help="Instead of the repository: a folder for samples/ and demo/.")
    chosen = parser.parse_args()
    if chosen.only != "demo":
        samples((chosen.into or ROOT / "tests") / "samples", chosen.inspect, chosen.promptfoo)
    if chosen.only != "samples":
        target = chosen.into / "demo" if chosen.into else ROOT / "demo" / "files" / "evaluations"
        demo(target, chosen.inspect, chosen.promptfoo)


if __name__ == "__main__":
    main()
