"""Two systems and the people around them: what the access table is tried on.

Everything of the first system carries its slug, so a list that shows it to somebody of the other one is found out.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts.actions import issue_token, request_factor_reset
from accounts.models import ApiToken, User
from accounts.roles import Role
from audit import derivation, ledger, spanlog
from demo import walk
from metrics.actions.sources import create_source
from metrics.models import Pull
from metrics.pull import order_pull
from operations.actions.budgets import set_tenant_budget
from operations.actions.channels import create_channel, send_test
from operations.actions.drills import plan_drill
from operations.actions.freezes import impose_freeze
from operations.actions.incidents import add_follow_up, open_incident
from operations.actions.reviews import freeze_numbers, note_launch, schedule
from operations.actions.risks import add_risk
from operations.actions.runbooks import write_runbook
from operations.calendar import Period
from operations.models import Delivery
from releases.actions import opening
from releases.judging import aim_sources
from releases.models import Decision, Evidence
from systems.models import System
from tests.audit.sending import chat_trace, request_json
from tests.factories import PASSWORD, Whole, make_admin, make_people, make_user, make_whole_system, sign_in
from tests.releases.conftest import make_sampled
from tests.releases.ready import record_evaluation

OWN, OTHER = "harpsichord", "xylophone"
_ROLES = frozenset(Role.values) - {Role.ADMIN, Role.AUDITOR}


@dataclass
class World:
    """`args` has a value for every argument of an address; `ids` one for each kind of thing that is only called pk."""

    args: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, Any] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)  # who -> the key of their session
    token: str = ""  # of a machine: of OTHER only, though its owner has every role on both systems

    def client(self, who: str) -> Client:
        """A fresh one: what a page does to the cookies of one request stays there."""
        if who == "token":
            return Client(raise_request_exception=False, headers={"authorization": f"Bearer {self.token}"})
        client = Client(raise_request_exception=False)
        if who != "anonymous":
            client.cookies[settings.SESSION_COOKIE_NAME] = self.sessions[who]
        return client


def make_world(now: datetime) -> World:
    world = World()
    admin = make_admin(now=now)
    whole = make_whole_system(OWN, people=make_people(system=OWN, now=now), now=now)
    make_whole_system(OTHER, people=make_people(system=OTHER, now=now), now=now)
    _fill(world, whole, now)
    both = make_user("Everywhere", *_ROLES, now=now, password=PASSWORD)
    scopes = sorted(set(ApiToken.Scope.values) - {ApiToken.Scope.INGEST})
    world.token = issue_token(owner=both, name="Elsewhere", scopes=scopes, system=OTHER, by=admin, now=now)[1]
    people = {
        "outsider": make_user("Outsider", *_ROLES, Role.AUDITOR, system=OTHER, now=now, password=PASSWORD),
        "member": make_user("Member", *_ROLES, Role.AUDITOR, system=OWN, now=now, password=PASSWORD),
        "auditor": make_user("Auditor", Role.AUDITOR, now=now, password=PASSWORD),
        "admin": admin,
    }
    world.sessions = {who: _session(user, now) for who, user in people.items()}
    # From here on there are two admins, so that grants and resets wait for a second person.
    make_user("Second admin", Role.ADMIN, now=now)
    target = make_user("Target", Role.PRODUCT, system=OWN, now=now)
    reset = request_factor_reset(user=target, reason="Lost on a train.", by=admin, now=now)
    world.ids |= {"person": target.pk, "grant": target.grants.get().pk, "reset": reset.pk}
    return world


def _session(user: User, now: datetime) -> str:
    """Signed in a moment ago, so that asking for a fresh proof does not hide what comes after it."""
    client = sign_in(user, now=now)
    session = client.session
    session["account_authentication_methods"] = [{"method": "password", "at": time.time()}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return str(session.session_key)


def _fill(world: World, whole: Whole, now: datetime) -> None:
    prompt = whole.versions["prompt"].component
    world.args = {"slug": OWN, "system": OWN, "kind": "prompt", "name": prompt.name, "number": 1}
    world.args |= {"act": "nothing", "part": "release", "side": "engineering"}
    _release(world, whole, now)
    _operations(world, whole, now)
    _trail(world, whole, now)
    token, secret = _token(whole, "gate:read", now)
    world.ids["token"] = token.pk
    pipeline = Client(headers={"authorization": f"Bearer {secret}"})
    answer = pipeline.get(f"/api/releases/{world.args['reference']}/gate")
    assert answer.status_code == 200, answer.content
    world.ids["decision"] = Decision.objects.get().pk  # that answer left it behind
    world.args["index"] = ledger.entries(system=OWN).order_by("index")[0].index


def _token(whole: Whole, scope: str, now: datetime) -> tuple[ApiToken, str]:
    return issue_token(
        owner=whole.people.engineer,
        name=f"{scope} of {OWN}",
        scopes=[scope],
        system=OWN,
        environment="production",
        by=make_admin(now=now),
        now=now,
    )


def _release(world: World, whole: Whole, now: datetime) -> None:
    """In review, with one piece of evidence, an evaluation, and a pull of another on its way."""
    product, engineer, system = whole.people.product, whole.people.engineer, whole.system
    make_sampled(whole, now=now)
    trail = create_source(system=system, kind="trail", name="Trail", config={}, by=engineer, now=now)
    source = create_source(
        system=system, kind="inspect_ai", name="Logs", config={"location": "{release}.eval"}, by=engineer, now=now
    )
    release = opening.open_release(system=system, label="2026.11.2", summary=f"Of {OWN}", by=product, now=now)
    opening.pin_newest(release_id=release.pk, by=product, now=now)
    opening.plan_rollout(
        release_id=release.pk,
        strategy="canary",
        share=Decimal("0.10"),
        hours=24,
        error_rate_max=Decimal("0.015"),
        p95_ms_max=2000,
        source=trail,
        by=product,
        now=now,
    )
    release = opening.begin_review(release_id=release.pk, by=product, now=now)
    item = walk.by_people(release)[0]
    walk.attach(release, item, by=engineer, now=now)
    aim_sources(release, now=now)
    order_pull(source=source, release_label=release.label, by=engineer, now=now)
    world.args |= {
        "label": release.label,
        "reference": str(release.pk),
        "key": item.key,
        "evidence": Evidence.objects.get(item__release=release).pk,
        "run_id": record_evaluation(whole, now=now).pk,
        "source_id": source.pk,
        "pull_id": Pull.objects.get(source=source).pk,
    }


def _operations(world: World, whole: Whole, now: datetime) -> None:
    operator, system = whole.people.operator, whole.system
    freeze = impose_freeze(system=system, reason=f"Something broke at {OWN}.", by=operator, now=now)
    drill = plan_drill(
        system=system,
        kind="rollback",
        environment="staging",
        plan="Roll it back.",
        participants=[],
        by=operator,
        now=now,
    )
    admin = make_admin(now=now)
    channel, _ = create_channel(
        system=system, name=f"Mail of {OWN}", kind="email", target="mail@example.test", by=admin, now=now
    )
    note = send_test(channel=channel, by=admin, now=now)
    delivery = Delivery.objects.filter(notification=note)[0]
    note_launch(system=system, label="2026.10.1", at=now - timedelta(days=1), now=now)
    period = Period(now - timedelta(days=90), now, now + timedelta(days=9))
    review = schedule(system=system, kind="quarterly_access", period=period, now=now)
    assert review is not None
    freeze_numbers(review=review, by=None, now=now)
    line = review.roster.exclude(person=admin)[0]
    _after_launch(world, system, operator, now)
    world.args |= {
        "freeze_id": freeze.pk,
        "drill_id": drill.pk,
        "channel_id": channel.pk,
        "delivery_id": delivery.pk,
        "notification_id": note.pk,
        "review_id": review.pk,
        "line_id": line.pk,
    }


def _after_launch(world: World, system: System, operator: User, now: datetime) -> None:
    incident = open_incident(
        system=system, title=f"Outage of {OWN}", severity="minor", began_at=now, by=operator, now=now
    )
    due = now.date() + timedelta(days=30)
    follow_up = add_follow_up(incident=incident, text="Mend it.", owner=operator, due_on=due, by=operator, now=now)
    risk = add_risk(
        system=system, title=f"Risk of {OWN}", likelihood=2, impact=3, mitigation="Watch it.", owner=operator,
        review_on=due, by=operator, now=now,
    )  # fmt: skip
    version = write_runbook(
        system=system, title=f"Runbook of {OWN}", kind="other", text="# Stop\n\nStop.", by=operator, now=now
    )
    budget = set_tenant_budget(
        system=system, tenant="acme", cap_usd=Decimal(5), alert_usd=Decimal(4), owner=operator, by=operator, now=now
    )
    world.args |= {
        "incident_id": incident.pk,
        "follow_up_id": follow_up.pk,
        "risk_id": risk.pk,
        "runbook_id": version.runbook_id,
        "tenant": "acme",
        "tenant_id": budget.pk,
    }


def _trail(world: World, whole: Whole, now: datetime) -> None:
    _, secret = _token(whole, "ingest", now)
    spans = chat_trace(start=now - timedelta(minutes=2), request_id=f"req-{OWN}")
    application = Client(headers={"authorization": f"Bearer {secret}"})
    answer = application.post("/v1/traces", request_json(*spans), content_type="application/json")
    assert answer.status_code == 200, answer.content
    quiet = timezone.now() + derivation.QUIET + timedelta(seconds=1)
    spanlog.sequence(now=quiet)
    derivation.derive(now=quiet)
    world.args |= {"trace_id": spans[0]["traceId"], "span_id": spans[2]["spanId"], "request_id": f"req-{OWN}"}
