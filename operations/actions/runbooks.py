"""Runbooks and the degradation plan: texts in versions, checked for what they must say."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import transaction

from accounts.models import User
from audit import canonical, vault
from audit.ledger import append
from jobs.outbox import emit
from operations import rules, runbook
from operations.errors import InvalidInput, refuse
from operations.models import DegradationPlan, Runbook, RunbookVersion, StatusChange
from operations.queries import person
from systems.models import System

LONGEST = 100_000


def write_runbook(
    *, system: System, title: str, kind: str, text: str, by: User, now: datetime, note: str = ""
) -> RunbookVersion:
    """The next version of the runbook with this title; the first one makes it. A text that lacks a required part is
    kept, and says what it lacks: it backs no item."""
    refuse(rules.write_runbook(person(by, system=system, now=now)))
    if kind not in Runbook.Kind.values:
        raise InvalidInput(f"A runbook is for one of {', '.join(Runbook.Kind.values)}.")
    if not title.strip() or not text.strip():
        raise InvalidInput("A runbook has a title and a text.")
    if len(text) > LONGEST:
        raise InvalidInput("A runbook of more than 100,000 characters is not read in an emergency. Split it.")
    text = text.replace("\r\n", "\n")
    with transaction.atomic():
        System.objects.select_for_update(of=("self",)).get(pk=system.pk)
        found, _ = Runbook.objects.get_or_create(
            system=system, title=title.strip(), defaults={"kind": kind, "created_at": now}
        )
        last = found.versions.first()
        digest = canonical.digest_bytes(text.encode())
        if last is not None and last.sha256 == digest:
            raise InvalidInput(f"This is what version {last.number} says already.")
        version = RunbookVersion.objects.create(
            runbook=found,
            number=last.number + 1 if last else 1,
            text=text,
            sha256=digest,
            missing=runbook.missing(text),
            note=note.strip(),
            author=by,
            created_at=now,
        )
        payload = {"title": found.title, "number": version.number, "sha256": digest, "missing": version.missing}
        append(
            kind="runbook.written", by=by, subject=f"runbook:{found.pk}", system=system.slug, now=now, payload=payload
        )
        if not version.missing:
            _as_record(system, "runbook", f"{found.title}, version {version.number}", text.encode(), by=by, now=now)
    return version


def write_plan(*, system: System, steps: Sequence[Mapping[str, str]], by: User, now: datetime) -> DegradationPlan:
    """The next version of the degradation plan: what is given up, in order, and how each step is taken back."""
    refuse(rules.write_runbook(person(by, system=system, now=now)))
    kept = [_step(number, step) for number, step in enumerate(steps, start=1)]
    if not kept:
        raise InvalidInput("A plan has at least one step.")
    with transaction.atomic():
        System.objects.select_for_update(of=("self",)).get(pk=system.pk)
        last = DegradationPlan.objects.filter(system=system).first()
        digest = canonical.digest(kept)
        if last is not None and last.sha256 == digest:
            raise InvalidInput(f"This is what version {last.number} says already.")
        plan = DegradationPlan.objects.create(
            system=system,
            number=last.number + 1 if last else 1,
            steps=kept,
            sha256=digest,
            author=by,
            created_at=now,
        )
        payload = {"number": plan.number, "sha256": digest, "steps": kept}
        append(
            kind="degradation.planned", by=by, subject=f"system:{system.slug}", system=system.slug, now=now,
            payload=payload,
        )  # fmt: skip
        title = f"Degradation plan, version {plan.number}"
        _as_record(system, "degradation.plan", title, canonical.dumps(payload), by=by, now=now)
    return plan


def _step(number: int, step: Mapping[str, str]) -> dict[str, str]:
    kept = {name: str(step.get(name, "")).strip() for name in ("do", "undo", "status")}
    if not kept["do"] or not kept["undo"]:
        raise InvalidInput(f"Step {number} says what is done and how it is taken back; without that it is no step.")
    if kept["status"] not in (StatusChange.Status.DEGRADED, StatusChange.Status.FALLBACK, StatusChange.Status.STOPPED):
        raise InvalidInput(f"Step {number} tells callers one of degraded, fallback or stopped.")
    return kept


def _as_record(system: System, record: str, title: str, body: bytes, *, by: User, now: datetime) -> None:
    media = "text/markdown" if record == "runbook" else "application/json"
    digest = vault.put(body, kind="record", media_type=media, now=now, system=system.slug)
    emit(
        "operations.record-made",
        subject=f"system:{system.slug}",
        payload={"system": system.slug, "record": record, "title": title, "label": "", "digest": digest,
                 "media_type": media, "by": by.actor_id},
        now=now,
    )  # fmt: skip
