"""The checklist of a release (releases/parts/checklist.html), and the rows of one (item_row.html)."""

import hashlib
from collections import Counter
from itertools import groupby
from typing import Any

from django.urls import reverse

from releases.decisions import Standing
from releases.gate.types import ItemState
from releases.models import Release
from releases.presenting.page import drawn
from releases.presenting.rows import PHASES, ShownItem, release_url
from releases.standard.published import definition_of
from web.filters import Filter

TOKENS = ("status", "owner", "section", "phase", "is")


def checklist(
    release: Release, shown: list[ShownItem], kept: list[ShownItem], query: Filter, raw: str
) -> dict[str, Any]:
    definition = definition_of(release.standard)
    return {
        "filters": _filters(shown, query, raw),
        "phases": [_phase(release, phase, kept, bool(raw)) for phase in PHASES if _of(kept, phase)],
        "standard": f"{definition.title} {release.standard.number}",
        "bulk": None,
        "standard_url": reverse("releases:standard", kwargs={"number": release.standard.number}),
    }


def _of(rows: list[ShownItem], phase: str) -> list[ShownItem]:
    return [row for row in rows if row.definition.phase == phase]


def _filters(shown: list[ShownItem], query: Filter, raw: str) -> dict[str, Any]:
    quick = [("Blocking", "is:blocking", sum(row.blocks for row in shown))]
    for label, state in (("To verify", "waiting"), ("No evidence", "missing"), ("Failed", "failed")):
        quick.append((label, f"status:{state}", sum(row.state == state for row in shown)))
    return {
        "q": raw,
        "placeholder": "status:missing owner:mara is:blocking",
        "quick": [{"label": label, "url": f"?q={q}", "here": raw == q, "n": n} for label, q, n in quick if n],
        "unknown": query.unknown,
        "hidden": [],
    }


def _phase(release: Release, phase: str, kept: list[ShownItem], filtered: bool) -> dict[str, Any]:
    rows = _of(kept, phase)
    done = sum(ItemState(row.state).done for row in rows)
    titles = {section.key: section.title for section in definition_of(release.standard).sections}
    return {
        "title": PHASES[phase],
        "note": "" if any(row.definition.question for row in rows) else "never blocks the release it belongs to",
        "counts": dict(Counter(drawn(row.state) for row in rows)),
        "done": done,
        "total": len(rows),
        "open": filtered or any(row.blocks for row in rows),
        "sections": [
            {"title": titles[key], "items": [item_row(release, row) for row in group]}
            for key, group in groupby(rows, key=lambda row: row.definition.section)
        ],
    }


def stamp(found: Standing, shown: list[ShownItem]) -> str:
    """Changes with anything that the page shows: items, reasons, signatures, the state of the release."""
    seen = [row_stamp(row) for row in shown]
    seen += [reason.code + reason.sentence for reason in found.missing]
    seen += [f"{one.side}{one.signer}{one.voided}" for one in found.signatures]
    return _short([found.answers_no, str(found.closed_by and found.closed_by.pk), found.state_digest, *seen])


def row_stamp(row: ShownItem) -> str:
    owner = row.item.owner.name if row.item.owner else ""
    evidence = [str(one.pk) for one in row.evidence]
    return _short([row.state, row.sentence, str(row.item.revision), owner, str(row.comments), *evidence])


def _short(words: list[str]) -> str:
    return hashlib.sha256("\x00".join(words).encode()).hexdigest()[:16]


def item_row(release: Release, row: ShownItem) -> dict[str, Any]:
    """Links to what may be done are shown to everybody who sees the page; whether this person may is said there."""
    url = release_url(release, "item", key=row.item.key)
    auto = row.definition.verification == "auto"
    shown: dict[str, Any] = {
        "key": row.item.key,
        "revision": row.item.revision,
        "stamp": row_stamp(row),
        "comments": row.comments,
        "panel_url": release_url(release, "item-panel", key=row.item.key, act="act").removesuffix("act/"),
        "due_at": row.item.due_at if not ItemState(row.state).done else None,
        "title": row.definition.title,
        "status": drawn(row.state),
        "url": url,
        "owner": row.item.owner.name if row.item.owner else "",
        "owner_role": row.definition.owner_role,
        "note": row.sentence if auto or row.state not in ("verified", "missing", "waiting") else "",
        "evidence": _evidence_words(row),
        "evidence_url": url,
    }
    if row.state == ItemState.WAITING and not auto:
        shown["verify_url"] = url + "#verify"
    if not auto and row.state in (ItemState.MISSING, ItemState.SENT_BACK, ItemState.STALE, ItemState.LAPSED):
        shown["attach_url"] = url + "#attach"
    if not auto:
        shown["assign_url"] = url + "#assign"
    return shown


def _evidence_words(row: ShownItem) -> str:
    if not row.evidence:
        return "Measured by the product" if row.definition.verification == "auto" else ""
    first = row.evidence[0].title
    return first if len(row.evidence) == 1 else f"{first} and {len(row.evidence) - 1} more"
