"""What one worker needs to watch twenty canaries.

    .venv/bin/python -m readiness.up.scratch .venv/bin/python bench/watching.py

Each is in its 23rd hour, beside a live release, measured by a real Prometheus. Two beats a minute for five minutes:
every window pulled, stored and judged with all that came before. Goal: a tenth of a core.
"""

import os
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "readiness.settings")
os.environ.setdefault("READINESS_DEBUG", "1")

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402

from metrics.models import Source, Window  # noqa: E402
from releases.locking import lock  # noqa: E402
from releases.models import Release, Rollout  # noqa: E402
from releases.models.standard import StandardVersion  # noqa: E402
from releases.watching import watch_all  # noqa: E402
from systems.models import ReleasePolicy  # noqa: E402
from tests.factories import make_people, make_system  # noqa: E402
from tests.metrics.prometheus_server import prometheus  # noqa: E402

CANARIES, HOURS, MINUTES = 20, 23, 5
MINUTE = timedelta(minutes=1)
LIVE = "live"


def canary(number: int, people: object, address: str, began: datetime, measured_until: datetime) -> None:
    system = make_system(f"system-{number}", people=people, now=began)  # type: ignore[arg-type]
    by = people.operator  # type: ignore[attr-defined]
    source = Source.objects.create(
        system=system, kind="prometheus", name="Prometheus", config={"url": address}, created_by=by, created_at=began
    )
    with transaction.atomic():
        release = Release.objects.create(
            system=system, label=f"r{number}", state="canary", opened_by=by, opened_at=began,
            standard=StandardVersion.objects.order_by("-published_at")[0],
            policy=ReleasePolicy.objects.get(system=system, state="approved"),
        )  # fmt: skip
        lock(release.pk)
        Rollout.objects.create(
            release=release, share=Decimal("0.1"), hours=24, error_rate_max=Decimal("0.015"), p95_ms_max=2000,
            source=source, planned_by=by, planned_at=began, state="running", started_by=by, started_at=began,
            watched_until=measured_until, baseline_label=LIVE,
        )  # fmt: skip
    Window.objects.bulk_create(
        Window(
            source=source, release_label=label, since=began + n * MINUTE, until=began + (n + 1) * MINUTE,
            answered=True, requests=20, errors=0, latency=[["0", "2000", 20]], raw_digest="sha256:" + "0" * 64,
            asked_at=began,
        )
        for label in (release.label, LIVE)
        for n in range((measured_until - began) // MINUTE)
    )  # fmt: skip


def history(until: datetime) -> dict[str, list[tuple[datetime, float]]]:
    at = [until - timedelta(seconds=15 * n) for n in range(4 * (MINUTES + 12), -1, -1)]
    made: dict[str, list[tuple[datetime, float]]] = {}
    for label in (LIVE, *(f"r{n}" for n in range(CANARIES))):
        counted = [(moment, 5.0 * n) for n, moment in enumerate(at)]
        made[f'llm_requests_total{{release="{label}",outcome="ok"}}'] = counted
        made[f'llm_requests_total{{release="{label}",outcome="error"}}'] = [(moment, 0.0) for moment in at]
        for le in ("0.5", "1", "2", "+Inf"):
            made[f'llm_request_duration_seconds_bucket{{release="{label}",le="{le}"}}'] = counted
    return made


def main() -> None:
    call_command("migrate", verbosity=0)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    measured_until = now - (MINUTES + 1) * MINUTE
    began = measured_until - timedelta(hours=HOURS)
    people = make_people(now=began)
    with tempfile.TemporaryDirectory() as folder, prometheus(Path(folder), history(now)) as address:
        settings.EGRESS_ALLOW = [address.removeprefix("http://")]
        for number in range(CANARIES):
            canary(number, people, address, began, measured_until)
        watch_all(now=measured_until + timedelta(seconds=20))  # what is loaded once is not counted
        before = Window.objects.count()
        used = time.process_time()
        for beat in range(2, 2 * MINUTES + 2):
            watch_all(now=measured_until + beat * timedelta(seconds=30) + timedelta(seconds=20))
        used = time.process_time() - used
        pulled = Window.objects.count() - before
    states = set(Rollout.objects.values_list("state", flat=True))
    assert (states, pulled) == ({"running"}, 2 * CANARIES * MINUTES), (states, pulled)
    print(
        f"{CANARIES} canaries, {pulled} windows pulled and judged in {MINUTES} minutes: {used:.1f} s of processor, "
        f"{used / MINUTES / 60:.3f} of a core (goal 0.1; PostgreSQL's own work beside it)"
    )


if __name__ == "__main__":
    main()
