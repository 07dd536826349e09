"""A real `manage.py up` under test: started as a person would, looked at from outside."""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Self

import psutil

from readiness.up.broker import free_port

CHECKOUT = Path(__file__).resolve().parents[2]
# What a person's shell has; nothing of the test run's own settings leaks in.
CLEAN = {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}


class Up:
    def __init__(self, data: Path, *arguments: str, env: dict[str, str] | None = None, **popen: object) -> None:
        self.data = data
        self.port = free_port()
        arguments = arguments or ("--port", str(self.port))
        self.lines: list[str] = []
        self.family: dict[int, psutil.Process] = {}
        self._new: queue.Queue[str] = queue.Queue()
        python = popen.pop("python", sys.executable)
        self.process = subprocess.Popen(
            [str(python), str(CHECKOUT / "manage.py"), "up", *arguments],
            env={**CLEAN, "READINESS_DATA_DIR": str(data), **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **popen,  # type: ignore[call-overload]
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.look()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for process in self.alive():
            process.kill()
        self.process.wait()
        self._reader.join()

    def wait_for(self, pattern: str, seconds: float = 120) -> str:
        """The first line, from now on, that matches."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self._new.get(timeout=min(left, 0.2))
            except queue.Empty:
                if self.process.poll() is not None and self._new.empty():
                    break
                continue
            if re.search(pattern, line):
                self.look()
                return line
        raise AssertionError(f"never said {pattern!r}:\n{self.output}\n{self._logs()}")

    def ready(self) -> Self:
        self.wait_for("Ready")
        return self

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://localhost:{self.port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def look(self) -> list[psutil.Process]:
        """All processes below the supervisor, remembered, so that they can be looked for when it is gone."""
        try:
            below = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            below = []
        self.family |= {process.pid: process for process in below}
        return below

    def named(self, words: str) -> list[psutil.Process]:
        return [process for process in self.look() if words in _command_line(process)]

    def part(self, words: str) -> psutil.Process:
        """The one process of that name which the supervisor itself started; a child of it may be named alike."""
        self.look()
        parts = psutil.Process(self.process.pid).children()
        (found,) = [process for process in parts if words in _command_line(process)]
        return found

    def users(self) -> set[int]:
        """Whose the processes below the supervisor are; those that end meanwhile are passed over."""
        users = set()
        for process in self.look():
            with suppress(psutil.NoSuchProcess):
                users.add(process.uids().real)
        return users

    def alive(self) -> list[psutil.Process]:
        return [process for process in self.family.values() if _runs(process)]

    def stop(self, sig: signal.Signals = signal.SIGTERM, seconds: float = 40) -> int:
        self.look()
        self.process.send_signal(sig)
        return self.process.wait(seconds)

    @property
    def output(self) -> str:
        return "".join(self.lines)

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as output:
            for line in output:
                self.lines.append(line)
                self._new.put(line)

    def _logs(self) -> str:
        logs = sorted((self.data / "log").glob("*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}" for log in logs)


def until(condition: object, seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def _command_line(process: psutil.Process) -> str:
    """Empty for one that has ended since it was listed."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
