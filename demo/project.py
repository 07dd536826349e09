"""The demo project: one system in mid-release, made by the product's own actions and its own request path.

    2026.10.4   live: its evaluation, canary, signatures and decisions are all there to be looked at
    2026.11.1   rolled back from its canary: better answers, but too many of them ran into the time limit
    2026.11.2   in canary since the demo began, watched with Prometheus (or, without one, with the request trail)
    2026.11.3   in pre-production, blocked for several reasons

The past two days are walked through with the times at which they would have happened; the ledger also keeps the time at
which each entry was really written.
"""

import base64
import json
import secrets
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from accounts.actions import create_user, enrol_totp, grant_role, issue_token
from accounts.actions.roles import write_grant
from accounts.models import User
from accounts.roles import Role
from audit import derivation, spanlog, trail
from audit.actors import SYSTEM
from demo import walk
from demo.assistant import Assistant, Variant
from demo.notes import Notes
from demo.stub_app import tracing
from demo.traffic import history
from metrics.actions.sources import create_source
from metrics.evaluation import parse, record_run
from metrics.models import EvaluationRun, Source
from operations import deliver
from operations.actions.channels import create_channel, send_test
from releases.actions import checklist, opening, rollout
from releases.judging import judge_waiting
from releases.models import Release, Rollout
from releases.watching import watch
from systems.actions import add_component, approve_version, create_system, draft_version, submit_version
from systems.kinds import Area, Kind, reviewer_role
from systems.models import System

WATCHED = ("release__system", "release__policy", "release__standard", "source")
SUMMED_UP_WITHIN = 120  # seconds
FILES = Path(__file__).parent / "files" / "evaluations"
SLUG = "support-assistant"
NOTES = {"2026.10.4": "First version.", "2026.11.1": "Answers every question; says so where no article fits."}
MODEL = {"provider": "acme", "deployment": "support-small-2026-09", "prices": {"input": "0.40", "output": "1.60"}}
PEOPLE = {
    "admin": ("Ada Admin", Role.ADMIN),
    "product": ("Petra Produkt", Role.PRODUCT),
    "product2": ("Paul Moreau", Role.PRODUCT),
    "engineer": ("Emil Berg", Role.ENGINEERING),
    "engineer2": ("Ella Novak", Role.ENGINEERING),
    "operator": ("Otto Lind", Role.OPERATIONS),
    "operator2": ("Olga Reyes", Role.OPERATIONS),
    "platform": ("Pia Sato", Role.PLATFORM),
    "privacy": ("Priya Nair", Role.PRIVACY),
    "compliance": ("Carl Weiss", Role.COMPLIANCE),
    "auditor": ("Aud Hansen", Role.AUDITOR),
}


@dataclass
class People:
    admin: User
    product: User
    product2: User
    engineer: User
    engineer2: User
    operator: User
    operator2: User
    platform: User
    privacy: User
    compliance: User
    auditor: User


def email(who: str) -> str:
    return f"{who}@demo.example"


def make_people(notes: Notes, *, now: datetime) -> People:
    """Everybody with the demo's password and a one-time code seed of their own. The first one is admin."""
    made: dict[str, User] = {}
    for who, (name, role) in PEOPLE.items():
        user = create_user(email=email(who), name=name, password=notes.password, by=SYSTEM, now=now, is_demo=True)
        enrol_totp(user, secret=notes.totp[who], now=now)
        if role == Role.ADMIN:
            _first_admin(user, now=now)
        else:
            grant_role(user=user, role=role, by=made["admin"], now=now)
        made[who] = user
    return People(**made)


def _first_admin(user: User, *, now: datetime) -> None:
    """As the set-up link makes one, for the demo's people only."""
    with transaction.atomic():
        write_grant(
            user=user, role=Role.ADMIN, system="", starts_at=now, ends_at=None, founding=True, by=SYSTEM, now=now
        )


def make_system(people: People, *, now: datetime) -> System:
    owners: dict[str, User] = {
        area: getattr(people, area) for area in (Area.PRODUCT, Area.PLATFORM, Area.PRIVACY, Area.COMPLIANCE)
    }
    owners |= {Area.ENGINEERING: people.engineer, Area.OPERATIONS: people.operator}
    owners |= {Area.MODEL_REGRESSIONS: people.engineer2, Area.BUDGET: people.product}
    owners |= {Area.ON_CALL: people.operator, Area.ESCALATION: people.operator2}
    return create_system(
        slug=SLUG,
        name="Support assistant",
        description="Answers customers from the help articles. Demo data, made by the product's own actions.",
        ticket_url_template="https://tickets.example/{label}",
        by=people.admin,
        owners=owners,
        is_demo=True,
        now=now,
    )


def contents(label: str) -> dict[str, tuple[str, bytes]]:
    """What the release with this label is made of: kind -> name, content."""
    text = {"type": "string", "maxLength": 4000}
    question = {"type": "object", "required": ["question"], "properties": {"question": text}}
    answer = {
        "type": "object",
        "required": ["answer", "sources"],
        "properties": {"answer": text, "sources": {"type": "array", "items": {"type": "string"}}},
    }
    limits = {"max_context_chars": 12000, "max_output_tokens": 400, "timeout_ms": 10000, "retry_limit": 2}
    articles = {"sources": [{"id": "kb", "title": "Help articles", "readers": "everybody", "owner": "Support"}]}
    sorry = {"message": "I cannot answer just now. A colleague will write to you today.", "handoff": "support@example"}
    return {
        Kind.PROMPT: ("answer", (FILES / f"prompt-{label}.txt").read_bytes()),
        Kind.INPUT_SCHEMA: ("question", json.dumps(question).encode()),
        Kind.OUTPUT_SCHEMA: ("answer", json.dumps(answer).encode()),
        Kind.CONTRACT: ("limits", json.dumps(limits).encode()),
        Kind.MODEL: ("chat", json.dumps(MODEL).encode()),
        Kind.DATASET: ("golden-set", (FILES / "golden-set.jsonl").read_bytes()),
        Kind.SOURCES: ("articles", json.dumps(articles).encode()),
        Kind.FALLBACK: ("apology", json.dumps(sorry).encode()),
    }


def make_versions(system: System, people: People, label: str, *, now: datetime) -> None:
    """Drafted by the engineer, approved by a second person. What has not changed since is left alone."""
    for kind, (name, content) in contents(label).items():
        component = system.components.filter(kind=kind).first()
        if component is None:
            component = add_component(system=system, kind=kind, name=name, by=people.engineer, now=now)
        elif kind != Kind.PROMPT:
            continue
        note = NOTES.get(label, "Shorter answers; sources are named by id.")
        version = draft_version(component=component, content=content, by=people.engineer, now=now, note=note)
        version = submit_version(version=version, by=people.engineer, now=now)
        reviewer = people.product if reviewer_role(kind) == Role.PRODUCT else people.engineer2
        approve_version(version=version, by=reviewer, now=now, note="Read line by line.")


def open_release(system: System, people: People, label: str, summary: str, source: Source, *, now: datetime) -> Release:
    release = opening.open_release(system=system, label=label, summary=summary, by=people.product, now=now)
    opening.pin_newest(release_id=release.pk, by=people.product, now=now)
    opening.plan_rollout(
        release_id=release.pk,
        strategy=Rollout.Strategy.CANARY,
        share=Decimal("0.10"),
        hours=24,
        error_rate_max=Decimal("0.015"),
        p95_ms_max=2000,
        source=source,
        by=people.product,
        now=now,
    )
    return opening.begin_review(release_id=release.pk, by=people.product, now=now)


def prompt(label: str) -> str:
    return (FILES / f"prompt-{label}.txt").read_text(encoding="utf-8")


def record_evaluation(system: System, source: Source, label: str, *, now: datetime) -> None:
    """A file that the real Inspect AI wrote, read as the worker reads it."""
    raw = (FILES / "inspect" / f"{label}.eval").read_bytes()
    record_run(
        system=system,
        answer=parse("inspect_ai", raw),
        raw=raw,
        origin=EvaluationRun.Origin.PULLED,
        source=source,
        by=SYSTEM,
        now=now,
    )
    judge_waiting(now=now)


@dataclass
class Builder:
    """Builds the project once; `say` tells how far it is."""

    folder: Path
    base_url: str
    now: datetime
    say: Callable[[str], None]

    def build(self) -> Notes:
        ports = _free_ports(3)
        notes = Notes(
            password="demo-" + secrets.token_urlsafe(9),
            totp={who: _seed() for who in PEOPLE},
            ingest_token="",
            app_port=ports[0],
            canary_port=ports[1],
            prometheus_port=ports[2],
            prometheus=shutil.which("prometheus") is not None,
        )
        begun = self.now - timedelta(hours=46)
        self.say("People, roles and a system with its owners")
        people = make_people(notes, now=begun)
        system = make_system(people, now=begun)
        make_versions(system, people, "2026.10.4", now=begun)
        notes = self._token(notes, system, people, now=begun)
        sources = self._sources(system, people, notes, now=begun)
        self._channel(system, people, now=begun)
        self._shipped(system, people, sources, notes, begun)
        self._rolled_back(system, people, sources, notes)
        self._canary(system, people, sources, notes)
        self._blocked(system, people, sources)
        notes.save(self.folder)
        return notes

    def _token(self, notes: Notes, system: System, people: People, *, now: datetime) -> Notes:
        scopes = ["ingest"]
        _, secret = issue_token(
            owner=people.engineer, name="Support assistant", scopes=scopes, by=people.admin, now=now,
            system=system.slug, environment="production",
        )  # fmt: skip
        return replace(notes, ingest_token=secret)

    def _sources(self, system: System, people: People, notes: Notes, *, now: datetime) -> dict[str, Source]:
        def one(kind: str, name: str, config: dict[str, object], every: int | None = None) -> Source:
            return create_source(
                system=system, kind=kind, name=name, config=config, by=people.engineer, now=now, schedule_seconds=every
            )

        found = {
            "trail": one("trail", "Request trail", {}),
            "inspect": one("inspect_ai", "Inspect AI logs", {"location": "evaluations/inspect/{release}.eval"}),
        }
        if notes.prometheus:
            address = f"http://127.0.0.1:{notes.prometheus_port}"
            config: dict[str, object] = {
                "url": address,
                "requests": "assistant_requests_total",
                "latency": "assistant_request_duration_seconds",
                "release_label": "release",
                "error_label": "outcome",
                "error_values": ["error"],
            }
            found["prometheus"] = one("prometheus", "Prometheus", config)
        return found

    def _channel(self, system: System, people: People, *, now: datetime) -> None:
        """A mailbox for alarms, with a test message that arrived: here, in the worker's log."""
        channel, _ = create_channel(
            system=system, name="On call", kind="email", target="oncall@demo.example", by=people.admin, now=now
        )
        test = send_test(channel=channel, by=people.admin, now=now)
        for delivery in test.deliveries.all():
            deliver.attempt(str(delivery.pk), now=now)

    def _shipped(self, system: System, people: People, sources: dict[str, Source], notes: Notes, at: datetime) -> None:
        """2026.10.4, from its opening two days ago to its promotion."""
        self.say("Release 2026.10.4: checklist, drills, signatures")
        walk.drill(system, "rollback", people, now=at)
        walk.drill(system, "incident", people, now=at)
        walk.budget_drill(system, people)
        at += timedelta(hours=1)
        release = open_release(system, people, "2026.10.4", "The first release.", sources["trail"], now=at)
        record_evaluation(system, sources["inspect"], "2026.10.4", now=at)
        walk.do_checklist(release, people, now=at)
        walk.answer_questions(release, by=people.product, now=at)
        walk.sign_both(release, people, now=at + timedelta(minutes=10))
        at += timedelta(minutes=30)
        rollout.start_rollout(release_id=release.pk, by=people.operator, now=at)
        self.say("Release 2026.10.4: two days of requests, through OTLP")
        hours = (self.now - at).total_seconds() / 3600
        self._requests(notes, Variant("2026.10.4", prompt("2026.10.4")), hours=hours, per_hour=40)
        full = at + timedelta(hours=24, minutes=30)
        self.say("Release 2026.10.4: 24 hours of canary, window by window")
        watch(Rollout.objects.select_related(*WATCHED).get(release=release), now=full)
        walk.do_checklist(release, people, now=full, questions=("release",))
        walk.sign_both(release, people, now=full + timedelta(minutes=10))
        rollout.promote(release_id=release.pk, by=people.operator, now=full + timedelta(minutes=20))

    def _rolled_back(self, system: System, people: People, sources: dict[str, Source], notes: Notes) -> None:
        """2026.11.1: its evaluation was better, its canary is not, and the watch takes it back this minute."""
        self.say("Release 2026.11.1: a canary that goes wrong, and is rolled back")
        at = self.now - timedelta(hours=5)
        make_versions(system, people, "2026.11.1", now=at)
        summary = "Answers every question of a message."
        release = open_release(system, people, "2026.11.1", summary, sources["trail"], now=at)
        record_evaluation(system, sources["inspect"], "2026.11.1", now=at)
        walk.do_checklist(release, people, now=at)
        walk.answer_questions(release, by=people.product, now=at)
        begun = self.now - timedelta(minutes=90)
        walk.sign_both(release, people, now=begun - timedelta(minutes=10))
        rollout.start_rollout(release_id=release.pk, by=people.operator, now=begun)
        slow = Variant("2026.11.1", prompt("2026.11.1"), prompt_version="2", latency_ms=420, error_rate=0.08)
        self._requests(notes, slow, hours=1.5, per_hour=160)
        watch(Rollout.objects.select_related(*WATCHED).get(release=release), now=timezone.now())

    def _canary(self, system: System, people: People, sources: dict[str, Source], notes: Notes) -> None:
        """2026.11.2, in canary from now on."""
        self.say("Release 2026.11.2: in canary from now on")
        at = self.now - timedelta(hours=3)
        make_versions(system, people, "2026.11.2", now=at)
        source = sources.get("prometheus", sources["trail"])
        summary = "Shorter answers that name their sources."
        release = open_release(system, people, "2026.11.2", summary, source, now=at)
        record_evaluation(system, sources["inspect"], "2026.11.2", now=at)
        walk.do_checklist(release, people, now=at)
        walk.answer_questions(release, by=people.product, now=at)
        walk.sign_both(release, people, now=timezone.now())
        rollout.start_rollout(release_id=release.pk, by=people.operator, now=timezone.now())

    def _blocked(self, system: System, people: People, sources: dict[str, Source]) -> None:
        """2026.11.3: a worse evaluation, evidence missing, waiting or sent back, questions without answer."""
        self.say("Release 2026.11.3: blocked, for several reasons")
        at = self.now - timedelta(hours=1)
        make_versions(system, people, "2026.11.3", now=at)
        summary = "Answers in the language of the customer."
        release = open_release(system, people, "2026.11.3", summary, sources["trail"], now=at)
        record_evaluation(system, sources["inspect"], "2026.11.3", now=at)
        items = walk.by_people(release)
        left, waiting, back = items[3::9], items[4::11], items[6]
        but = {item.key for item in [*left, *waiting, back]}
        walk.do_checklist(release, people, now=at, but=but)
        for item in [*waiting, back]:
            walk.attach(release, item, by=people.engineer, now=at)
        reason = "This is the log of the previous commit. Run it on the pinned image."
        by = walk.verifier(people, back.owner_role)
        checklist.send_back(release_id=release.pk, key=back.key, reason=reason, by=by, now=at)
        walk.answer_questions(release, by=people.product, now=at, but={"post-mortems", "human-handoff"})

    def _requests(self, notes: Notes, variant: Variant, *, hours: float, per_hour: float) -> None:
        """Traffic of the hours before now, by the real SDK."""
        provider = tracing(otlp=self.base_url, token=notes.ingest_token)
        history(Assistant(variant, provider), hours=hours, per_hour=per_hour, seed=variant.release)
        provider.shutdown()
        # As the worker does it at each beat; `bin/up` starts it when the past is made.
        deadline = time.monotonic() + SUMMED_UP_WITHIN
        while trail.waiting_since() is not None:
            if time.monotonic() > deadline:
                raise RuntimeError("The requests of the demo were not summed up in time; the worker's log may say why.")
            time.sleep(1)
            spanlog.sequence(now=timezone.now())
            derivation.derive(now=timezone.now())


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def _seed() -> str:
    """A TOTP seed: 160 random bits in base32 (RFC 4226, section 4)."""
    return base64.b32encode(secrets.token_bytes(20)).decode()
