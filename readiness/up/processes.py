"""The children of the supervisor: started in order, restarted when they die, stopped in the opposite order."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from pwd import struct_passwd

from readiness.up.errors import Stopped, UpError
from readiness.up.lineage import die_with_parent

LONGEST_DELAY = 30.0
LOG_LIMIT = 10 * 1024 * 1024


@dataclass
class Child:
    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    account: struct_passwd | None = None  # None: as ourselves
    stop_with: signal.Signals = signal.SIGTERM
    orphaned_with: signal.Signals = signal.SIGTERM  # what the kernel sends it should we be killed
    force_with: signal.Signals = signal.SIGKILL
    patience: float = 10  # seconds between asking it to stop and making it
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0
    delay: float = 0  # before the next restart; doubles while it keeps dying
    restart_at: float | None = field(default=None)

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Keeper:
    """Holds the children. All waiting goes through `pause`, where a wish to stop breaks a start off."""

    def __init__(self, *, log: Path, say: Callable[[str], None]) -> None:
        self.log = log
        self.say = say
        self.inherited = -1  # the lock of the data folder: each child holds it too
        self.children: list[Child] = []
        self.stop_wanted = False
        self.in_a_hurry = False  # asked twice

    def ask_to_stop(self, *_signal: object) -> None:
        self.in_a_hurry = self.stop_wanted
        self.stop_wanted = True

    def pause(self, seconds: float = 0.05) -> None:
        if self.stop_wanted:
            raise Stopped
        time.sleep(seconds)

    def start(self, child: Child) -> None:
        self._spawn(child)
        self.children.append(child)

    def run(self, child: Child) -> str:
        """Run a child that does one thing and ends. What it prints is returned; what it complains of is logged."""
        self._spawn(child, stdout=subprocess.PIPE)
        assert child.process and child.process.stdout
        self.children.append(child)
        printed = b""
        with child.process.stdout as output:
            os.set_blocking(output.fileno(), False)
            while child.is_running:
                printed += output.read() or b""
                self.pause()
            printed += output.read() or b""
        self.children.remove(child)
        if child.process.returncode:
            raise UpError(f"The step “{child.name}” failed ({ending(child)}).\n{self.last_words(child)}")
        return printed.decode()

    def wait_until(self, ready: Callable[[], bool], *, seconds: float, what: str) -> None:
        """Wait for a condition. During a start a dying child is not restarted: it will hardly do better next time."""
        deadline = time.monotonic() + seconds
        while not ready():
            for child in self.children:
                if not child.is_running:
                    raise UpError(f"{child.name} ended while it started ({ending(child)}).\n{self.last_words(child)}")
            if time.monotonic() > deadline:
                raise UpError(f"{what} did not get ready within {seconds:.0f} s. Logs: {self.log}")
            self.pause()

    def watch(self) -> None:
        """Until somebody asks to stop: restart what dies, at once the first time, ever more slowly after that."""
        while True:
            for child in self.children:
                if not child.is_running:
                    self._revive(child)
            self.pause(0.2)

    def stop_all(self) -> None:
        for child in reversed(self.children):
            self._stop(child)
        self.children.clear()

    def last_words(self, child: Child, lines: int = 15) -> str:
        path = self.log_of(child)
        try:
            tail = path.read_text(errors="replace").splitlines()[-lines:]
        except OSError:
            tail = []
        return "\n".join([f"The end of {path}:", *(f"  {line}" for line in tail)])

    def log_of(self, child: Child) -> Path:
        return self.log / f"{child.name.lower()}.log"

    def _revive(self, child: Child) -> None:
        now = time.monotonic()
        if child.restart_at is None:
            if now - child.started_at > 60:
                child.delay = 0
            child.restart_at = now + child.delay
            when = f"in {child.delay:.0f} s" if child.delay else "at once"
            self.say(f"{child.name} ended ({ending(child)}); starting it again {when}. Log: {self.log_of(child)}")
            child.delay = min(max(1, child.delay * 2), LONGEST_DELAY)
        if now >= child.restart_at:
            child.restart_at = None
            self._spawn(child)

    def _stop(self, child: Child) -> None:
        """Ask, wait, insist, end it. What is left of its process group goes with it."""
        if child.process is None:
            return
        for request in (child.stop_with, child.force_with, signal.SIGKILL):
            if child.is_running:
                child.process.send_signal(request)
            deadline = time.monotonic() + child.patience
            while child.is_running and time.monotonic() < deadline and not self.in_a_hurry:
                time.sleep(0.02)
            if self.in_a_hurry:
                # Asked twice: no more waiting for work to finish, but the database still gets to write its log.
                self.in_a_hurry = False
                child.process.send_signal(child.force_with)
        child.process.wait()
        with contextlib.suppress(ProcessLookupError, PermissionError):  # mostly nobody is left
            os.killpg(child.process.pid, signal.SIGKILL)

    def _spawn(self, child: Child, stdout: int | None = None) -> None:
        path = self.log_of(child)
        if path.exists() and path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
        us, account = os.getpid(), child.account
        with path.open("ab") as log:
            child.process = subprocess.Popen(
                [str(part) for part in child.argv],
                env=dict(child.env),
                cwd=child.cwd,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
                stdin=subprocess.DEVNULL,
                stdout=stdout or log,
                stderr=log,
                pass_fds=[self.inherited],
                # A group of its own, so Ctrl-C reaches only the supervisor, which knows the order.
                process_group=0,
                preexec_fn=lambda: die_with_parent(child.orphaned_with, parent=us),
            )
        child.started_at = time.monotonic()


def ending(child: Child) -> str:
    code = child.process.returncode if child.process else None
    if code is None:
        return "not started"
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
