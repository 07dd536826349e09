"""A team's own standard: drafted, submitted, approved by others than its authors, published; releases moved to it."""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.queries import holders, roles_of
from audit import canonical, ledger
from jobs.outbox import emit
from releases import rules
from releases.actions.opening import label_of
from releases.errors import InvalidInput, Refused, StateMoved, refuse
from releases.gate.rules_v1 import RULES
from releases.locking import changing
from releases.models import Item, Release, StandardDraft, StandardVersion
from releases.models.standard import SHIPPED_LINE
from releases.people import person
from releases.standard.compare import differences, weakenings
from releases.standard.load import StandardDef, StandardError, parse, read
from releases.standard.published import current_standard, definition_of

LINE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,19}")


def read_standard(text: str) -> dict[str, Any]:
    """YAML as a body. What is wrong is told with its line; a rule that the gate does not know as well."""
    try:
        body = read(text)
    except StandardError as error:
        raise InvalidInput(error.reasons[0], reasons=error.reasons) from error
    unknown = [item["key"] for item in body["items"] if item.get("auto_fact") and item["auto_fact"] not in RULES]
    if unknown:
        raise InvalidInput(f"{unknown[0]} names a rule that the gate does not have.", reasons=unknown)
    if not NUMBER.fullmatch(body["number"]):
        raise InvalidInput("A number has letters, digits, dots and dashes, 20 at most, such as acme-1.")
    return body


@transaction.atomic
def draft_standard(*, line: str, text: str, by: User, now: datetime, system: str = "") -> StandardDraft:
    """The next version of a line, from YAML: often a copy of the standard in force, with more in it."""
    refuse(rules.write_standard_refusals(_person(by, system, now)))
    if not LINE.fullmatch(line) or len(line) > 60 or line == SHIPPED_LINE:
        raise InvalidInput(f"A line has lower-case words joined by dashes; {SHIPPED_LINE} is the shipped one.")
    other = StandardVersion.objects.filter(line=line).exclude(system=system).first()
    if other is not None:
        raise InvalidInput(f"The line {line} belongs to {other.system or 'the whole organisation'}.")
    body = read_standard(text)
    _check_number(body)
    try:
        with transaction.atomic():
            draft = StandardDraft.objects.create(
                line=line, system=system, body=body, created_by=by, created_at=now, changed_at=now
            )
    except IntegrityError as error:
        raise Refused(f"Somebody is working on {line} already. Work on that draft.") from error
    draft.authors.add(by)
    _record("standard.drafted", draft, by=by, now=now)
    return draft


@transaction.atomic
def change_draft(*, draft: StandardDraft, text: str, revision: int, by: User, now: datetime) -> StandardDraft:
    draft = _locked(draft)
    refuse(rules.write_standard_refusals(_person(by, draft.system, now)))
    if draft.state != StandardDraft.State.DRAFT:
        raise Refused("It is submitted or decided; it can no longer be changed.")
    if draft.revision != revision:
        raise StateMoved("Somebody saved this draft while you worked on it. Take their text, and add yours again.")
    body = read_standard(text)
    _check_number(body)
    draft.body, draft.changed_at, draft.revision = body, now, draft.revision + 1
    draft.save(update_fields=["body", "changed_at", "revision"])
    draft.authors.add(by)
    _record("standard.changed", draft, by=by, now=now)
    return draft


@transaction.atomic
def submit_standard(*, draft: StandardDraft, by: User, now: datetime) -> StandardDraft:
    draft = _locked(draft)
    refuse(rules.write_standard_refusals(_person(by, draft.system, now)))
    if draft.state != StandardDraft.State.DRAFT:
        raise Refused("Only a draft is submitted.")
    draft.state = StandardDraft.State.SUBMITTED
    draft.save(update_fields=["state"])
    _record("standard.submitted", draft, by=by, now=now, weakens=list(weakened(draft)))
    return draft


@transaction.atomic
def approve_standard(*, draft: StandardDraft, role: str, by: User, now: datetime) -> StandardDraft:
    """Product approves; where a base item is weakened, the platform owner besides. Then it is published."""
    draft = _locked(draft)
    weakens = weakened(draft)
    refuse(approval_refusals(draft, role, by=by, now=now))
    if role == "product":
        draft.approver = by
    else:
        draft.platform_approver = by
    draft.save(update_fields=["approver", "platform_approver"])
    _record("standard.approved", draft, by=by, now=now, role=role, weakens=list(weakens))
    if draft.approver_id and (draft.platform_approver_id or not weakens):
        _publish(draft, weakens, by=by, now=now)
    return draft


def approval_refusals(draft: StandardDraft, role: str, *, by: User, now: datetime) -> tuple[str, ...]:
    return rules.approve_standard_refusals(
        _person(by, draft.system, now),
        role,
        submitted=draft.state == StandardDraft.State.SUBMITTED,
        authors=frozenset(str(pk) for pk in draft.authors.values_list("pk", flat=True)),
        weakens=bool(weakened(draft)),
        others=frozenset(str(pk) for pk in (draft.approver_id, draft.platform_approver_id) if pk),
    )


@transaction.atomic
def decline_standard(*, draft: StandardDraft, reason: str, by: User, now: datetime) -> StandardDraft:
    draft = _locked(draft)
    refuse(rules.write_standard_refusals(_person(by, draft.system, now)))
    if draft.state not in (StandardDraft.State.DRAFT, StandardDraft.State.SUBMITTED):
        raise Refused("It is decided already.")
    if not reason.strip():
        raise InvalidInput("Say why it is given up.")
    draft.state, draft.decline_reason = StandardDraft.State.DECLINED, reason.strip()
    draft.save(update_fields=["state", "decline_reason"])
    _record("standard.declined", draft, by=by, now=now, reason=reason.strip())
    return draft


def weakened(draft: StandardDraft) -> tuple[str, ...]:
    """Compared with the shipped standard in force."""
    return weakenings(definition_of(current_standard()), parse(draft.body))


def _publish(draft: StandardDraft, weakens: tuple[str, ...], *, by: User, now: datetime) -> None:
    StandardVersion.objects.filter(line=draft.line, superseded_at=None).update(superseded_at=now)
    version = StandardVersion.objects.create(
        line=draft.line,
        system=draft.system,
        number=draft.number,
        title=draft.body["title"][:120],
        body=draft.body,
        sha256=canonical.digest(draft.body),
        base=current_standard().number,
        weakens=list(weakens),
        author=draft.created_by,
        approver=draft.approver,
        platform_approver=draft.platform_approver,
        published_at=now,
    )
    draft.state = StandardDraft.State.PUBLISHED
    draft.save(update_fields=["state"])
    _record("standard.published", draft, by=by, now=now, sha256=version.sha256, weakens=list(weakens))
    emit("releases.standard-published", subject=draft.subject, payload={"number": draft.number}, now=now)


def upgrade_standard(*, release_id: UUID, number: str, by: User, now: datetime) -> Release:
    """Moves an open release to another published standard: new items join, changed ones are looked at again, and what
    is no longer asked is kept but not counted."""
    with changing(release_id, by=by, now=now, why=f"The release moved to the standard {number}.") as release:
        refuse(rules.edit_refusals(person(by, release, now=now), release_state=release.state))
        wanted = current_standard(number=number)
        if wanted.system not in ("", release.system.slug):
            raise InvalidInput(f"{number} belongs to another system.")
        if wanted.superseded_at is not None:
            raise InvalidInput(f"{number} is superseded. Move to the version in force.")
        if wanted.pk == release.standard_id:
            return release
        old, new = definition_of(release.standard), definition_of(wanted)
        before, release.standard = release.standard, wanted
        release.save(update_fields=["standard"])
        stale = _fit_checklist(release, old, new, number=number, now=now)
        ledger.append(
            kind="release.standard-changed",
            by=by,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={"before": before.number, "after": number, "sha256": wanted.sha256, "stale": stale},
        )
        emit("releases.standard-changed", subject=release.subject, payload=label_of(release), now=now)
        return release


def _fit_checklist(release: Release, old: StandardDef, new: StandardDef, *, number: str, now: datetime) -> list[str]:
    """Items as the new standard asks for them; the keys of those that have to be looked at again."""
    there = {item.key: item for item in release.items.all()}
    owned = dict(release.system.ownerships.values_list("area", "user_id"))
    for position, item in enumerate(new.items):
        if (row := there.get(item.key)) is not None:
            row.position = position
            row.save(update_fields=["position"])
            continue
        holder = holders(item.owner_role, system=release.system.slug, now=now).values_list("pk", flat=True).first()
        owner = owned.get(item.owner_role) or holder
        Item.objects.create(release=release, key=item.key, position=position, owner_id=owner)
    keys = [change.key for change in differences(old, new).changed if change.asks_otherwise]
    touched = release.items.filter(key__in=keys).exclude(verified_by=None, evidence=None).distinct()
    stale = sorted(touched.values_list("key", flat=True))
    release.items.filter(key__in=stale).update(
        stale_reason=f"The standard {number} asks something else here. Attach new evidence, or verify again.",
        verified_by=None,
        verified_at=None,
        verified_digests=[],
    )
    return stale


def _check_number(body: dict[str, Any]) -> None:
    if StandardVersion.objects.filter(number=body["number"]).exists():
        raise InvalidInput(f"{body['number']} is published already. Give the draft a number of its own.")


def _person(user: User, system: str, now: datetime) -> rules.Person:
    return rules.Person(str(user.pk), roles_of(user, system=system, now=now))


def _locked(draft: StandardDraft) -> StandardDraft:
    return StandardDraft.objects.select_for_update(of=("self",)).get(pk=draft.pk)


def _record(kind: str, draft: StandardDraft, *, by: User, now: datetime, **more: object) -> None:
    payload = {"line": draft.line, "number": draft.number, "body_sha256": canonical.digest(draft.body), **more}
    ledger.append(kind=kind, by=by, subject=draft.subject, system=draft.system, now=now, payload=payload)
