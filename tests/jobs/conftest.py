"""A real broker and a real worker, on ports and databases of their own."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from django.db import connection
from kombu import pools

from jobs import broker
from tests.jobs import sample_tasks  # noqa: F401 -- registers tasks and handlers here, as -I does in the worker

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def point_at(url: str) -> None:
    """Lets this process speak to another broker than the settings name."""
    current_app.conf.broker_url = current_app.conf.broker_write_url = current_app.conf.broker_read_url = url
    pools.reset()
    current_app._pool = None
    current_app.amqp._producer_pool = None
    broker.forget_absence()


class Broker:
    """A redis-server that can be started, wiped and stopped."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        server = shutil.which("valkey-server") or shutil.which("redis-server")
        assert server, "tests need a redis-server or valkey-server on PATH"
        self.process = subprocess.Popen(
            [server, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
        )
        until(self.answers, 10)
        broker.forget_absence()

    def answers(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None


@pytest.fixture
def absent_broker() -> Iterator[Broker]:
    """An address where nobody answers, until a test starts it."""
    before = current_app.conf.broker_url
    found = Broker()
    point_at(found.url)
    yield found
    found.stop()
    point_at(before)


@pytest.fixture
def real_broker(absent_broker: Broker) -> Broker:
    absent_broker.start()
    return absent_broker


@contextmanager
def running_worker(url: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    name = connection.settings_dict["NAME"]
    database = os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{name}"
    with log.open("wb") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "readiness", "worker", "-I", "tests.jobs.sample_tasks", "-c", "2"],
            cwd=ROOT,
            env={
                **os.environ,
                "DATABASE_URL": database,
                "CELERY_BROKER_URL": url,
                # The tests' own: the worker also seals the ledger, and compares it with the last head that it signed.
                "READINESS_DATA_DIR": str(settings.DATA_DIR),
            },
            stdout=output,
            stderr=output,
        )
        try:
            until(lambda: current_app.control.ping(timeout=0.5) or worker.poll() is not None, 60)
            assert worker.poll() is None, log.read_text()
            yield worker
        finally:
            worker.terminate()
            try:
                worker.wait(15)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


@pytest.fixture
def worker(real_broker: Broker, transactional_db: None, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with running_worker(real_broker.url, tmp_path / "worker.log") as process:
        yield process
