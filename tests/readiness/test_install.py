"""bin/install on machines that lack things. Made with a PATH of exactly what such a machine has."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
POSIX = ("sh", "cat", "cksum", "date", "dirname", "grep", "id", "ls", "mkdir", "rm", "sleep")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout's scripts and locks, and a PATH of POSIX programs only."""
    (tmp_path / "bin").mkdir()
    for program in POSIX:
        found = shutil.which(program)
        assert found
        (tmp_path / "bin" / program).symlink_to(found)
    (tmp_path / "checkout" / "bin").mkdir(parents=True)
    for name in ("install", "up", "test"):
        shutil.copy(CHECKOUT / "bin" / name, tmp_path / "checkout" / "bin" / name)
    for lock in CHECKOUT.glob("requirements*.txt"):
        shutil.copy(lock, tmp_path / "checkout")
    return tmp_path


def has_python(bare: Path) -> None:
    """Called by its own path, since an interpreter that was moved finds its library only from there."""
    python = bare / "bin" / "python3.13"
    python.write_text(f'#!/bin/sh\nexec {sys._base_executable} "$@"\n')  # type: ignore[attr-defined]
    python.chmod(0o755)


def run(bare: Path, *command: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {"PATH": str(bare / "bin"), "HOME": str(bare / "home"), **env}
    return subprocess.run(command, cwd=bare / "checkout", env=clean, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("command", ["bin/up", "bin/test"])
def test_without_a_new_python_it_says_so_in_one_sentence(bare: Path, command: str) -> None:
    old = bare / "bin" / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # as an older Python answers, or a shim that has none
    old.chmod(0o755)
    done = run(bare, command)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"Readiness needs Python 3.12 or newer, and there is none on PATH ({bare / 'bin'}).\n"
    assert not (bare / "checkout" / ".venv").exists()


def test_what_is_installed_already_is_not_installed_again(bare: Path) -> None:
    venv = bare / "checkout" / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").symlink_to(sys.executable)
    lock = bare / "checkout" / "requirements-dev.txt"
    sums = subprocess.run(["cksum"], input=lock.read_text(), capture_output=True, text=True, check=True).stdout.strip()
    (venv / ".installed").write_text(f"requirements-dev.txt {sums}\n")
    for wanted in ("requirements-dev.txt", "requirements.txt"):  # development has all that the product needs
        done = run(bare, "bin/install", wanted)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_lock_that_changed_is_installed_with_its_hashes(bare: Path) -> None:
    """uv is a script here that tells how it was called: the real one is what `bin/up` runs everywhere else."""
    uv = bare / "bin" / "uv"
    uv.write_text('#!/bin/sh\n[ "$1" = --version ] || echo "$*" >> "$HOME/called"\n')
    uv.chmod(0o755)
    (bare / "home").mkdir()
    has_python(bare)
    done = run(bare, "bin/install", "requirements.txt")
    assert done.returncode == 0, done.stderr
    called = (bare / "home" / "called").read_text()
    assert "pip sync --quiet --require-hashes --python" in called
    assert called.endswith("requirements.txt\n")
    assert "packages from requirements.txt" in done.stdout
    assert run(bare, "bin/install", "requirements.txt").stdout == ""
    (bare / "checkout" / "requirements.txt").write_text("changed==1\n")
    assert "Installing 1 packages" in run(bare, "bin/install", "requirements.txt").stdout


def test_an_install_that_fails_is_tried_again(bare: Path) -> None:
    uv = bare / "bin" / "uv"
    uv.write_text('#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "no route to the index" >&2; exit 2\n')
    uv.chmod(0o755)
    has_python(bare)
    for _ in range(2):
        done = run(bare, "bin/up")
        assert done.returncode == 1
        assert "no route to the index" in done.stderr
        assert "could not be installed" in done.stderr
