"""One item of a release (releases/item.html)."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse
from django.utils.html import format_html

from accounts.models import User
from accounts.queries import living_grants
from audit import ledger
from releases.forms import AssignForm, AttachForm, CommentForm, NoteForm, RecordForm
from releases.models import Evidence, Item, Release
from releases.presenting.history import events
from releases.presenting.page import drawn
from releases.presenting.probing import probing
from releases.presenting.rows import PHASES, ItemMoves, ShownItem, item_moves, release_url, uuid_or_none
from releases.records import kinds_of, takes
from releases.standard.load import Guidance
from releases.standard.published import definition_of
from releases.untaken import untaken
from web.problems import Problem

BY = {
    "auto": "the product, from what it measures",
    "evidence": "another person",
    "recurring": "another person, again and again",
}


def item_page(
    release: Release, row: ShownItem, *, user: User, now: datetime, error: Problem | None, posted: Any, act: str
) -> dict[str, Any]:
    """The page of an item. A refused form comes back as it was filled in, with what was wrong."""
    moves = item_moves(row.item, release, user=user, now=now)
    accepts = row.definition.evidence
    sent = posted if act == "attach" else None
    recorded = sent.get("record", "") if sent else ""
    older = row.item.evidence.filter(superseded_at__isnull=False).select_related("attached_by").order_by("attached_at")
    return {
        "item": _item(release, row),
        "row": row,
        "error": error,
        "evidence": [evidence(release, one) for one in row.evidence],
        "older": [evidence(release, one) for one in older],
        "untaken": _untaken(release, row),
        "attach_form": None if moves.attach else _attach_form(accepts, None if recorded else sent),
        "record_forms": [] if moves.attach else _record_forms(release, accepts, recorded, sent),
        "attach_reason": " ".join(moves.attach[:1]),
        "attach_url": act_url(release, row.item, "attach"),
        "probing": probing(release, row.item, accepts, reason=moves.attach, posted=posted if act == "probe" else None),
        "verify": _verify(release, row, moves),
        "not_applicable": _not_applicable(release, row, moves),
        "assign": _assign(release, row, moves, now=now, posted=posted if act == "assign" else None),
        "conflict": conflict(error, posted, act) if error else [],
        "comments": row.item.comments.select_related("by"),
        "comment_form": CommentForm(posted if act == "comment" else None),
        "comment_url": act_url(release, row.item, "comment"),
        "history": events(ledger.entries(subject=row.item.subject).order_by("-index")[:20]),
        **_neighbours(release, row.item),
    }


def accepted(release_id: UUID, key: str) -> tuple[str, ...]:
    """What the standard of a release takes as evidence of an item."""
    release = Release.objects.select_related("standard").get(pk=release_id)
    return definition_of(release.standard).item(key).evidence


def _attach_form(accepts: tuple[str, ...], sent: Any) -> AttachForm | None:
    return AttachForm(sent, accepts=accepts) if {"file", "link"} & set(accepts) else None


def _record_forms(release: Release, accepts: tuple[str, ...], recorded: str, sent: Any) -> list[dict[str, Any]]:
    """Each kind of record that the item takes: its form or, where the product makes it, the page that does."""
    return [
        {"title": kind.title, "made_url": reverse(kind.made_at, kwargs={"slug": release.system.slug})}
        if kind.made_at
        else {
            "title": kind.title,
            "form": RecordForm(sent if kind.key == recorded else None, kind=kind),
            "open": kind.key == recorded,
        }
        for kind in kinds_of(accepts)
    ]


def act_url(release: Release, item: Item, act: str) -> str:
    return release_url(release, "item-act", key=item.key, act=act)


def _item(release: Release, row: ShownItem) -> dict[str, Any]:
    definition = row.definition
    titles = {section.key: section.title for section in definition_of(release.standard).sections}
    return {
        "key": row.item.key,
        "title": definition.title,
        "status": drawn(row.state),
        "sentence": row.sentence,
        "url": row.url,
        "how": definition.guidance.verify,
        "good": definition.guidance.good,
        "guidance": _guidance(definition.guidance),
        "section": titles[definition.section],
        "phase": PHASES[definition.phase],
        "verification": BY[definition.verification],
        "accepts": takes(definition.evidence) or "nothing: it is measured",
        "validity": f"{definition.validity_days} days" if definition.validity_days else "this release",
        "blocking": definition.question is not None,
        "owner": row.item.owner,
        "owner_role": definition.owner_role,
        "revision": row.item.revision,
        "lapses_at": min((one.valid_until for one in row.evidence if one.valid_until), default=None),
    }


def _guidance(guidance: Guidance) -> str:
    return format_html(
        "<p>{}</p><h3>How to verify</h3><p>{}</p><h3>Good evidence</h3><p>{}</p>",
        guidance.why,
        guidance.verify,
        guidance.good,
    )


def evidence(release: Release, one: Evidence) -> dict[str, Any]:
    """A line of components/evidence.html."""
    return {
        "kind": one.kind,
        "title": one.title,
        "url": release_url(release, "evidence-page", key=one.item.key, evidence=one.pk),
        "digest": one.digest,
        "by": one.attached_by or "Readiness",
        "at": one.attached_at,
        "note": one.note or one.url,
        "size": one.size,
    }


def _untaken(release: Release, row: ShownItem) -> list[dict[str, Any]]:
    """Lines of components/reasons.html."""
    slug = release.system.slug
    return [
        {
            "sentence": one.sentence,
            "status": "failed",
            "url": reverse("metrics:run", args=[slug, one.run])
            if one.run
            else reverse("metrics:source", args=[slug, one.source]),
            "action": "Run" if one.run else "Source",
        }
        for one in untaken(release, row.definition.auto_fact)
    ]


def _verify(release: Release, row: ShownItem, moves: ItemMoves) -> dict[str, Any] | None:
    if row.definition.verification == "auto" or not row.evidence or row.item.verified_by_id:
        return None
    return {
        "url": act_url(release, row.item, "verify"),
        "send_back_url": act_url(release, row.item, "send-back"),
        "reason": " ".join(moves.verify[:1]),
        "form": NoteForm(label="What is missing, when you send it back"),
        "asks": "Does this evidence show what the item asks, for the versions that this release pins?",
        "digests": [one.digest for one in row.evidence],
    }


def _not_applicable(release: Release, row: ShownItem, moves: ItemMoves) -> dict[str, Any] | None:
    if row.definition.conditional is None:
        return None
    if row.item.not_applicable_by_id:
        confirmed = row.item.not_applicable_confirmed_by_id is not None
        return {
            "proposed": row.item.not_applicable_reason,
            "by": row.item.not_applicable_by,
            "confirmed": confirmed,
            "confirm_url": act_url(release, row.item, "confirm"),
            "confirm_reason": " ".join(moves.confirm[:1]),
            "withdraw_url": act_url(release, row.item, "withdraw"),
            "reason": "It is proposed already.",
        }
    return {
        "url": act_url(release, row.item, "propose"),
        "reason": " ".join(moves.propose[:1]),
        "form": NoteForm(label="Why it does not apply", required=True),
    }


def _assign(release: Release, row: ShownItem, moves: ItemMoves, *, now: datetime, posted: Any) -> dict[str, Any] | None:
    start = {"owner": row.item.owner_id, "due": row.item.due_at and row.item.due_at.date()}
    form = AssignForm(posted, people=members(release, now=now), initial=start)
    return {"url": act_url(release, row.item, "assign"), "form": form, "reason": " ".join(moves.assign[:1])}


def members(release: Release, *, now: datetime) -> list[User]:
    """Whoever holds a role on the system, in one query however many there are."""
    held = living_grants(now=now).filter(system__in=["", release.system.slug])
    return list(User.objects.filter(is_active=True, pk__in=held.values("user")).order_by("name"))


def conflict(error: Problem, posted: Any, act: str) -> list[dict[str, Any]]:
    """Where somebody was faster: each value as it is now beside the one that was sent, and who changed it."""
    theirs = error.extra.get("now")
    if not theirs or posted is None:
        return []
    if act == "assign":
        chosen = uuid_or_none(posted.get("owner"))
        mine = User.objects.filter(pk=chosen).first() if chosen else None
        due = theirs["due_at"]
        return [
            {"name": "Owner", "now": theirs["owner"] or "nobody", "yours": str(mine) if mine else "nobody"},
            {"name": "Due", "now": f"{due:%Y-%m-%d}" if due else "no date", "yours": posted.get("due") or "no date"},
        ]
    yours = {"verify": "verified", "send-back": f"sent back: {posted.get('reason', '')}"}.get(act, act)
    shown = theirs["sent_back_reason"] and f"sent back: {theirs['sent_back_reason']}"
    shown = shown or (f"verified by {theirs['verified_by']}" if theirs["verified_by"] else "")
    return [
        {"name": "Item", "now": shown or "waiting", "yours": yours},
        {"name": "Evidence", "now": ", ".join(theirs["evidence"]) or "none", "yours": "as you saw it"},
    ]


def _neighbours(release: Release, item: Item) -> dict[str, str | None]:
    keys = [definition.key for definition in definition_of(release.standard).items]
    at = keys.index(item.key)
    return {
        "previous_url": release_url(release, "item", key=keys[at - 1]) if at else None,
        "next_url": release_url(release, "item", key=keys[at + 1]) if at + 1 < len(keys) else None,
    }
