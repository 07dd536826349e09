"""Components and their versions: drafted by one person, approved by another, never changed afterwards."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import User
from audit import ledger, vault
from jobs.outbox import emit
from systems import rules
from systems.actions.consumers import announce
from systems.content import read_content
from systems.errors import InvalidContent, InvalidInput, Refused, refuse
from systems.json_text import ContentError
from systems.kinds import Kind
from systems.models import Component, System, Version
from systems.profile import IN_PROFILE, push_profile
from systems.registry import breaks_of, person, version_state

# It stands in addresses and in pipelines.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# Above this, and datasets always (they may hold what people wrote), content is kept in the vault.
INLINE_BYTES = 256 * 1024


@transaction.atomic
def add_component(*, system: System, kind: str, name: str, by: User, now: datetime) -> Component:
    refuse(rules.edit(person(by, system=system, now=now)))
    name = name.strip()
    if kind not in Kind.values:
        raise InvalidInput(f"There is no kind {kind!r}. It is one of {', '.join(Kind.values)}.")
    if not NAME.fullmatch(name):
        raise InvalidInput("A component's name has letters, digits, dots, dashes and underscores, up to 100.")
    try:
        with transaction.atomic():
            component = Component.objects.create(system=system, kind=kind, name=name, created_by=by, created_at=now)
    except IntegrityError as error:
        raise Refused(f"{system} has a {Kind(kind).label.lower()} named {name} already.") from error
    ledger.append(
        kind="component.added",
        by=by,
        subject=f"component:{component.pk}",
        system=system.slug,
        now=now,
        payload={"kind": kind, "name": name},
    )
    return component


@transaction.atomic
def retire_component(*, component: Component, by: User, now: datetime) -> Component:
    """From now on releases need not pin it. Its versions stay."""
    component = Component.objects.select_for_update(of=("self",)).select_related("system").get(pk=component.pk)
    refuse(rules.edit(person(by, system=component.system, now=now)))
    if component.retired_at is not None:
        raise Refused("It is retired already.")
    component.retired_at = now
    component.save(update_fields=["retired_at"])
    ledger.append(
        kind="component.retired",
        by=by,
        subject=f"component:{component.pk}",
        system=component.system.slug,
        now=now,
        payload={"kind": component.kind, "name": component.name},
    )
    return component


@transaction.atomic
def draft_version(
    *,
    component: Component,
    content: bytes,
    by: User,
    now: datetime,
    meta: Mapping[str, Any] | None = None,
    note: str = "",
) -> Version:
    """The next version. Uploading what the newest one holds already is refused: it would be the same thing twice."""
    component = Component.objects.select_for_update(of=("self",)).select_related("system").get(pk=component.pk)
    retired = component.retired_at is not None
    refuse(rules.draft_version(person(by, system=component.system, now=now), component_retired=retired))
    try:
        found = read_content(component.kind, content, meta)
    except ContentError as error:
        raise InvalidContent(error) from error
    newest = component.versions.order_by("-number").first()
    if newest is not None and newest.sha256 == found.sha256:
        raise Refused(f"Version {newest.number} holds exactly this already.", version=newest.number)
    in_vault = component.kind == Kind.DATASET or len(content) > INLINE_BYTES
    version = Version.objects.create(
        component=component,
        number=newest.number + 1 if newest else 1,
        sha256=found.sha256,
        content=None if in_vault else content,
        vault_digest=_put(component, content, found.media_type, now=now) if in_vault else "",
        size=len(content),
        media_type=found.media_type,
        meta=found.meta,
        note=note.strip(),
        author=by,
        created_at=now,
    )
    _record("version.drafted", version, by=by, now=now, note=version.note)
    return version


def _put(component: Component, content: bytes, media_type: str, *, now: datetime) -> str:
    return vault.put(content, kind="component", media_type=media_type, now=now, system=component.system.slug)


@transaction.atomic
def submit_version(*, version: Version, by: User, now: datetime) -> Version:
    version = _locked(version)
    refuse(rules.submit(person(by, system=version.component.system, now=now), version_state(version)))
    version.state, version.submitted_at = Version.State.IN_REVIEW, now
    version.reviewer = version.reviewed_at = None
    version.save(update_fields=["state", "submitted_at", "reviewer", "reviewed_at"])
    _record("version.submitted", version, by=by, now=now)
    _tell("systems.version-submitted", version, now=now)
    return version


@transaction.atomic
def approve_version(*, version: Version, by: User, now: datetime, note: str = "") -> Version:
    """The second person says yes: from here on the version can be pinned, and the database keeps it as it is."""
    version = _locked(version)
    refuse(rules.approve(person(by, system=version.component.system, now=now), version_state(version)))
    version.state, version.reviewer, version.reviewed_at = Version.State.APPROVED, by, now
    version.review_note = note.strip()
    version.breaks_against, version.breaks = breaks_of(version)
    version.save(update_fields=["state", "reviewer", "reviewed_at", "review_note", "breaks", "breaks_against"])
    _record("version.approved", version, by=by, now=now, note=version.review_note, breaks=version.breaks)
    if version.breaks:
        _open_window(version, by=by, now=now)
    announce(version, by=by, now=now)
    _profile(version, by=by, now=now)
    _tell("systems.version-approved", version, now=now)
    return version


def _open_window(version: Version, *, by: User, now: datetime) -> None:
    """The versions before a breaking one are deprecated with it, and count until its window has ended."""
    until = now + timedelta(days=version.window_days or 0)
    older = version.component.versions.filter(number__lt=version.number, state=Version.State.APPROVED)
    for old in older.select_for_update(of=("self",)).select_related("component__system"):
        old.state, old.deprecated_until = Version.State.DEPRECATED, until
        old.save(update_fields=["state", "deprecated_until"])
        _record("version.deprecated", old, by=by, now=now, until=until)
        _tell("systems.version-deprecated", old, now=now)


@transaction.atomic
def write_compatibility(*, version: Version, text: str, window_days: int, by: User, now: datetime) -> Version:
    """What others have to change because of this version, and how many days the one before still counts."""
    version = _locked(version)
    refuse(rules.write_compatibility(person(by, system=version.component.system, now=now), version_state(version)))
    if not text.strip():
        raise InvalidInput("Say what others have to change, and how.")
    if not 1 <= window_days <= 730:
        raise InvalidInput("The deprecation window has 1 to 730 days.")
    version.compatibility_note, version.window_days = text.strip(), window_days
    version.save(update_fields=["compatibility_note", "window_days"])
    _record("version.compatibility-written", version, by=by, now=now, note=text.strip(), window_days=window_days)
    return version


@transaction.atomic
def send_back_version(*, version: Version, by: User, now: datetime, note: str) -> Version:
    """Back to its author, with what is missing. The correction is another version."""
    version = _locked(version)
    refuse(rules.review(person(by, system=version.component.system, now=now), version_state(version)))
    if not note.strip():
        raise InvalidInput("Say what is missing: its author has nothing else to go by.")
    version.state, version.reviewer, version.reviewed_at = Version.State.DRAFT, by, now
    version.review_note = note.strip()
    version.save(update_fields=["state", "reviewer", "reviewed_at", "review_note"])
    _record("version.sent-back", version, by=by, now=now, note=version.review_note)
    _tell("systems.version-sent-back", version, now=now)
    return version


@transaction.atomic
def deprecate_version(*, version: Version, by: User, now: datetime, days: int = 0) -> Version:
    """Asks everybody to move on within so many days. Releases that pin it keep it."""
    version = _locked(version)
    refuse(rules.deprecate(person(by, system=version.component.system, now=now), version_state(version)))
    if not 0 <= days <= 730:
        raise InvalidInput("The deprecation window has at most 730 days.")
    if not days and version.component.consumers.filter(ended_at=None).exists():
        raise InvalidInput("Others build on this component: give them a deprecation window, in days.")
    until = now + timedelta(days=days) if days else None
    version.state, version.deprecated_until = Version.State.DEPRECATED, until
    version.save(update_fields=["state", "deprecated_until"])
    _record("version.deprecated", version, by=by, now=now, until=until)
    _tell("systems.version-deprecated", version, now=now)
    return version


@transaction.atomic
def retire_version(*, version: Version, by: User, now: datetime) -> Version:
    """Ends it: traffic is no longer checked against it and no release can pin it. It is kept, for the record."""
    version = _locked(version)
    refuse(rules.retire(person(by, system=version.component.system, now=now), version_state(version), now=now))
    version.state = Version.State.RETIRED
    version.save(update_fields=["state"])
    _record("version.retired", version, by=by, now=now)
    _profile(version, by=by, now=now)
    _tell("systems.version-retired", version, now=now)
    return version


def _locked(version: Version) -> Version:
    """Under the lock of its system: the ingest profile is made from all versions, so approvals go one by one."""
    System.objects.select_for_update(of=("self",)).get(components__versions=version.pk)
    return Version.objects.select_for_update(of=("self",)).select_related("component__system").get(pk=version.pk)


def _profile(version: Version, *, by: User, now: datetime) -> None:
    if version.component.kind in IN_PROFILE:
        push_profile(version.component.system, by=by, now=now)


def _record(kind: str, version: Version, *, by: User, now: datetime, note: str = "", **more: object) -> None:
    component = version.component
    payload = {
        "kind": component.kind,
        "component": component.name,
        "number": version.number,
        "sha256": version.sha256,
        "author": f"user:{version.author_id}",
    }
    ledger.append(
        kind=kind,
        by=by,
        subject=f"version:{version.pk}",
        system=component.system.slug,
        now=now,
        payload=payload | ({"note": note} if note else {}) | {name: value for name, value in more.items() if value},
    )


def _tell(topic: str, version: Version, *, now: datetime) -> None:
    component = version.component
    payload = {"system": component.system.slug, "kind": component.kind, "component": component.name,
               "version": str(version.pk), "number": version.number}  # fmt: skip
    emit(topic, subject=f"version:{version.pk}", payload=payload, now=now)
