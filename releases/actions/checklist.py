"""Working on the checklist: assign, attach, verify, send back, not applicable, answer."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from accounts.models import User
from accounts.queries import is_member
from audit import canonical, ledger, vault
from audit.actors import Actor
from jobs.outbox import emit
from releases import rules
from releases.actions.opening import label_of
from releases.errors import InvalidInput, StateMoved, refuse
from releases.locking import changing
from releases.models import Answer, Evidence, Item, Release
from releases.people import item_view, person, somebody_else_holds
from releases.standard.load import ItemDef
from releases.standard.published import definition_of


def _item(release: Release, key: str, revision: int | None) -> tuple[Item, ItemDef]:
    """The item under the release's lock, and what the standard says of it."""
    item = release.items.select_related("owner", "verified_by").filter(key=key).first()
    if item is None:
        raise InvalidInput(f"This release has no item {key}.")
    if revision is not None and item.revision != revision:
        raise StateMoved(
            f"“{key}” was changed while you looked at it. It is shown as it is now: check it, then send yours again.",
            revision=item.revision,
        )
    return item, definition_of(release.standard).item(key)


def _record(
    kind: str, item: Item, release: Release, *, by: Actor, now: datetime, via: str = "", **payload: object
) -> None:
    ledger.append(
        kind=kind,
        by=by,
        subject=item.subject,
        system=release.system.slug,
        now=now,
        via=via,
        payload={"release": str(release.pk), "label": release.label, "item": item.key, **payload},
    )


def _save(item: Item, *fields: str) -> None:
    item.revision += 1
    item.save(update_fields=[*fields, "revision"])


def assign_item(
    *, release_id: UUID, key: str, owner: User | None, by: User, now: datetime, revision: int | None = None
) -> Item:
    with changing(release_id, by=by, now=now, why=f"“{key}” was assigned.") as release:
        item, definition = _item(release, key, revision)
        refuse(rules.assign_refusals(person(by, release, now=now), item_view(item, definition, release)))
        if owner is not None and not is_member(owner, system=release.system.slug, now=now):
            raise InvalidInput(f"{owner} holds no role on this system, so cannot own one of its items.")
        before = item.owner
        item.owner = owner
        _save(item, "owner")
        _record(
            "item.assigned",
            item,
            release,
            by=by,
            now=now,
            owner=owner and owner.actor_id,
            before=before and before.actor_id,
        )
        return item


def attach_evidence(
    *,
    release_id: UUID,
    key: str,
    kind: str,
    title: str,
    content: bytes,
    media_type: str,
    by: User,
    now: datetime,
    url: str = "",
    note: str = "",
    via: str = "",
    revision: int | None = None,
    replace: bool = False,
) -> Evidence:
    """Stores the bytes by their digest and attaches them. What was verified before has to be verified again.

    `replace` supersedes what is there; otherwise the new one stands beside it.
    """
    _check_size(content)
    with changing(release_id, by=by, now=now, why=f"New evidence was attached to “{key}”.") as release:
        item, definition = _item(release, key, revision)
        refuse(rules.attach_refusals(person(by, release, now=now), item_view(item, definition, release)))
        _check_kind(kind, definition)
        digest = vault.put(content, kind="evidence", media_type=media_type, now=now, system=release.system.slug)
        living = item.evidence.filter(superseded_at=None)
        if same := living.filter(digest=digest).first():
            return same
        if replace:
            living.update(superseded_at=now)
        evidence = Evidence.objects.create(
            item=item,
            kind=kind,
            title=title.strip()[:200] or "Untitled",
            digest=digest,
            media_type=media_type,
            size=len(content),
            url=url,
            note=note.strip(),
            attached_by=by,
            via=via,
            attached_at=now,
            valid_until=_valid_until(definition, now),
        )
        _unverify(item, sent_back="", stale="")
        _record_evidence(evidence, release, by=by, now=now, replaced=replace)
        emit("releases.evidence-attached", subject=item.subject, payload=label_of(release) | {"item": key}, now=now)
        return evidence


def _record_evidence(evidence: Evidence, release: Release, *, by: User, now: datetime, replaced: bool) -> None:
    _record(
        "item.evidence-attached",
        evidence.item,
        release,
        by=by,
        now=now,
        via=evidence.via,
        evidence=str(evidence.pk),
        title=evidence.title,
        digest=evidence.digest,
        evidence_kind=evidence.kind,
        media_type=evidence.media_type,
        size=evidence.size,
        url=evidence.url,
        replaced=replaced,
    )


def _check_size(content: bytes) -> None:
    if not content:
        raise InvalidInput("The file is empty. Evidence has content.")
    if len(content) > settings.EVIDENCE_MAX_BYTES:
        limit = settings.EVIDENCE_MAX_BYTES // 2**20
        raise InvalidInput(f"Evidence is limited to {limit} MiB. Attach a link with a digest instead.")


def _check_kind(kind: str, definition: ItemDef) -> None:
    accepted = {entry.partition(":")[0] for entry in definition.evidence}
    if kind not in accepted:
        raise InvalidInput(f"This item accepts {' or '.join(sorted(accepted))}, not {kind or 'nothing'}.")


def _valid_until(definition: ItemDef, now: datetime) -> datetime | None:
    return now + timedelta(days=definition.validity_days) if definition.validity_days else None


def _unverify(item: Item, *, sent_back: str, stale: str) -> None:
    item.verified_by, item.verified_at, item.verified_digests = None, None, []
    item.sent_back_reason, item.stale_reason = sent_back, stale
    _save(item, "verified_by", "verified_at", "verified_digests", "sent_back_reason", "stale_reason")


def verify_item(
    *, release_id: UUID, key: str, digests: list[str], by: User, now: datetime, revision: int | None = None
) -> Item:
    """Confirms exactly the evidence whose digests were shown. Other evidence by now: refused, and shown again."""
    with changing(release_id, by=by, now=now, why=f"“{key}” was verified.") as release:
        item, definition = _item(release, key, revision)
        others = somebody_else_holds(definition, release, besides=by, now=now)
        view = item_view(item, definition, release)
        refuse(rules.verify_refusals(person(by, release, now=now), view, somebody_else_holds=others))
        living = sorted(item.evidence.filter(superseded_at=None).values_list("digest", flat=True))
        if sorted(digests) != living:
            raise StateMoved("The evidence changed while you looked at it. Check what is there now, then verify that.")
        item.verified_by, item.verified_at, item.verified_digests = by, now, living
        item.sent_back_reason = item.stale_reason = ""
        _save(item, "verified_by", "verified_at", "verified_digests", "sent_back_reason", "stale_reason")
        _record("item.verified", item, release, by=by, now=now, digests=living)
        emit("releases.verified", subject=item.subject, payload=label_of(release) | {"item": key}, now=now)
        return item


def send_back(*, release_id: UUID, key: str, reason: str, by: User, now: datetime, revision: int | None = None) -> Item:
    """The evidence does not show what it should: back to the owner, with the reason."""
    with changing(release_id, by=by, now=now, why=f"“{key}” was sent back.") as release:
        item, definition = _item(release, key, revision)
        others = somebody_else_holds(definition, release, besides=by, now=now)
        view = item_view(item, definition, release)
        refuse(rules.verify_refusals(person(by, release, now=now), view, somebody_else_holds=others))
        if not reason.strip():
            raise InvalidInput("Say what is missing, so that the owner can mend it.")
        _unverify(item, sent_back=reason.strip(), stale="")
        _record("item.sent-back", item, release, by=by, now=now, reason=reason.strip())
        emit("releases.sent-back", subject=item.subject, payload=label_of(release) | {"item": key}, now=now)
        return item


def propose_not_applicable(
    *, release_id: UUID, key: str, reason: str, by: User, now: datetime, revision: int | None = None
) -> Item:
    with changing(release_id, by=by, now=now, why=f"“{key}” was proposed as not applicable.") as release:
        item, definition = _item(release, key, revision)
        refuse(rules.propose_refusals(person(by, release, now=now), item_view(item, definition, release)))
        if not reason.strip():
            raise InvalidInput("Say why it does not apply to this release.")
        item.not_applicable_reason, item.not_applicable_by, item.not_applicable_confirmed_by = reason.strip(), by, None
        _save(item, "not_applicable_reason", "not_applicable_by", "not_applicable_confirmed_by")
        _record("item.not-applicable-proposed", item, release, by=by, now=now, reason=reason.strip())
        return item


def confirm_not_applicable(*, release_id: UUID, key: str, by: User, now: datetime, revision: int | None = None) -> Item:
    with changing(release_id, by=by, now=now, why=f"“{key}” was set not applicable.") as release:
        item, definition = _item(release, key, revision)
        others = somebody_else_holds(definition, release, besides=by, now=now)
        view = item_view(item, definition, release)
        refuse(rules.confirm_refusals(person(by, release, now=now), view, somebody_else_holds=others))
        item.not_applicable_confirmed_by = by
        _save(item, "not_applicable_confirmed_by")
        _record("item.not-applicable", item, release, by=by, now=now, reason=item.not_applicable_reason)
        return item


def withdraw_not_applicable(
    *, release_id: UUID, key: str, by: User, now: datetime, revision: int | None = None
) -> Item:
    with changing(release_id, by=by, now=now, why=f"“{key}” applies again.") as release:
        item, definition = _item(release, key, revision)
        refuse(rules.assign_refusals(person(by, release, now=now), item_view(item, definition, release)))
        item.not_applicable_reason, item.not_applicable_by, item.not_applicable_confirmed_by = "", None, None
        _save(item, "not_applicable_reason", "not_applicable_by", "not_applicable_confirmed_by")
        _record("item.applicable", item, release, by=by, now=now)
        return item


def answer_question(*, release_id: UUID, key: str, value: str, text: str, by: User, now: datetime) -> Answer:
    """One of the operational questions, in words. A no is kept, and blocks."""
    with changing(release_id, by=by, now=now, why=f"The answer to “{key}” changed.") as release:
        refuse(rules.edit_refusals(person(by, release, now=now), release_state=release.state))
        if key not in {question.key for question in definition_of(release.standard).questions}:
            raise InvalidInput(f"The standard asks no question {key}.")
        if value not in Answer.Value.values:
            raise InvalidInput("Answer yes or no.")
        if not text.strip():
            raise InvalidInput("Say in a sentence how you know: a bare yes or no is no answer.")
        before = release.answers.filter(key=key).first()
        answer, _ = Answer.objects.update_or_create(
            release=release,
            key=key,
            defaults={"value": value, "text": text.strip(), "answered_by": by, "answered_at": now},
        )
        ledger.append(
            kind="release.question-answered",
            by=by,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={
                "question": key,
                "answer": value,
                "text": text.strip(),
                "before": {"answer": before.value, "text": before.text} if before else None,
            },
        )
        return answer


def attach_measurement(
    *, release_id: UUID, key: str, title: str, measured: object, by: Actor, now: datetime
) -> Evidence:
    """What the product measured for an auto item, frozen beside it. It changes no signature: it is a live fact."""
    with changing(release_id, by=by, now=now, why=f"“{key}” was measured.") as release:
        item, _ = _item(release, key, None)
        content = canonical.dumps(canonical.plain(measured))
        digest = vault.put(
            content, kind="measurement", media_type="application/json", now=now, system=release.system.slug
        )
        living = item.evidence.filter(superseded_at=None)
        if same := living.filter(digest=digest).first():
            return same
        living.update(superseded_at=now)
        evidence = Evidence.objects.create(
            item=item,
            kind=Evidence.Kind.MEASUREMENT,
            title=title[:200],
            digest=digest,
            media_type="application/json",
            size=len(content),
            attached_at=now,
        )
        _record("item.measured", item, release, by=by, now=now, digest=digest, title=title[:200])
        return evidence
