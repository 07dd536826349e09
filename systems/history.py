"""What the record says about a part of a system, as sentences for a timeline."""

from typing import Any

from audit.actors import names
from audit.ledger import entries

# kind of entry -> (status, which gives icon and tone; sentence)
_WORDS: dict[str, tuple[str, str]] = {
    "component.added": ("open", "added the component"),
    "component.retired": ("retired", "retired the component"),
    "version.drafted": ("draft", "drafted it"),
    "version.submitted": ("in-review", "submitted it for review"),
    "version.approved": ("approved", "approved it"),
    "version.sent-back": ("sent-back", "sent it back"),
    "version.deprecated": ("deprecated", "deprecated it"),
    "version.compatibility-written": ("noted", "wrote its compatibility note"),
    "version.announced": ("sent", "announced it to its consumers"),
    "version.acknowledged": ("ok", "acknowledged it"),
    "consumer.added": ("open", "added a consumer"),
    "consumer.ended": ("retired", "took a consumer off the list"),
    "version.retired": ("retired", "retired it"),
    "policy.proposed": ("draft", "proposed it"),
    "policy.approved": ("approved", "approved it"),
    "policy.declined": ("rejected", "declined it"),
}


def history(subject: str, *, limit: int = 20) -> list[dict[str, Any]]:
    """Newest first, for components/timeline.html."""
    found = list(entries(subject=subject).order_by("-index")[:limit])
    people = names(entry.actor_id for entry in found)
    return [
        {
            "status": _WORDS.get(entry.kind, ("noted", ""))[0],
            "sentence": _WORDS.get(entry.kind, ("", entry.kind))[1],
            "who": people.get(entry.actor_id, entry.actor_id),
            "at": entry.at,
            "detail": f"entry {entry.index}",
            "absolute": True,
        }
        for entry in found
    ]
