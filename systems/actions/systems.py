"""Making a system and saying who answers for it."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import User
from audit import canonical, ledger, vault
from jobs.outbox import emit
from systems import rules
from systems.errors import InvalidInput, Refused, refuse
from systems.kinds import Area
from systems.models import Ownership, ReleasePolicy, RunningPolicy, System
from systems.policy import SHIPPED_RELEASE_BARS, SHIPPED_RUNNING_LIMITS, Thresholds
from systems.registry import Owned, ownership_map, person

SHIPPED_REASON = (
    "The defaults that the product ships. No person has approved them yet; they apply until one does better."
)

RESERVED = frozenset({"new"})


@transaction.atomic
def create_system(
    *,
    slug: str,
    name: str,
    by: User,
    now: datetime,
    description: str = "",
    time_zone: str = "UTC",
    ticket_url_template: str = "",
    has_regulated_data: bool = False,
    owners: Mapping[str, User] | None = None,
    is_demo: bool = False,
) -> System:
    """A system, its first owners, and the shipped policies in force as version 1 of each part."""
    refuse(rules.create_system(person(by, system=None, now=now)))
    system = System(
        slug=slug.strip(),
        name=name.strip(),
        description=description.strip(),
        time_zone=time_zone,
        ticket_url_template=ticket_url_template.strip(),
        has_regulated_data=has_regulated_data,
        is_demo=is_demo or by.is_demo,
        created_by=by,
        created_at=now,
    )
    _check(system)
    try:
        with transaction.atomic():
            system.save(force_insert=True)
    except IntegrityError as error:
        raise Refused(f"There is a system {system.slug} already.") from error
    bars = _ship(ReleasePolicy(system=system), SHIPPED_RELEASE_BARS, now=now)
    limits = _ship(RunningPolicy(system=system), SHIPPED_RUNNING_LIMITS, now=now)
    ledger.append(
        kind="system.created",
        by=by,
        subject=f"system:{system.slug}",
        system=system.slug,
        now=now,
        payload={
            "name": system.name,
            "time_zone": system.time_zone,
            "regulated_data": system.has_regulated_data,
            "demo": system.is_demo,
            "release_policy_sha256": bars.sha256,
            "running_policy_sha256": limits.sha256,
        },
    )
    emit("systems.created", subject=f"system:{system.slug}", payload={"system": system.slug}, now=now)
    for area, user in (owners or {}).items():
        _assign(system, area, user, by=by, now=now)
    return system


@transaction.atomic
def change_system(
    *,
    system: System,
    by: User,
    now: datetime,
    name: str,
    description: str = "",
    time_zone: str = "UTC",
    ticket_url_template: str = "",
    has_regulated_data: bool = False,
) -> System:
    """What may change of a system: all but its slug."""
    system = System.objects.select_for_update().get(pk=system.pk)
    refuse(rules.assign_ownership(person(by, system=system, now=now)))
    wanted = {
        "name": name.strip(),
        "description": description.strip(),
        "time_zone": time_zone,
        "ticket_url_template": ticket_url_template.strip(),
        "has_regulated_data": has_regulated_data,
    }
    changed = {field: value for field, value in wanted.items() if getattr(system, field) != value}
    if not changed:
        return system
    for field, value in changed.items():
        setattr(system, field, value)
    _check(system)
    system.save(update_fields=list(changed))
    ledger.append(
        kind="system.changed", by=by, subject=f"system:{system.slug}", system=system.slug, now=now, payload=changed
    )
    return system


@transaction.atomic
def assign_ownership(*, system: System, area: str, user: User, by: User, now: datetime) -> Ownership:
    """Names who answers for an area. Whether they hold the role for it is shown as a gap, not refused: often the name
    is known before the role is granted."""
    refuse(rules.assign_ownership(person(by, system=system, now=now)))
    return _assign(system, area, user, by=by, now=now)


def _assign(system: System, area: str, user: User, *, by: User, now: datetime) -> Ownership:
    if area not in Area.values:
        raise InvalidInput(f"There is no area {area!r}.")
    if not user.is_active:
        raise InvalidInput(f"{user} has left. Name somebody who is here.")
    if user.is_demo and not system.is_demo:
        raise InvalidInput(f"{user} belongs to the demo, and answers for its systems only.")
    System.objects.select_for_update().get(pk=system.pk)  # two assignments of one area: one after the other
    before = Ownership.objects.filter(system=system, area=area).first()
    if before is not None and before.user_id == user.pk:
        return before
    named = {"user": user, "since": now, "acknowledged_at": None}
    row, _ = Ownership.objects.update_or_create(system=system, area=area, defaults=named)
    ledger.append(
        kind="ownership.assigned",
        by=by,
        subject=f"system:{system.slug}",
        system=system.slug,
        now=now,
        payload={"area": area, "user": user.actor_id, "before": f"user:{before.user_id}" if before else None},
    )
    emit(
        "systems.ownership-changed",
        subject=f"system:{system.slug}",
        payload={"system": system.slug, "area": area, "user": str(user.pk)},
        now=now,
    )
    return row


@transaction.atomic
def acknowledge_ownership(*, system: System, by: User, now: datetime) -> list[Ownership]:
    """A person says that they answer for what they are named for. The word of the last one completes the map: it is
    kept as a record, which the checklist's item takes as its evidence."""
    system = System.objects.select_for_update().get(pk=system.pk)
    said = list(Ownership.objects.filter(system=system, user=by, acknowledged_at=None).order_by("area"))
    if not said:
        raise Refused(f"You are not named for anything of {system}, or have said so already.")
    Ownership.objects.filter(pk__in=[row.pk for row in said]).update(acknowledged_at=now)
    ledger.append(
        kind="ownership.acknowledged",
        by=by,
        subject=f"system:{system.slug}",
        system=system.slug,
        now=now,
        payload={"areas": [row.area for row in said]},
    )
    owned = ownership_map(system, now=now)
    if all(one.acknowledged_at and not one.gap for one in owned):
        _keep_map(system, owned, now=now)
    return said


def _keep_map(system: System, owned: list[Owned], *, now: datetime) -> None:
    """Everybody's words in one record. It is attached in the name of operations' owner, whose item it is."""
    by = next(one.user for one in owned if one.area == Area.OPERATIONS)
    assert by is not None
    lines = [
        {
            "name": one.area.value,
            "label": one.area.label,
            "value": f"{one.user}, acknowledged {one.acknowledged_at:%Y-%m-%d %H:%M} UTC",
        }
        for one in owned
    ]
    record = {"type": "readiness/record/v1", "record": "acknowledgement", "system": system.slug, "fields": lines}
    content = canonical.dumps(canonical.plain(record))
    digest = vault.put(content, kind="record", media_type="application/json", now=now, system=system.slug)
    told = {"system": system.slug, "digest": digest, "by": by.actor_id, "title": f"Ownership map of {system}"}
    emit("systems.ownership-acknowledged", subject=f"system:{system.slug}", payload=told, now=now)


def _ship[P: ReleasePolicy | RunningPolicy](policy: P, thresholds: Thresholds, *, now: datetime) -> P:
    policy.number, policy.shipped, policy.reason = 1, True, SHIPPED_REASON
    policy.body = thresholds.body()
    policy.sha256 = canonical.digest(policy.body)
    policy.state, policy.created_at, policy.approved_at = policy.State.APPROVED, now, now
    policy.save(force_insert=True)
    return policy


def _check(system: System) -> None:
    reasons = []
    try:
        system.clean_fields(exclude=["created_by"])
    except ValidationError as error:
        reasons = [
            f"{field.replace('_', ' ').capitalize()}: {' '.join(found)}" for field, found in error.message_dict.items()
        ]
    if system.time_zone not in available_timezones():
        reasons.append(f"{system.time_zone} is no time zone. Write one such as UTC or Europe/Berlin.")
    if system.slug in RESERVED:
        reasons.append(f"{system.slug} is the address of a page. Choose another slug.")
    template = system.ticket_url_template
    if template and not template.startswith(("https://", "http://")):
        reasons.append("The ticket address begins with https:// or http://.")
    if reasons:
        raise InvalidInput(reasons[0], reasons=reasons)
