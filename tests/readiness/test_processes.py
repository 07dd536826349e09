"""The keeper, with children that are small scripts: each fault is made to happen."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from readiness.up.errors import Stopped, UpError
from readiness.up.folder import Folder, adopt
from readiness.up.keys import kept, password
from readiness.up.processes import Child, Keeper
from tests.readiness.running import until


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def keeper(tmp_path: Path, said: list[str]):
    (tmp_path / "log").mkdir()
    keeper = Keeper(log=tmp_path / "log", say=said.append)
    keeper.inherited = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
    yield keeper
    keeper.stop_all()
    os.close(keeper.inherited)


def child(name: str, script: str, **changes: object) -> Child:
    made = Child(name=name, argv=[sys.executable, "-c", script], env={}, cwd=Path("/"))
    for field, value in changes.items():
        setattr(made, field, value)
    return made


def watch_for(keeper: Keeper, seconds: float) -> None:
    """Watch, and ask to stop after a while."""
    timer = threading.Timer(seconds, keeper.ask_to_stop)
    timer.start()
    with pytest.raises(Stopped):
        keeper.watch()
    timer.join()


def test_what_a_step_prints_is_returned(keeper: Keeper) -> None:
    assert keeper.run(child("step", "print('x' * 200_000)")).strip() == "x" * 200_000
    assert keeper.children == []


def test_a_step_that_fails_says_its_last_words(keeper: Keeper) -> None:
    with pytest.raises(UpError, match=r"(?s)The step “step” failed \(exit code 3\).*The end of .*step.log:\n  oh no"):
        keeper.run(child("step", "import sys; print('oh no', file=sys.stderr); sys.exit(3)"))


def test_waiting_ends_when_a_child_dies(keeper: Keeper) -> None:
    keeper.start(child("web", "raise SystemExit('port taken')"))
    with pytest.raises(UpError, match=r"(?s)web ended while it started \(exit code 1\).*port taken"):
        keeper.wait_until(lambda: False, seconds=10, what="It")


def test_waiting_has_an_end(keeper: Keeper) -> None:
    keeper.start(child("web", "import time; time.sleep(60)"))
    with pytest.raises(UpError, match="The web server did not get ready within 0 s"):
        keeper.wait_until(lambda: False, seconds=0.2, what="The web server")


def test_what_dies_is_started_again_ever_more_slowly(keeper: Keeper, said: list[str], tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    keeper.start(child("worker", f"open({str(starts)!r}, 'a').write('x')"))
    watch_for(keeper, 4)
    assert 3 <= len(starts.read_text()) <= 4  # at 0, at once, after 1 s, after 2 s more
    assert "worker ended (exit code 0); starting it again at once" in said[0]
    assert "again in 1 s" in said[1]
    assert "worker.log" in said[0]


def test_children_end_in_the_opposite_order(keeper: Keeper, tmp_path: Path) -> None:
    order, started = tmp_path / "order", tmp_path / "started"
    script = """
import signal, sys, time
def end(*_):
    open({order!r}, "a").write({name!r})
    sys.exit()
signal.signal(signal.SIGTERM, end)
open({started!r}, "a").write("x")
time.sleep(60)
"""
    for name in "abc":
        keeper.start(child(name, script.format(order=str(order), started=str(started), name=name)))
    until(lambda: started.exists() and len(started.read_text()) == 3, 10, "they did not start")
    keeper.stop_all()
    assert order.read_text() == "cba"


DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(60)"


def test_a_deaf_child_is_killed_with_what_it_started(keeper: Keeper) -> None:
    script = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);" + DEAF
    deaf = child("deaf", script, patience=0.3)
    keeper.start(deaf)
    until(lambda: "on" in keeper.log_of(deaf).read_text(), 10, "it did not start")
    assert deaf.process
    (grandchild,) = psutil.Process(deaf.process.pid).children()
    keeper.stop_all()
    assert deaf.process.returncode == -signal.SIGKILL
    until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE, 5, "a grandchild stayed")


def test_asked_twice_it_does_not_wait(keeper: Keeper) -> None:
    deaf = child("deaf", DEAF, patience=30)
    keeper.start(deaf)
    until(lambda: "on" in keeper.log_of(deaf).read_text(), 10, "it did not start")
    keeper.ask_to_stop()
    keeper.ask_to_stop()
    began = time.monotonic()
    keeper.stop_all()
    assert time.monotonic() - began < 5


def test_a_wish_to_stop_breaks_any_wait_off(keeper: Keeper) -> None:
    keeper.ask_to_stop()
    with pytest.raises(Stopped):
        keeper.run(child("long", "import time; time.sleep(60)"))


# --- The folder and its keys ---


def test_a_secret_is_made_once_and_is_ours_alone(tmp_path: Path) -> None:
    first = kept(tmp_path / "secret", password)
    assert kept(tmp_path / "secret", password) == first
    assert len(first) >= 32
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / "secret"]


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UpError, match=r"The data folder .*file/data cannot be used \(Not a directory\)"):
        Folder(tmp_path / "file" / "data").open()


def test_a_command_beside_a_run_takes_its_environment_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(tmp_path)
    folder.publish({"THING_A": "with 'quotes' and blanks", "THING_B": "of the run"})
    monkeypatch.delenv("THING_A", raising=False)
    monkeypatch.setenv("THING_B", "set before")
    adopt(tmp_path)
    assert os.environ["THING_A"] == "with 'quotes' and blanks"
    assert os.environ["THING_B"] == "set before"
    monkeypatch.delenv("THING_A")
    adopt(tmp_path / "nowhere")
