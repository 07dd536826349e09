"""What others ask of systems: contents, policies in force, owners and the gaps between them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, Prefetch, Q, QuerySet

from accounts.models import User
from accounts.queries import living_grants, roles_of
from audit import vault
from audit.canonical import digest_bytes, dumps, loads
from systems.compatibility import breaks
from systems.content import SCHEMAS, read_content
from systems.errors import InvalidContent
from systems.json_text import ContentError, read_json
from systems.kinds import ROLE_AREAS, Area, Kind, reviewer_role
from systems.models import Component, Ownership, Policy, ReleasePolicy, RunningPolicy, System, Version
from systems.rules import Person, PolicyState, VersionState
from web.prepared import Prepared

AS_UPLOADED = (Kind.PROMPT, Kind.DATASET)  # hashed byte by byte; everything else is JSON


def person(user: User, *, system: System | None, now: datetime) -> Person:
    """Whom the rules judge: a user with the roles that they hold on the system (None: for everything) now."""
    return Person(id=str(user.pk), roles=roles_of(user, system=system.slug if system else "", now=now))


def version_state(version: Version) -> VersionState:
    return VersionState(
        state=version.state,
        author=str(version.author_id),
        reviewer_role=reviewer_role(version.component.kind),
        component_retired=version.component.retired_at is not None,
        deprecated_until=version.deprecated_until,
        breaks=tuple(breaks_of(version)[1]) if version.state in ("draft", "in_review") else (),
        has_compatibility_note=bool(version.compatibility_note and version.window_days),
    )


def silent_consumers(version: Version) -> list[str]:
    """Who was told of it and has not said that they have heard."""
    waiting = version.announcements.filter(acknowledged_at=None, consumer__ended_at=None)
    return list(waiting.values_list("consumer__name", flat=True))


def breaks_of(version: Version) -> tuple[int | None, list[str]]:
    """With which version a schema was compared, and what others would break on; nothing for the other kinds."""
    if version.component.kind not in SCHEMAS:
        return None, []
    return _breaks(version.component, content_of(version), before=version.number)


def would_break(component: Component, content: bytes) -> tuple[int | None, list[str]]:
    """The same for a content that is no version yet. What cannot be read is refused, as it would be when drafted."""
    try:
        read_content(component.kind, content)
    except ContentError as error:
        raise InvalidContent(error) from error
    return _breaks(component, content) if component.kind in SCHEMAS else (None, [])


def _breaks(component: Component, content: bytes, *, before: int | None = None) -> tuple[int | None, list[str]]:
    """Compared with the newest version in use: what others rely on now."""
    in_use = component.versions.filter(state__in=[Version.State.APPROVED, Version.State.DEPRECATED])
    older = in_use.filter(number__lt=before) if before is not None else in_use
    found = older.order_by("-number").first()
    if found is None:
        return None, []
    gaps = breaks(loads(content_of(found)), loads(content), output=component.kind == Kind.OUTPUT_SCHEMA)
    return found.number, [str(gap) for gap in gaps]


def policy_state(policy: Policy) -> PolicyState:
    def who(user_id: object) -> str | None:
        return str(user_id) if user_id else None

    return PolicyState(
        state=policy.state,
        author=who(policy.author_id),
        weakens=tuple(policy.weakens),
        approver=who(policy.approver_id),
        platform_approver=who(policy.platform_approver_id),
    )


def content_of(version: Version) -> bytes:
    """The bytes exactly as they were uploaded. Whoever shows or uses them may check them with `is_intact`."""
    if version.content is not None:
        return bytes(version.content)
    return vault.get(version.vault_digest)


def hashed_bytes(version: Version) -> bytes:
    """What the version's SHA-256 is over: of JSON its canonical form, of text and data sets the upload itself."""
    content = content_of(version)
    return content if version.component.kind in AS_UPLOADED else dumps(read_json(content).value)


def is_intact(version: Version, content: bytes) -> bool:
    """Whether the stored bytes still hash to what was reviewed."""
    if version.component.kind in AS_UPLOADED:
        return digest_bytes(content) == version.sha256
    try:
        return read_content(version.component.kind, content).sha256 == version.sha256
    except ValueError:
        return False


def release_policy_of(system: System) -> ReleasePolicy:
    return ReleasePolicy.objects.get(system=system, state=Policy.State.APPROVED)


def running_policy_of(system: System) -> RunningPolicy:
    return RunningPolicy.objects.get(system=system, state=Policy.State.APPROVED)


def components_of(system: System) -> QuerySet[Component]:
    """Components with their versions (contents left out), in two queries however many there are."""
    versions = Version.objects.defer("content").select_related("author", "reviewer").order_by("-number")
    return Component.objects.filter(system=system).prefetch_related(Prefetch("versions", versions))


@dataclass(frozen=True)
class Owned:
    """One line of the ownership map. `gap` says what is missing; empty: nothing."""

    area: Area
    user: User | None
    since: datetime | None
    gap: str
    acknowledged_at: datetime | None = None


def _with_roles(named: QuerySet[Ownership], *, now: Any) -> QuerySet[Any]:
    """With the roles that each owner holds on the system now."""
    grants = living_grants(now=now).filter(Q(system="") | Q(system=OuterRef("system__slug")), user=OuterRef("user"))
    return named.select_related("user").annotate(roles=ArraySubquery(grants.values("role")))


_named = Prepared(lambda system, now: _with_roles(Ownership.objects.filter(system=system), now=now))


def ownership_map(system: System, *, now: datetime) -> list[Owned]:
    """Every area with its owner. A removed owner is a gap, however the row reads."""
    return _map(system, _named(system=system.pk, now=now))


def ownership_maps(systems: Sequence[System], *, now: datetime) -> dict[UUID, list[Owned]]:
    """The maps of several systems, in one query however many there are."""
    rows: dict[UUID, list[Any]] = {system.pk: [] for system in systems}
    for row in _with_roles(Ownership.objects.filter(system__in=systems), now=now):
        rows[row.system_id].append(row)
    return {system.pk: _map(system, rows[system.pk]) for system in systems}


def _map(system: System, named: Iterable[Any]) -> list[Owned]:
    rows = {row.area: row for row in named}
    return [_owned(area, rows.get(area)) for area in areas_of(system)]


def areas_of(system: System) -> list[Area]:
    """Compliance is asked for where there is regulated data."""
    return [area for area in Area if area != Area.COMPLIANCE or system.has_regulated_data]


def ownership_gaps(system: System, *, now: datetime) -> tuple[str, ...]:
    """What the gate blocks on: each area without an owner who can act."""
    return tuple(f"{owned.area.label}: {owned.gap}" for owned in ownership_map(system, now=now) if owned.gap)


def _owned(area: Area, row: Any) -> Owned:
    if row is None:
        return Owned(area, None, None, "nobody is named")
    if not row.user.is_active:
        gap = f"{row.user} has left"
    elif area in ROLE_AREAS and area.value not in row.roles:
        gap = f"{row.user} does not hold the role {area.label.lower()}"
    elif not row.roles:
        gap = f"{row.user} holds no role on this system"
    else:
        gap = ""
    return Owned(area, row.user, row.since, gap, row.acknowledged_at)
