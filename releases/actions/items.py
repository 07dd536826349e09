"""One item under its release's lock: found at the revision that was seen, saved, recorded."""

from datetime import datetime

from audit import ledger
from audit.actors import Actor, names
from releases.errors import InvalidInput, StateMoved
from releases.models import Item, Release
from releases.standard.load import ItemDef
from releases.standard.published import definition_of


def item_of(release: Release, key: str, revision: int | None) -> tuple[Item, ItemDef]:
    """The item under the release's lock, and what the standard says of it."""
    item = release.items.select_related("owner", "verified_by").filter(key=key).first()
    if item is None:
        raise InvalidInput(f"This release has no item {key}.")
    if revision is not None and item.revision != revision:
        raise StateMoved(
            f"“{key}” was changed while you looked at it. It is shown as it is now: check it, then send yours again.",
            revision=item.revision,
            now=_as_it_is(item),
            changed=last_change(item),
        )
    return item, definition_of(release.standard).item(key)


def _as_it_is(item: Item) -> dict[str, object]:
    """What somebody whose change came too late has to see beside their own."""
    return {
        "owner": str(item.owner) if item.owner else None,
        "due_at": item.due_at,
        "verified_by": str(item.verified_by) if item.verified_by else None,
        "sent_back_reason": item.sent_back_reason,
        "evidence": list(item.evidence.filter(superseded_at=None).values_list("title", flat=True)),
    }


def last_change(item: Item) -> dict[str, object] | None:
    """Who changed it last, when, and by which act, as the ledger has it."""
    entry = ledger.entries(subject=item.subject).order_by("-index").first()
    if entry is None:
        return None
    return {"by": names([entry.actor_id]).get(entry.actor_id, entry.actor_id), "at": entry.at, "act": entry.kind}


def record(
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


def save(item: Item, *fields: str) -> None:
    item.revision += 1
    item.save(update_fields=[*fields, "revision"])


def unverify(item: Item, *, sent_back: str, stale: str) -> None:
    item.verified_by, item.verified_at, item.verified_digests = None, None, []
    item.sent_back_reason, item.stale_reason = sent_back, stale
    save(item, "verified_by", "verified_at", "verified_digests", "sent_back_reason", "stale_reason")
