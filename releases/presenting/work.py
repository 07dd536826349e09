"""My work (releases/work.html): mine to do, mine to verify, mine to sign, and what blocks which release."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from accounts.models import User
from accounts.queries import roles_of
from releases import rules
from releases.actions.signing import signing_view
from releases.decisions import Standing, standing
from releases.models import Item, Release
from releases.people import person
from releases.presenting.page import question_now
from releases.presenting.rows import item_moves, reasons, release_url
from releases.queries import items_to_do, items_to_verify, visible_releases
from releases.standard.published import definition_of

MOST = 200


def work(user: User, slugs: Collection[str] | None, *, now: datetime) -> dict[str, Any]:
    running = visible_releases(slugs).filter(state__in=(*Release.OPEN, *Release.IN_ROLLOUT))[:50]
    looked = [(release, standing(release, question_now(release), now=now)) for release in running]
    todo = _todo(user, looked)
    return {
        "overdue": [line for line in todo if line["due_at"] and line["due_at"] < now],
        "todo": [line for line in todo if not line["due_at"] or line["due_at"] >= now],
        "verify": [
            _line(item)
            for item in items_to_verify(slugs)[:MOST]
            if not item_moves(item, item.release, user=user, now=now).verify
        ],
        "sign": [line for release, found in looked for line in _sign(user, release, found, now=now)],
        "blocked": [
            {
                "label": release.label,
                "system": release.system.name,
                "url": release_url(release),
                "stage": release.state,
                "verdict": "clear" if found.cleared else found.verdict.outcome.value,
                "reasons": reasons(found, release)[:3],
                "more": max(0, len(found.missing) - 3),
            }
            for release, found in looked
        ],
        "now": now,
    }


def next_to_sign(user: User, slugs: Collection[str] | None, *, now: datetime) -> str:
    """Where the next signature that this person can give is given; empty where none waits."""
    running = visible_releases(slugs).filter(state__in=(Release.State.PRE_PRODUCTION, *Release.IN_ROLLOUT))[:50]
    for release in running:
        found = standing(release, question_now(release), now=now)
        if found.open and found.verdict.go:
            for line in _sign(user, release, found, now=now):
                return str(line["url"])
    return ""


def _todo(user: User, looked: list[tuple[Release, Standing]]) -> list[dict[str, Any]]:
    """Items that I own and the gate does not call done. What the product measures is not mine to do."""
    states = {(release.pk, item.key): item for release, found in looked for item in found.verdict.items}
    lines = []
    for item in items_to_do(user.pk)[:MOST]:
        verdict = states.get((item.release_id, item.key))
        if verdict is None or verdict.state.done or verdict.state == "waiting":
            continue
        if definition_of(item.release.standard).item(item.key).verification != "auto":
            lines.append(_line(item) | {"status": verdict.state, "sentence": verdict.sentence})
    return lines


def _line(item: Item) -> dict[str, Any]:
    return {
        "title": definition_of(item.release.standard).item(item.key).title,
        "url": release_url(item.release, "item", key=item.key),
        "release": item.release.label,
        "system": item.release.system.name,
        "status": "submitted",
        "due_at": item.due_at,
    }


def _sign(user: User, release: Release, found: Standing, *, now: datetime) -> list[dict[str, Any]]:
    who = person(user, release, now=now)
    return [
        {
            "title": f"Sign for {side}, the {found.question.value} question",
            "url": release_url(release, "sign", side=side),
            "release": release.label,
            "system": release.system.name,
        }
        for side in sorted((rules.SIDES | rules.SECTIONS) & roles_of(user, system=release.system.slug, now=now))
        if not rules.sign_refusals(who, side, signing_view(release, found, signer=user, side=side))
    ]
