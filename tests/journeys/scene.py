"""What happens around a journey, done inside the running product: `python -m tests.journeys.scene ACT JSON`.

The journey itself is a browser. What would be the same page a hundred times (people, versions, the rest of a checklist)
is done here by the same actions; and a day passes, since nobody waits for one in a test.
"""

import json
import os
import sys
import time
from datetime import datetime, timedelta
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "readiness.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.actions import create_user, enrol_totp, grant_role, issue_token  # noqa: E402
from accounts.actions.roles import write_grant  # noqa: E402
from accounts.models import User  # noqa: E402
from audit.actors import SYSTEM  # noqa: E402
from demo import walk  # noqa: E402
from demo.project import PEOPLE, People, make_versions  # noqa: E402
from metrics.actions.sources import create_source  # noqa: E402
from operations.actions.channels import create_channel, send_test  # noqa: E402
from operations.queries import latest_passed  # noqa: E402
from releases.models import Release, Rollout  # noqa: E402
from systems.models import System  # noqa: E402

DRILL_WITHIN = 120  # seconds
PASSWORD = "a-journey-of-a-thousand-miles"


def address(who: str) -> str:
    return f"{who}@journey.test"


def people(seeds: dict[str, str]) -> None:
    now = timezone.now()
    admin = None
    for who, (name, role) in PEOPLE.items():
        user = create_user(email=address(who), name=name, password=PASSWORD, by=SYSTEM, now=now)
        enrol_totp(user, secret=seeds[who], now=now)
        if admin is None:
            admin = user
            with transaction.atomic():
                write_grant(
                    user=user, role=role, system="", starts_at=now, ends_at=None, founding=True, by=SYSTEM, now=now
                )
        else:
            grant_role(user=user, role=role, by=admin, now=now)


def team() -> People:
    return People(**{who: User.objects.get(email=address(who)) for who in PEOPLE})


def components(slug: str, prometheus: str, webhook: str) -> dict[str, str]:
    """Approved versions of everything, the sources, an alarm channel, and tokens for traffic and pipeline."""
    system, everybody, now = System.objects.get(slug=slug), team(), timezone.now()
    make_versions(system, everybody, "2026.10.4", now=now)
    files = {"location": "evaluations/inspect/{release}.eval"}
    create_source(
        system=system, kind="inspect_ai", name="Inspect AI logs", config=files, by=everybody.engineer, now=now
    )
    numbers = {
        "url": prometheus,
        "requests": "assistant_requests_total",
        "latency": "assistant_request_duration_seconds",
        "error_label": "outcome",
    }
    create_source(system=system, kind="prometheus", name="Prometheus", config=numbers, by=everybody.engineer, now=now)
    channel, secret = create_channel(
        system=system, name="On call", kind="webhook", target=webhook, by=everybody.admin, now=now
    )
    send_test(channel=channel, by=everybody.admin, now=now)
    walk.start_budget_drill(system, everybody)  # which the worker runs while the journey goes on
    tokens = {}
    for scope in ("ingest", "gate:read"):
        _, tokens[scope] = issue_token(
            owner=everybody.engineer,
            name=scope,
            scopes=[scope],
            by=everybody.admin,
            now=now,
            system=slug,
            environment="production" if scope == "ingest" else "",
        )
    return {**tokens, "webhook": secret}


def checklist(slug: str, label: str, question: str, but: list[str]) -> None:
    release = Release.objects.get(system__slug=slug, label=label)
    walk.do_checklist(release, team(), now=timezone.now(), questions=(question,), but=but)
    if question == "canary":
        walk.answer_questions(release, by=team().product, now=timezone.now(), but={"redaction"})


def drills(slug: str) -> None:
    """Rehearsals whose times are those of the acts, which happen one after another; and the product's own, which the
    worker has brought to its end."""
    system = System.objects.get(slug=slug)
    for kind in ("rollback", "incident"):
        walk.drill(system, kind, team(), now=timezone.now(), minutes=0)
    deadline = time.monotonic() + DRILL_WITHIN
    while not latest_passed(system, "budget_alarm", now=timezone.now(), validity_days=1):
        assert time.monotonic() < deadline, "The worker did not bring the budget drill to its end."
        time.sleep(0.5)


def a_day_passes(slug: str, label: str, hours: int) -> str:
    """Nobody waits for a day in a test: the rollout, and what it may send, began that much earlier."""
    rollout = Rollout.objects.get(release__system__slug=slug, release__label=label)
    assert rollout.started_at is not None
    began = rollout.started_at - timedelta(hours=hours)
    Rollout.objects.filter(pk=rollout.pk).update(started_at=began, watched_until=began)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_fingerprint SET from_at = %s WHERE release_label = %s", [began, label])
    return began.isoformat()


def settled(slug: str, label: str) -> dict[str, Any]:
    """How far the worker is."""
    rollout = Rollout.objects.get(release__system__slug=slug, release__label=label)
    until: datetime | None = rollout.watched_until
    return {"state": rollout.state, "watched_until": until.isoformat() if until else None}


def main() -> None:
    act, arguments = sys.argv[1], json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}")
    print(json.dumps(globals()[act](**arguments)))


if __name__ == "__main__":
    main()
