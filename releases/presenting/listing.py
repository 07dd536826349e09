"""Releases as a list (releases/list.html)."""

from collections import Counter
from datetime import datetime
from typing import Any

from django.urls import reverse

from releases.decisions import standing
from releases.gate.types import ItemState
from releases.models import Release
from releases.presenting.page import drawn, question_now
from releases.presenting.rows import release_url
from systems.models import System
from web.filters import Filter
from web.paging import Page


def listing(found: Page[Release], query: Filter, raw: str, system: System | None, *, now: datetime) -> dict[str, Any]:
    return {
        "releases": [_row(release, now=now) for release in found.items],
        "page": found,
        "base": f"q={raw}&" if raw else "",
        "system": system,
        "filters": {
            "q": raw,
            "placeholder": "state:canary system:support-bot",
            "quick": [
                {"label": label, "url": f"?q=state:{state}", "here": raw == f"state:{state}", "n": None}
                for label, state in (("In canary", "canary"), ("Live", "live"), ("Pre-production", "pre-production"))
            ],
            "unknown": query.unknown,
        },
        "open_url": reverse("releases:open", kwargs={"slug": system.slug}) if system else reverse("systems:list"),
        "open_reason": "",
    }


def _row(release: Release, *, now: datetime) -> dict[str, Any]:
    found = standing(release, question_now(release), now=now)
    done = sum(item.state.done for item in found.verdict.items)
    verdict = "clear" if found.cleared else found.verdict.outcome.value
    if found.answers_no:
        verdict = ""
    return {
        "label": release.label,
        "url": release_url(release),
        "system": release.system.name,
        "stage": release.state,
        "question": found.question.value,
        "verdict": verdict,
        "remaining": _remaining(release, len(found.verdict.reasons), cleared=found.cleared),
        "done": done,
        "total": len(found.verdict.items),
        "counts": dict(Counter(drawn(ItemState(item.state)) for item in found.verdict.items)),
        "who": release.opened_by,
        "opened_at": release.opened_at,
    }


def _remaining(release: Release, count: int, *, cleared: bool) -> str:
    if release.state in Release.ENDED:
        return release.end_reason
    if cleared:
        return "Nothing: it may go"
    return f"{count} thing{'' if count == 1 else 's'} to clear" if count else "Signatures"
