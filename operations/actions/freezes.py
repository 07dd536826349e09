"""Stopping new releases of a system, and starting again: one person records what was done, two others confirm it."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.urls import reverse

from accounts.models import User
from audit.actors import SYSTEM
from audit.ledger import append
from jobs.outbox import emit
from operations import rules
from operations.errors import InvalidInput, refuse
from operations.models import Freeze
from operations.notify import notify
from operations.queries import person
from systems.models import System

WHO = ("product", "engineering", "operations")


def impose_freeze(
    *, system: System, reason: str, by: User | None, now: datetime, cause: str = Freeze.Cause.MANUAL
) -> Freeze:
    """Freezes a system. `by=None` is the product itself, which freezes once per cause: asked again while that freeze
    stands, it returns it."""
    if cause not in Freeze.Cause.values:
        raise InvalidInput(f"A freeze has one of these causes: {', '.join(Freeze.Cause.values)}.")
    if by is not None:
        refuse(rules.impose_freeze(person(by, system=system, now=now)))
    with transaction.atomic():
        fields = {"reason": reason, "imposed_at": now}
        if by is None:
            which = {"system": system, "cause": cause, "imposed_by": None, "lifted_at": None}
            freeze, created = Freeze.objects.get_or_create(**which, defaults=fields)
            if not created:
                return freeze
        else:
            freeze = Freeze.objects.create(system=system, cause=cause, imposed_by=by, **fields)
        _tell(
            freeze,
            topic="operations.frozen",
            title=f"{system.name} is frozen",
            body=f"{reason} No canary starts and nothing is promoted until a mitigation is recorded and confirmed.",
            key=f"frozen:{freeze.pk}",
            now=now,
        )
        emit("operations.frozen", subject=f"freeze:{freeze.pk}", payload={"system": system.slug}, now=now)
        _record("freeze.imposed", freeze, by=by, now=now, payload={"cause": cause, "reason": reason})
    return freeze


def record_mitigation(*, freeze: Freeze, text: str, by: User, now: datetime, release_label: str = "") -> Freeze:
    """Records what was done about the cause, and which release is the fix, if one is. Written anew, what others had
    confirmed counts no longer: they confirmed another text."""
    with transaction.atomic():
        row = _locked(freeze)
        refuse(rules.record_mitigation(row.state, person(by, system=row.system, now=now)))
        row.mitigation, row.mitigation_release = text, release_label
        row.mitigation_by, row.mitigation_at = by, now
        row.confirmed_engineering_by = row.confirmed_operations_by = None
        row.confirmed_engineering_at = row.confirmed_operations_at = None
        row.save()
        _record("freeze.mitigated", row, by=by, now=now, payload={"mitigation": text, "release": release_label})
    return row


def confirm_mitigation(*, freeze: Freeze, side: str, seen: str, by: User, now: datetime) -> Freeze:
    """Confirms for one side the mitigation whose digest was `seen`. The second confirmation lifts the freeze."""
    with transaction.atomic():
        row = _locked(freeze)
        refuse(rules.confirm_mitigation(row.state, side, person(by, system=row.system, now=now), seen=seen))
        setattr(row, f"confirmed_{side}_by", by)
        setattr(row, f"confirmed_{side}_at", now)
        lifted = row.confirmed_engineering_by is not None and row.confirmed_operations_by is not None
        row.lifted_at = now if lifted else None
        row.save()
        if lifted:
            _tell(
                row,
                topic="operations.freeze-lifted",
                title=f"The freeze of {row.system.name} is lifted",
                body=f"What was done: {row.mitigation}",
                key=f"freeze-lifted:{row.pk}",
                now=now,
            )
            emit("operations.freeze-lifted", subject=f"freeze:{row.pk}", payload={"system": row.system.slug}, now=now)
        _record("freeze.confirmed", row, by=by, now=now, payload={"side": side, "mitigation_digest": seen})
        if lifted:
            _record("freeze.lifted", row, by=by, now=now, payload={"mitigation_digest": seen})
    return row


def _locked(freeze: Freeze) -> Freeze:
    return Freeze.objects.select_for_update(of=("self",)).select_related("system").get(pk=freeze.pk)


def _tell(freeze: Freeze, *, topic: str, title: str, body: str, key: str, now: datetime) -> None:
    system = freeze.system
    notify(
        topic=topic,
        system=system,
        subject=f"freeze:{freeze.pk}",
        title=title,
        body=body,
        url=reverse("operations:system", args=[system.slug]),
        now=now,
        roles=WHO,
        key=key,
    )


def _record(kind: str, freeze: Freeze, *, by: User | None, now: datetime, payload: Mapping[str, object]) -> None:
    append(
        kind=kind,
        by=by or SYSTEM,
        subject=f"freeze:{freeze.pk}",
        system=freeze.system.slug,
        now=now,
        payload=payload,
    )
