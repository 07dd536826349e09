"""Who builds on a component: told of each new version, and heard to have taken note."""

from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.models import User
from audit import ledger
from jobs.outbox import emit
from systems import rules
from systems.errors import InvalidInput, Refused, refuse
from systems.models import Announcement, Component, Consumer, Version
from systems.registry import person


@transaction.atomic
def add_consumer(
    *, component: Component, name: str, by: User, now: datetime, contact: User | None = None, reached_at: str = ""
) -> Consumer:
    system = component.system
    refuse(rules.edit(person(by, system=system, now=now)))
    if not name.strip() or len(name.strip()) > 120:
        raise InvalidInput("Name the consumer: a service or a team, in at most 120 characters.")
    if contact is None and not reached_at.strip():
        raise InvalidInput("Say who acknowledges for them, or where they are reached.")
    if contact is not None and not contact.is_active:
        raise InvalidInput(f"{contact} has left. Name somebody who is here.")
    try:
        with transaction.atomic():
            consumer = Consumer.objects.create(
                component=component,
                name=name.strip(),
                contact=contact,
                reached_at=reached_at.strip()[:200],
                added_by=by,
                added_at=now,
            )
    except IntegrityError as error:
        raise Refused(f"{name.strip()} is a consumer of {component} already.") from error
    _record("consumer.added", consumer, by=by, now=now, contact=contact and contact.actor_id)
    return consumer


@transaction.atomic
def end_consumer(*, consumer: Consumer, by: User, now: datetime) -> Consumer:
    """It builds on the component no longer. What it acknowledged is kept."""
    consumer = Consumer.objects.select_for_update(of=("self",)).select_related("component__system").get(pk=consumer.pk)
    refuse(rules.edit(person(by, system=consumer.component.system, now=now)))
    if consumer.ended_at is not None:
        raise Refused(f"{consumer} was taken off the list already.")
    consumer.ended_at = now
    consumer.save(update_fields=["ended_at"])
    _record("consumer.ended", consumer, by=by, now=now)
    return consumer


def announce(version: Version, *, by: User, now: datetime) -> list[Announcement]:
    """Tells every consumer of an approved version; part of the approval, in its transaction."""
    made = Announcement.objects.bulk_create(
        Announcement(version=version, consumer=consumer, announced_at=now)
        for consumer in version.component.consumers.filter(ended_at=None)
    )
    if made:
        component = version.component
        told = {
            "system": component.system.slug,
            "kind": component.kind,
            "component": component.name,
            "number": version.number,
            "consumers": [announcement.consumer.name for announcement in made],
            "breaks": version.breaks,
            "compatibility_note": version.compatibility_note,
            "window_days": version.window_days,
        }
        subject = f"version:{version.pk}"
        ledger.append(
            kind="version.announced", by=by, subject=subject, system=component.system.slug, now=now, payload=told
        )
        contacts = [str(one.consumer.contact_id) for one in made if one.consumer.contact_id]
        emit("systems.version-announced", subject=subject, payload=told | {"contacts": contacts}, now=now)
    return made


@transaction.atomic
def acknowledge(*, announcement: Announcement, by: User, now: datetime, note: str = "") -> Announcement:
    found = Announcement.objects.select_for_update(of=("self",)).select_related(
        "version__component__system", "consumer"
    )
    announcement = found.get(pk=announcement.pk)
    component = announcement.version.component
    contact = announcement.consumer.contact_id
    refuse(
        rules.acknowledge(
            person(by, system=component.system, now=now),
            contact=str(contact) if contact else None,
            note=note,
            done=announcement.acknowledged_at is not None,
        )
    )
    announcement.acknowledged_by, announcement.acknowledged_at, announcement.note = by, now, note.strip()
    announcement.save(update_fields=["acknowledged_by", "acknowledged_at", "note"])
    ledger.append(
        kind="version.acknowledged",
        by=by,
        subject=f"version:{announcement.version_id}",
        system=component.system.slug,
        now=now,
        payload={"consumer": announcement.consumer.name, "number": announcement.version.number, "note": note.strip()},
    )
    return announcement


def _record(kind: str, consumer: Consumer, *, by: User, now: datetime, **more: object) -> None:
    component = consumer.component
    ledger.append(
        kind=kind,
        by=by,
        subject=f"component:{component.pk}",
        system=component.system.slug,
        now=now,
        payload={"consumer": consumer.name, "component": component.name, "kind": component.kind, **more},
    )
