"""Working on the checklist: assign, attach, verify, send back, comment, answer."""

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings

from accounts.models import User
from accounts.queries import is_member
from audit import canonical, ledger, vault
from audit.actors import Actor
from jobs.outbox import emit
from releases import rules
from releases.actions.items import item_of, record, save, unverify
from releases.actions.opening import label_of
from releases.errors import InvalidInput, Refused, StateMoved, refuse
from releases.locking import changing
from releases.models import Answer, Comment, Evidence, Item, Release
from releases.people import item_view, person, somebody_else_holds
from releases.standard.load import ItemDef
from releases.standard.published import definition_of


def assign_item(
    *,
    release_id: UUID,
    key: str,
    owner: User | None,
    by: User,
    now: datetime,
    due_at: datetime | None = None,
    revision: int | None = None,
) -> Item:
    """Who does it, and until when."""
    with changing(release_id, by=by, now=now, why=f"“{key}” was assigned.") as release:
        return _assign(release, key, owner, due_at, revision, by=by, now=now)


def assign_items(
    *,
    release_id: UUID,
    items: Mapping[str, int],
    owner: User | None,
    by: User,
    now: datetime,
    due_at: datetime | None = None,
) -> list[Item]:
    """Several at once, each at the revision that was seen: all of them, or none."""
    if not items:
        raise InvalidInput("Choose at least one item.")
    with changing(release_id, by=by, now=now, why=f"{len(items)} items were assigned.") as release:
        return [_assign(release, key, owner, due_at, seen, by=by, now=now) for key, seen in sorted(items.items())]


def _assign(
    release: Release,
    key: str,
    owner: User | None,
    due_at: datetime | None,
    revision: int | None,
    *,
    by: User,
    now: datetime,
) -> Item:
    item, definition = item_of(release, key, revision)
    refuse(rules.assign_refusals(person(by, release, now=now), item_view(item, definition, release)))
    if owner is not None and not is_member(owner, system=release.system.slug, now=now):
        raise InvalidInput(f"{owner} holds no role on this system, so cannot own one of its items.")
    before = item.owner
    item.owner, item.due_at = owner, due_at
    save(item, "owner", "due_at")
    record(
        "item.assigned",
        item,
        release,
        by=by,
        now=now,
        owner=owner and owner.actor_id,
        before=before and before.actor_id,
        due_at=due_at,
    )
    return item


def comment_item(*, release_id: UUID, key: str, text: str, by: User, now: datetime) -> Comment:
    """Words beside an item. They change nothing, so whoever sees the release may leave some, at any time."""
    with changing(release_id, by=by, now=now, why="A comment changes nothing.") as release:
        item, _ = item_of(release, key, None)
        if not is_member(by, system=release.system.slug, now=now):
            raise Refused("Only people of this system comment on its items.")
        if not text.strip() or len(text) > 5000:
            raise InvalidInput("A comment has words, and at most 5,000 characters.")
        comment = Comment.objects.create(item=item, text=text.strip(), by=by, at=now)
        record("item.commented", item, release, by=by, now=now, text=comment.text)
        return comment


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
    title = cleaned_name(title)
    with changing(release_id, by=by, now=now, why=f"New evidence was attached to “{key}”.") as release:
        item, definition = item_of(release, key, revision)
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
            title=title,
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
        unverify(item, sent_back="", stale="")
        _record_evidence(evidence, release, by=by, now=now, replaced=replace)
        emit("releases.evidence-attached", subject=item.subject, payload=label_of(release) | {"item": key}, now=now)
        return evidence


def keep_carried(
    release: Release, key: str, evidence: Iterable[Evidence], *, before: Release, by: User, now: datetime
) -> list[Evidence]:
    """The same bytes, attached again (`actions.carrying`, which holds the lock). It lapses as it would have."""
    item, _ = item_of(release, key, None)
    made = [
        Evidence.objects.create(
            item=item,
            kind=one.kind,
            title=one.title,
            digest=one.digest,
            media_type=one.media_type,
            size=one.size,
            url=one.url,
            note=one.note,
            attached_by=by,
            attached_at=now,
            valid_until=one.valid_until,
            carried_from=one,
        )
        for one in evidence
    ]
    unverify(item, sent_back="", stale="")
    digests = [one.digest for one in made]
    record("item.evidence-carried", item, release, by=by, now=now, digests=digests, from_release=before.label)
    emit("releases.evidence-attached", subject=item.subject, payload=label_of(release) | {"item": key}, now=now)
    return made


def _record_evidence(evidence: Evidence, release: Release, *, by: User, now: datetime, replaced: bool) -> None:
    record(
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


def cleaned_name(title: str) -> str:
    """A title that shows what it says: no control characters, no marks that turn the reading direction round."""
    shown = "".join(char for char in title if unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    return " ".join(shown.split())[:200] or "Untitled"


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


def verify_item(
    *, release_id: UUID, key: str, digests: list[str], by: User, now: datetime, revision: int | None = None
) -> Item:
    """Confirms exactly the evidence whose digests were shown. Other evidence by now: refused, and shown again."""
    with changing(release_id, by=by, now=now, why=f"“{key}” was verified.") as release:
        item, definition = item_of(release, key, revision)
        others = somebody_else_holds(definition, release, besides=by, now=now)
        view = item_view(item, definition, release)
        refuse(rules.verify_refusals(person(by, release, now=now), view, somebody_else_holds=others))
        living = sorted(item.evidence.filter(superseded_at=None).values_list("digest", flat=True))
        if sorted(digests) != living:
            raise StateMoved("The evidence changed while you looked at it. Check what is there now, then verify that.")
        item.verified_by, item.verified_at, item.verified_digests = by, now, living
        item.sent_back_reason = item.stale_reason = ""
        save(item, "verified_by", "verified_at", "verified_digests", "sent_back_reason", "stale_reason")
        record("item.verified", item, release, by=by, now=now, digests=living)
        emit("releases.verified", subject=item.subject, payload=label_of(release) | {"item": key}, now=now)
        return item


def send_back(*, release_id: UUID, key: str, reason: str, by: User, now: datetime, revision: int | None = None) -> Item:
    """The evidence does not show what it should: back to the owner, with the reason."""
    with changing(release_id, by=by, now=now, why=f"“{key}” was sent back.") as release:
        item, definition = item_of(release, key, revision)
        others = somebody_else_holds(definition, release, besides=by, now=now)
        view = item_view(item, definition, release)
        refuse(rules.verify_refusals(person(by, release, now=now), view, somebody_else_holds=others))
        if not reason.strip():
            raise InvalidInput("Say what is missing, so that the owner can mend it.")
        unverify(item, sent_back=reason.strip(), stale="")
        record("item.sent-back", item, release, by=by, now=now, reason=reason.strip())
        emit("releases.sent-back", subject=item.subject, payload=label_of(release) | {"item": key}, now=now)
        return item


def answer_question(
    *, release_id: UUID, key: str, value: str, text: str, by: User, now: datetime, evidence: UUID | None = None
) -> Answer:
    """One of the operational questions, in words, with evidence of an item where given. A no is kept, and blocks."""
    with changing(release_id, by=by, now=now, why=f"The answer to “{key}” changed.") as release:
        refuse(rules.edit_refusals(person(by, release, now=now), release_state=release.state))
        if key not in {question.key for question in definition_of(release.standard).questions}:
            raise InvalidInput(f"The standard asks no question {key}.")
        if value not in Answer.Value.values:
            raise InvalidInput("Answer yes or no.")
        if not text.strip():
            raise InvalidInput("Say in a sentence how you know: a bare yes or no is no answer.")
        living = Evidence.objects.filter(item__release=release, superseded_at=None)
        backed_by = living.filter(pk=evidence).first() if evidence else None
        if evidence and backed_by is None:
            raise InvalidInput("This evidence is not attached to an item of this release.")
        before = release.answers.filter(key=key).first()
        answer, _ = Answer.objects.update_or_create(
            release=release,
            key=key,
            defaults={
                "value": value,
                "text": text.strip(),
                "evidence": backed_by,
                "answered_by": by,
                "answered_at": now,
            },
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
                "evidence": backed_by.digest if backed_by else None,
                "before": {"answer": before.value, "text": before.text} if before else None,
            },
        )
        return answer


def attach_measurement(
    *, release_id: UUID, key: str, title: str, measured: object, by: Actor, now: datetime
) -> Evidence:
    """What the product measured for an auto item, frozen beside it. It changes no signature: it is a live fact."""
    with changing(release_id, by=by, now=now, why=f"“{key}” was measured.") as release:
        item, _ = item_of(release, key, None)
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
        record("item.measured", item, release, by=by, now=now, digest=digest, title=title[:200])
        return evidence
