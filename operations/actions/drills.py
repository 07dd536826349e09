"""Rehearsals: planned, started, ended. Every time in them is the moment at which its action ran."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime

from django.db import transaction

from accounts.models import User
from accounts.queries import is_member
from audit import canonical, vault
from audit.actors import SYSTEM
from audit.ledger import append
from jobs.outbox import emit
from operations import rules
from operations.errors import InvalidInput, refuse
from operations.models import Channel, Drill, DrillMoment, RunbookVersion
from operations.queries import channels_for, person
from systems.models import System

# What evidence that such a drill backs is called in the standard. Rollback and incident are facts of the gate itself.
RECORDS = {
    Drill.Kind.BUDGET_ALARM: "drill.budget",
    Drill.Kind.DEGRADATION: "drill.degradation",
    Drill.Kind.UX_FALLBACK: "drill.fallback",
    Drill.Kind.RUNBOOK: "drill.runbook",
    Drill.Kind.ACCESS: "drill.access",
}
# What the product can break and watch by itself.
BY_PRODUCT = (Drill.Kind.BUDGET_ALARM, Drill.Kind.ROLLBACK)


def plan_drill(
    *,
    system: System,
    kind: str,
    environment: str,
    plan: str,
    participants: Iterable[User],
    by: User,
    now: datetime,
    release_label: str = "",
    scheduled_for: date | None = None,
    runbook: RunbookVersion | None = None,
    by_product: bool = False,
    hook: Channel | None = None,
) -> Drill:
    refuse(rules.plan_drill(person(by, system=system, now=now)))
    if kind not in Drill.Kind.values:
        raise InvalidInput(f"A drill is one of {', '.join(Drill.Kind.values)}.")
    if scheduled_for is not None and scheduled_for < now.date():
        raise InvalidInput("The day lies in the past.")
    if runbook is not None and runbook.runbook.system_id != system.pk:
        raise InvalidInput("This is a runbook of another system.")
    if kind == Drill.Kind.RUNBOOK and runbook is None:
        raise InvalidInput("Say which runbook is followed: this drill is what makes it tested.")
    _check_product(system, kind, environment, by_product=by_product, hook=hook)
    people = {user.pk: user for user in [by, *participants]}
    if strangers := [user.name for user in people.values() if not is_member(user, system=system.slug, now=now)]:
        raise InvalidInput(
            f"{', '.join(strangers)} holds no role on {system.name}. Grant one first, or leave them out."
        )
    with transaction.atomic():
        drill = Drill.objects.create(
            system=system,
            kind=kind,
            environment=environment,
            plan=plan,
            release_label=release_label,
            planned_by=by,
            planned_at=now,
            scheduled_for=scheduled_for,
            runbook=runbook,
            by_product=by_product,
            hook=hook,
        )
        drill.participants.set(people.values())
        payload = {
            "kind": kind,
            "environment": environment,
            "plan": plan,
            "release": release_label,
            "scheduled_for": scheduled_for,
            "runbook": _named(runbook),
            "by_product": by_product,
            "hook": hook.name if hook else "",
            "participants": sorted(user.actor_id for user in people.values()),
        }
        _record("drill.planned", drill, by=by, now=now, payload=payload)
    return drill


def start_drill(*, drill: Drill, by: User, now: datetime) -> Drill:
    """Starts the clock."""
    with transaction.atomic():
        row = _locked(drill)
        refuse(rules.start_drill(row.facts, person(by, system=row.system, now=now)))
        row.state, row.started_by, row.started_at = Drill.State.RUNNING, by, now
        row.save(update_fields=["state", "started_by", "started_at"])
        _record("drill.started", row, by=by, now=now, payload={})
    return row


def note_moment(*, drill: Drill, text: str, by: User | None, now: datetime) -> DrillMoment:
    """A line in the timeline of a running drill. `by=None` is the product, in a drill that it runs."""
    with transaction.atomic():
        row = _locked(drill)
        if by is not None:
            refuse(rules.during_drill(row.facts, person(by, system=row.system, now=now)))
        moment = DrillMoment.objects.create(drill=row, at=now, by=by, text=text[:500])
        _record("drill.noted", row, by=by, now=now, payload={"text": moment.text})
    return moment


def mark_recovered(*, drill: Drill, by: User, now: datetime) -> Drill:
    """The service is well again: this moment ends the measured time. Writing the log may take as long as it takes."""
    with transaction.atomic():
        row = _locked(drill)
        refuse(rules.mark_recovered(row.facts, person(by, system=row.system, now=now)))
        row.recovered_at = now
        row.save(update_fields=["recovered_at"])
        assert row.started_at is not None
        _record("drill.recovered", row, by=by, now=now, payload={"seconds": _seconds(row.started_at, now)})
    return row


def end_drill(
    *,
    drill: Drill,
    outcome: str,
    log: str,
    by: User,
    now: datetime,
    evidence: bytes | None = None,
    evidence_name: str = "",
    evidence_type: str = "application/octet-stream",
) -> Drill:
    """Ends a drill with its outcome and what was learnt. From then on it does not change."""
    if outcome not in Drill.Outcome.values:
        raise InvalidInput("A drill ends as passed or as failed.")
    with transaction.atomic():
        row = _locked(drill)
        refuse(rules.end_drill(row.facts, person(by, system=row.system, now=now), outcome=outcome))
        if evidence is not None:
            row.evidence_digest = vault.put(
                evidence, kind="drill-evidence", media_type=evidence_type, now=now, system=row.system.slug
            )
            row.evidence_name, row.evidence_type = evidence_name, evidence_type
        return _end(row, outcome=outcome, log=log, ended_by=by, by=by, now=now)


def end_by_product(*, drill: Drill, log: str, now: datetime, recovered_at: datetime | None = None) -> Drill:
    """Ends a drill that the product runs: passed where it saw the recovery, failed where it did not. Whoever started it
    answers for it; the record says that the product ended it. Told twice, it ends once."""
    with transaction.atomic():
        row = _locked(drill)
        if row.state != Drill.State.RUNNING:
            return row
        assert row.by_product and row.started_by is not None
        row.recovered_at = recovered_at
        outcome = Drill.Outcome.PASSED if recovered_at else Drill.Outcome.FAILED
        return _end(row, outcome=outcome, log=log, ended_by=row.started_by, by=None, now=now)


def _end(row: Drill, *, outcome: str, log: str, ended_by: User, by: User | None, now: datetime) -> Drill:
    assert row.started_at is not None
    row.state, row.outcome, row.log = Drill.State.ENDED, outcome, log
    row.ended_by, row.ended_at = ended_by, now
    row.measured = (row.recovered_at or now) - row.started_at
    row.save()
    emit(
        "operations.drill-ended",
        subject=f"drill:{row.pk}",
        payload={
            "system": row.system.slug,
            "drill": str(row.pk),
            "kind": row.kind,
            "outcome": row.outcome,
            "label": row.release_label,
        },
        now=now,
    )
    if row.outcome == Drill.Outcome.PASSED and row.kind in RECORDS:
        _keep_record(row, by=ended_by, now=now)
    _record("drill.ended", row, by=by, now=now, payload=record_of(row))
    return row


def _keep_record(drill: Drill, *, by: User, now: datetime) -> None:
    """A passed drill backs the items that ask for one of its kind."""
    body = canonical.dumps(canonical.plain(record_of(drill)))
    digest = vault.put(body, kind="record", media_type="application/json", now=now, system=drill.system.slug)
    emit(
        "operations.record-made",
        subject=f"drill:{drill.pk}",
        payload={
            "system": drill.system.slug,
            "record": RECORDS[Drill.Kind(drill.kind)],
            "title": str(drill),
            "label": drill.release_label,
            "digest": digest,
            "by": by.actor_id,
        },
        now=now,
    )


def record_of(drill: Drill) -> dict[str, object]:
    """An ended drill as a structured record: what evidence of the kind `record:drill.<kind>` holds."""
    assert drill.started_at is not None and drill.ended_at is not None and drill.measured is not None
    return {
        "drill": str(drill.pk),
        "kind": drill.kind,
        "environment": drill.environment,
        "release": drill.release_label,
        "runbook": _named(drill.runbook),
        "by_product": drill.by_product,
        "outcome": drill.outcome,
        "started_at": drill.started_at,
        "recovered_at": drill.recovered_at,
        "ended_at": drill.ended_at,
        "seconds": int(drill.measured.total_seconds()),
        "participants": sorted(user.actor_id for user in drill.participants.all()),
        "log": drill.log,
        "evidence": drill.evidence_digest,
    }


def _check_product(system: System, kind: str, environment: str, *, by_product: bool, hook: Channel | None) -> None:
    if not by_product:
        if hook is not None:
            raise InvalidInput("A webhook is told only where the product runs the drill.")
        return
    if kind not in BY_PRODUCT:
        raise InvalidInput("The product runs budget and rollback drills. The others take people.")
    if environment == "production":
        raise InvalidInput("The product breaks nothing in production. Name the staging environment.")
    if kind == Drill.Kind.BUDGET_ALARM and hook is not None:
        raise InvalidInput("A budget drill alarms every channel that hears of the budget: choose no webhook.")
    usable = channels_for(system).filter(kind=Channel.Kind.WEBHOOK, state=Channel.State.ACTIVE)
    if kind == Drill.Kind.ROLLBACK and (hook is None or not usable.filter(pk=hook.pk).exists()):
        raise InvalidInput(
            "Choose the webhook of the deploy system that is told to roll back: one that is switched on."
        )


def _named(runbook: RunbookVersion | None) -> str:
    return f"{runbook.runbook.title}, version {runbook.number}, {runbook.sha256}" if runbook else ""


def _seconds(start: datetime, end: datetime) -> int:
    return int((end - start).total_seconds())


def _locked(drill: Drill) -> Drill:
    rows = Drill.objects.select_for_update(of=("self",)).select_related("system", "started_by", "runbook__runbook")
    return rows.get(pk=drill.pk)


def _record(kind: str, drill: Drill, *, by: User | None, now: datetime, payload: Mapping[str, object]) -> None:
    append(kind=kind, by=by or SYSTEM, subject=f"drill:{drill.pk}", system=drill.system.slug, now=now, payload=payload)
