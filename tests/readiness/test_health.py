import json
from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.db import OperationalError, connection
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from audit import ledger, sealing
from audit.actors import SYSTEM
from jobs import heartbeat
from jobs.models import Job
from readiness import health


@pytest.fixture
def broker(monkeypatch):
    """The broker's answer, for once made up: what is tested is how it is told."""

    class Connection:
        error: Exception | None = None

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def ensure_connection(self, **_):
            if Connection.error:
                raise Connection.error

    monkeypatch.setattr(health.celery_app, "connection_for_write", Connection)
    return Connection


def ask(client):
    response = client.get("/readyz")
    return response.status_code, json.loads(response.content)


def test_healthz_needs_nothing(client):
    """No database mark: a query would fail the test."""
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")
    assert "no-store" in response["Cache-Control"]


@pytest.mark.django_db
def test_ready_when_all_is_well(client, broker):
    sealing.seal(now=timezone.now())  # whatever earlier tests have committed
    heartbeat.beat(timezone.now())
    status, body = ask(client)
    assert (status, body["status"]) == (200, "ready")
    assert set(body["checks"]) == {"database", "migrations", "tick", "ledger", "broker"}


@pytest.mark.django_db
def test_a_silent_worker_is_told_and_pages_stay(client, broker):
    cache.clear()  # a worker of an earlier test may have left its last tick
    status, body = ask(client)
    assert (status, body["status"]) == (200, "degraded")
    assert body["checks"]["tick"]["detail"].startswith("No tick yet")
    heartbeat.beat(timezone.now() - timedelta(minutes=5))
    status, body = ask(client)
    assert (status, body["status"]) == (200, "degraded")
    assert body["checks"]["tick"]["detail"] == "300 s ago: worker or beat does not run."


@pytest.mark.django_db
def test_entries_that_nobody_signs_are_told(client, broker):
    sealing.seal(now=timezone.now())
    heartbeat.beat(timezone.now())
    ledger.append(kind="drill.held", by=SYSTEM, subject="drill:1", now=timezone.now(), payload={})
    _, body = ask(client)
    assert body["checks"]["ledger"]["ok"] is True
    assert "entries wait to be signed" in body["checks"]["ledger"]["detail"]
    with time_machine.travel(timezone.now() + timedelta(minutes=2), tick=False):
        heartbeat.beat(timezone.now())
        status, body = ask(client)
    assert (status, body["status"]) == (200, "degraded")
    assert body["checks"]["ledger"]["ok"] is False


@pytest.mark.django_db
def test_a_ledger_that_was_stopped_is_told(client, broker):
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_stop('entry 7 was altered')")
    _, body = ask(client)
    assert body["checks"]["ledger"]["detail"] == "The ledger takes no entries: entry 7 was altered"


@pytest.mark.django_db
def test_a_broker_that_is_away_is_told_and_pages_stay(client, broker):
    heartbeat.beat(timezone.now())
    broker.error = BrokerError("refused")
    status, body = ask(client)
    assert (status, body["status"]) == (200, "degraded")
    assert body["checks"]["broker"]["ok"] is False


@pytest.mark.django_db
def test_a_database_that_is_away_makes_it_unavailable(client, broker, monkeypatch):
    def fail(*_):
        raise OperationalError("could not connect to host secret-host")

    monkeypatch.setattr(connection, "cursor", fail)
    status, body = ask(client)
    assert (status, body["status"]) == (503, "unavailable")
    assert "secret-host" not in json.dumps(body)


@pytest.mark.django_db
def test_a_waiting_migration_makes_it_unavailable(client, broker, monkeypatch):
    monkeypatch.setattr(health, "_is_migrated", False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'jobs'")
    status, body = ask(client)
    assert (status, body["status"]) == (503, "unavailable")
    assert "migrations wait" in body["checks"]["migrations"]["detail"]


@pytest.mark.django_db
def test_metrics_count_the_work(client, broker):
    now = timezone.now()
    heartbeat.beat(now)
    for number in range(2):
        late = now - timedelta(seconds=90)
        Job.objects.create(task="jobs.clean", key=f"late:{number}", run_after=late, created_at=late)
    text = client.get("/metrics").content.decode()
    assert 'readiness_jobs{state="queued"} 2.0' in text
    assert 'readiness_jobs{state="parked"} 0.0' in text
    assert 'readiness_check_ok{check="database"} 1.0' in text
    (wait,) = [float(line.split()[1]) for line in text.splitlines() if line.startswith("readiness_job_wait_seconds ")]
    assert 90 <= wait < 120


@pytest.mark.parametrize(
    ("token", "request_headers", "status"),
    [
        ("", {}, 200),
        ("", {"x-forwarded-for": "10.0.0.1"}, 403),
        ("s3cret", {}, 403),
        ("s3cret", {"authorization": "Bearer wrong"}, 403),
        ("s3cret", {"authorization": "Bearer s3cret"}, 200),
    ],
)
@pytest.mark.django_db
def test_who_may_scrape(client, broker, settings, token, request_headers, status):
    settings.METRICS_TOKEN = token
    response = client.get("/metrics", headers=request_headers)
    assert response.status_code == status
    assert (b"readiness_jobs" in response.content) is (status == 200)


@pytest.mark.django_db
def test_a_stranger_may_not_scrape(client, broker):
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.7").status_code == 403
    assert client.post("/metrics").status_code == 405
