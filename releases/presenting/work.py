"""My work (releases/work.html): mine to do, mine to verify, mine to sign, and what blocks which release."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.urls import reverse

from accounts.models import User
from accounts.queries import living_grants
from accounts.roles import Role
from releases import rules
from releases.actions.signing import Signed, signing_view
from releases.decisions import Standing, standing
from releases.models import Item, Release
from releases.people import item_view, person
from releases.presenting.page import question_now
from releases.presenting.rows import reasons, release_url
from releases.queries import items_to_do, items_to_verify, visible_releases
from releases.standard.published import definition_of
from systems.models import Announcement, Ownership

MOST = 200


def work(user: User, slugs: Collection[str] | None, *, now: datetime) -> dict[str, Any]:
    running = visible_releases(slugs).filter(state__in=(*Release.OPEN, *Release.IN_ROLLOUT))[:50]
    looked = [(release, standing(release, question_now(release), now=now)) for release in running]
    todo = _todo(user, looked)
    return {
        "overdue": [line for line in todo if line["due_at"] and line["due_at"] < now],
        "todo": [line for line in todo if not line["due_at"] or line["due_at"] >= now],
        "verify": _to_verify(user, slugs, now=now),
        "acknowledge": [*_areas(user), *_announcements(user)],
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


def _to_verify(user: User, slugs: Collection[str] | None, *, now: datetime) -> list[dict[str, Any]]:
    """Evidence that this person may verify. Who holds what is read once, however many items wait."""
    held: dict[tuple[str, str], set[UUID]] = {}
    for holder, system, role in living_grants(now=now).values_list("user_id", "system", "role"):
        held.setdefault((system, role), set()).add(holder)

    def holders(role: str, system: str) -> set[UUID]:
        return held.get((system, role), set()) | held.get(("", role), set())

    lines = []
    for item in items_to_verify(slugs)[:MOST]:
        release, system = item.release, item.release.system.slug
        definition = definition_of(release.standard).item(item.key)
        who = rules.Person(str(user.pk), frozenset(role for role in Role if user.pk in holders(role, system)))
        others = any(holders(role, system) - {user.pk} for role in (definition.owner_role, definition.side))
        view = item_view(item, definition, release)
        if not rules.verify_refusals(who, view, somebody_else_holds=others):
            lines.append(_line(item))
    return lines


def _areas(user: User) -> list[dict[str, Any]]:
    """What I am named for and have not said that I answer for."""
    rows = Ownership.objects.filter(user=user, acknowledged_at=None).select_related("system").order_by("system__name")
    return [
        {
            "title": f"You are named for {row.get_area_display().lower()}",
            "system": row.system.name,
            "url": reverse("systems:detail", kwargs={"slug": row.system.slug}) + "#owners",
        }
        for row in rows[:MOST]
    ]


def _announcements(user: User) -> list[dict[str, Any]]:
    """New versions of what my service builds on."""
    rows = Announcement.objects.filter(
        consumer__contact=user, consumer__ended_at=None, acknowledged_at=None
    ).select_related("version__component__system", "consumer")
    return [
        {
            "title": f"{row.version.component.name} version {row.version.number}, for {row.consumer}",
            "system": row.version.component.system.name,
            "post": reverse(
                "systems:acknowledge",
                kwargs={"slug": row.version.component.system.slug, "kind": row.version.component.kind,
                        "name": row.version.component.name, "number": row.version.number, "announcement": row.pk},
            ),
            "breaks": row.version.breaks,
            "note": row.version.compatibility_note,
        }
        for row in rows.order_by("announced_at")[:MOST]
    ]  # fmt: skip


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
    sides = sorted((rules.SIDES | rules.SECTIONS) & who.roles)
    signed = Signed.of(release) if sides else None
    return [
        {
            "title": f"Sign for {side}, the {found.question.value} question",
            "url": release_url(release, "sign", side=side),
            "release": release.label,
            "system": release.system.name,
        }
        for side in sides
        if signed and not rules.sign_refusals(who, side, signing_view(release, found, signed, signer=user, side=side))
    ]
