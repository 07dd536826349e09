"""What probes and Prometheus ask. `/healthz`: does the process live. `/readyz`: can it do its work, and if not, why.

Only what keeps pages from being served makes `/readyz` answer 503. A silent worker or broker is told as `degraded`
with 200: taking the pages away as well would help nobody.
"""

import hmac
import ipaddress
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Max, Min
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from kombu.exceptions import OperationalError as BrokerError
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric

from audit.models import Checkpoint, Entry, Head
from jobs import heartbeat
from jobs.models import Event, Job
from readiness.celery import app as celery_app

TICK_LATE = timedelta(seconds=30)
SIGNATURE_LATE = timedelta(seconds=60)


@dataclass(frozen=True)
class Finding:
    ok: bool
    detail: str
    vital: bool = False  # without it no page can be served


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    findings = look()
    if any(finding.vital and not finding.ok for finding in findings.values()):
        status = "unavailable"
    else:
        status = "ready" if all(finding.ok for finding in findings.values()) else "degraded"
    body = {"status": status, "checks": {name: asdict(finding) for name, finding in findings.items()}}
    return JsonResponse(body, status=503 if status == "unavailable" else 200)


def look() -> dict[str, Finding]:
    findings = {"database": _database()}
    if findings["database"].ok:
        findings["migrations"] = _migrations()
        if findings["migrations"].ok:
            findings["tick"] = _tick()
            findings["ledger"] = _ledger()
    findings["broker"] = _broker()
    return findings


def _database() -> Finding:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return Finding(False, "The database does not answer.", vital=True)
    return Finding(True, "answers", vital=True)


_is_migrated = False  # once true it stays true for this code, and finding out reads every migration file


def _migrations() -> Finding:
    global _is_migrated
    if not _is_migrated:
        executor = MigrationExecutor(connection)
        waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
        if waiting:
            return Finding(False, f"{waiting} migrations wait. Run manage.py prepare as the owner.", vital=True)
        _is_migrated = True
    return Finding(True, "all applied", vital=True)


def _tick() -> Finding:
    last = heartbeat.last()
    if last is None:
        return Finding(False, "No tick yet: worker or beat is still starting.")
    age = timezone.now() - last
    detail = f"{age.total_seconds():.0f} s ago"
    return Finding(True, detail) if age < TICK_LATE else Finding(False, f"{detail}: worker or beat does not run.")


def _ledger() -> Finding:
    head = Head.objects.get(log="decisions")
    if head.read_only:
        return Finding(False, f"The ledger takes no entries: {head.read_only}")
    signed = Checkpoint.objects.aggregate(size=Max("size"))["size"] or 0
    first = Entry.objects.filter(index__gte=signed).order_by("index").first()
    if first is None:
        return Finding(True, f"all {head.size} entries are signed")
    age = timezone.now() - first.recorded_at
    detail = f"{head.size - signed} entries wait to be signed, the oldest for {age.total_seconds():.0f} s"
    return Finding(age < SIGNATURE_LATE, detail)


def _broker() -> Finding:
    try:
        with celery_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=2)
    except (BrokerError, OSError):
        return Finding(False, "The broker does not answer; work waits in the database.")
    return Finding(True, "answers")


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus: with the token of READINESS_METRICS_TOKEN, or, where none is set, from this machine itself."""
    if not _may_scrape(request):
        return HttpResponse("Not for you.\n", status=403, content_type="text/plain")
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_scrape(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").encode()
        return hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode())
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False  # it came through a proxy, so the address is the proxy's
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


class _Collector:
    """Read afresh at each scrape, from the database: whichever process answers, the numbers are the same."""

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("readiness_version", "What runs here.", value={"version": settings.VERSION})
        findings = look()
        health = GaugeMetricFamily("readiness_check_ok", "1 where the check of /readyz is content.", labels=["check"])
        for name, finding in findings.items():
            health.add_metric([name], int(finding.ok))
        yield health
        if all(finding.ok for finding in findings.values() if finding.vital):
            yield from _work()


def _work() -> Iterator[Metric]:
    now = timezone.now()
    jobs = GaugeMetricFamily("readiness_jobs", "Background jobs by state.", labels=["state"])
    counts = dict(Job.objects.values_list("state").annotate(Count("id")))
    for state in Job.State.values:
        jobs.add_metric([state], counts.get(state, 0))
    yield jobs
    due = Job.objects.filter(state=Job.State.QUEUED, run_after__lte=now).aggregate(oldest=Min("run_after"))["oldest"]
    age = (now - due).total_seconds() if due else 0
    yield GaugeMetricFamily("readiness_job_wait_seconds", "How long the oldest due job has waited.", value=age)
    waiting = Event.objects.filter(relayed_at=None).count()
    yield GaugeMetricFamily("readiness_events_waiting", "Events that no handler has got yet.", value=waiting)
    if last := heartbeat.last():
        tick = (now - last).total_seconds()
        yield GaugeMetricFamily("readiness_tick_age_seconds", "Since the tick last ran.", value=tick)
