"""A worker that is killed with SIGKILL in the middle of watching a canary: no window is lost and none is counted twice.

Everything is real: a Prometheus with half an hour of history, broker, worker and database. A door in front
of Prometheus and locks on rows hold the worker at the three places where a kill could hurt.
"""

import os
import signal
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

import psutil
import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from demo import walk
from jobs.models import Job
from jobs.queue import enqueue
from metrics.models import Source, Window
from releases.actions import rollout
from releases.models import Rollout
from tests.factories import NOW, make_whole_system
from tests.jobs.conftest import absent_broker, real_broker, running_worker, until
from tests.metrics.prometheus_server import prometheus
from tests.releases.conftest import make_stage
from tests.releases.ready import make_ready

__all__ = ["absent_broker", "real_broker"]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]

MINUTE = timedelta(minutes=1)
MINUTES = 30
MINE, LIVE = "2026.11.2", "2026.10.4"
_beats = count(1)


class Door:
    """Stands before Prometheus and lets questions through, or holds them until it is opened."""

    def __init__(self, behind: str) -> None:
        self.open, self.knocked = threading.Event(), threading.Event()
        self.open.set()
        door = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.pass_on(None)

            def do_POST(self) -> None:
                self.pass_on(self.rfile.read(int(self.headers["Content-Length"])))

            def pass_on(self, body: bytes | None) -> None:
                door.knocked.set()
                door.open.wait(20)
                kind = {"Content-Type": self.headers.get("Content-Type", "")}
                asked = urllib.request.Request(behind + self.path, data=body, headers=kind)
                with urllib.request.urlopen(asked) as reply:
                    found = reply.read()
                with suppress(OSError):  # whoever asked may be dead by now
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(found)))
                    self.end_headers()
                    self.wfile.write(found)

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def history(began: datetime) -> dict[str, list[tuple[datetime, float]]]:
    """Sixty requests a minute of either release, scraped every ten seconds; every minute differs by a few."""
    at = [began + timedelta(seconds=10 * n) for n in range(-30, 6 * MINUTES + 60)]
    made: dict[str, list[tuple[datetime, float]]] = {}
    for label in (MINE, LIVE):
        counted = [(moment, float(10 * n + n // 7)) for n, moment in enumerate(at, 1)]
        made[f'llm_requests_total{{release="{label}",outcome="ok"}}'] = counted
        made[f'llm_requests_total{{release="{label}",outcome="error"}}'] = [(moment, 0.0) for moment in at]
        for le in ("2", "+Inf"):
            made[f'llm_request_duration_seconds_bucket{{release="{label}",le="{le}"}}'] = counted
    return made


@pytest.fixture
def began() -> datetime:
    return timezone.now().replace(second=0, microsecond=0) - MINUTES * MINUTE


@pytest.fixture
def canary(transactional_db: None, began: datetime) -> Rollout:
    stage = make_ready(make_stage(make_whole_system()))
    start = NOW + timedelta(minutes=30)
    walk.sign_both(stage.release, stage.people, now=start)
    rollout.start_rollout(release_id=stage.release.pk, by=stage.people.operator, now=start)
    # The worker has the real clock: the rollout began half an hour ago by it, beside a live release.
    Rollout.objects.update(started_at=began, watched_until=began, baseline_label=LIVE)
    return Rollout.objects.select_related("source").get()


@pytest.fixture
def door(tmp_path, canary: Rollout, began: datetime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    with prometheus(tmp_path, history(began)) as server:
        found = Door(server)
        Source.objects.filter(pk=canary.source_id).update(
            kind=Source.Kind.PROMETHEUS, config={"url": f"http://{found.address}"}
        )
        monkeypatch.setenv("READINESS_EGRESS_ALLOW", found.address)
        yield found
        found.open.set()
        found.server.shutdown()
        found.server.server_close()


def beat() -> None:
    """What the clock does twice a minute."""
    enqueue("releases.watch_rollouts", key=f"beat:watch:{next(_beats)}", now=timezone.now())


@contextmanager
def holding(table: str, key: Any) -> Iterator[None]:
    """Holds a row, as somebody else's transaction would; whoever writes to it waits."""
    given = connection.settings_dict
    with psycopg.connect(
        dbname=given["NAME"], user=given["USER"], password=given["PASSWORD"], host=given["HOST"], port=given["PORT"]
    ) as other:
        other.execute(f"SELECT 1 FROM {table} WHERE id = %s FOR UPDATE", [key])
        yield


def somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def hang_up() -> None:
    """Ends the waiting statements of the dead: PostgreSQL would carry out what it was told before it notices."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )


def kill_the_children(worker: Any) -> None:
    for child in psutil.Process(worker.pid).children():
        os.kill(child.pid, signal.SIGKILL)


def test_no_window_is_lost_and_none_counted_twice_whatever_is_killed_when(
    canary: Rollout, door: Door, began: datetime, real_broker: Any, tmp_path
) -> None:
    with running_worker(real_broker.url, tmp_path / "first.log") as worker:
        door.open.clear()
        beat()
        until(door.knocked.is_set)
        kill_the_children(worker)  # 1. while Prometheus is asked: nothing is stored
        assert not Window.objects.exists()
        with holding("metrics_source", canary.source_id):
            door.open.set()
            until(somebody_waits)
            kill_the_children(worker)  # 2. the rows are written and not committed
            assert not Window.objects.exists()
        with holding("releases_rollout", canary.pk):
            beat()
            until(lambda: Window.objects.exists() and somebody_waits())
            stored = Window.objects.count()
            for process in [worker, *psutil.Process(worker.pid).children()]:
                os.kill(process.pid, signal.SIGKILL)  # 3. stored, and nobody has noted how far: the whole worker dies
            worker.wait()
            hang_up()
    canary.refresh_from_db()
    assert stored and canary.watched_until == began
    with running_worker(real_broker.url, tmp_path / "second.log"):
        beat()
        until(lambda: Rollout.objects.get().watched_until >= began + MINUTES * MINUTE - 2 * MINUTE, 60)
        until(lambda: not Job.objects.filter(state="queued").exists())
    watched_until = Rollout.objects.get().watched_until
    for label in (MINE, LIVE):
        windows = list(Window.objects.filter(release_label=label).order_by("since"))
        assert [window.since for window in windows] == [began + n * MINUTE for n in range(len(windows))]
        assert windows[-1].until == watched_until
        assert {window.answered for window in windows} == {True}
        counted = dict(history(began)[f'llm_requests_total{{release="{label}",outcome="ok"}}'])
        assert sum(window.requests for window in windows) == counted[watched_until] - counted[began]
    assert Rollout.objects.get().state == Rollout.State.RUNNING
