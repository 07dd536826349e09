"""What both pages and API show: reasons with their links, items with their state, and what a person may do to them."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db.models import Count
from django.urls import reverse

from accounts.models import User
from releases import rules
from releases.decisions import Standing
from releases.gate.types import ItemVerdict, Question, Reason
from releases.gate.v1 import asked_by
from releases.models import Comment, Evidence, Item, Release
from releases.people import item_view, person, somebody_else_holds
from releases.standard.load import ItemDef
from releases.standard.published import definition_of

PHASES = {"pre-production": "Pre-production", "launch": "Production launch", "post-launch": "Post-launch"}


@dataclass(frozen=True)
class ShownReason:
    code: str
    sentence: str
    who: str
    url: str
    status: str
    action: str


@dataclass(frozen=True)
class ShownItem:
    """One row of the checklist."""

    item: Item
    definition: ItemDef
    state: str
    sentence: str
    blocks: bool
    evidence: tuple[Evidence, ...]
    url: str
    comments: int = 0


def release_url(release: Release, name: str = "detail", **extra: Any) -> str:
    return _address(f"releases:{name}", slug=release.system.slug, label=release.label, **extra)


@lru_cache(maxsize=8192)
def _address(name: str, **parts: Any) -> str:
    """Kept: a page of two hundred items asks for eight hundred, and they never change."""
    return reverse(name, kwargs=parts)


def reasons(found: Standing, release: Release) -> list[ShownReason]:
    """Every reason, with the page on which it is cleared. A closed question stands on its decision: nothing is left."""
    if found.answers_no:
        return [ShownReason("ended", found.answers_no, "", release_url(release), "stopped", "Open")]
    if found.closed_by:
        return []
    return [_shown(reason, release) for reason in found.missing]


# Beginning of a reason's code -> the status whose icon and tone it is drawn with, and what one does there.
_DRAWN = {
    "item-waiting": ("submitted", "Verify"),
    "item-missing": ("missing", "Attach evidence"),
    "item-stale": ("stale", "Look again"),
    "item-lapsed": ("lapsed", "Renew"),
    "item-failed": ("failed", "Open"),
    "item-unknown": ("inconclusive", "Open"),
    "item-sent-back": ("sent-back", "Mend"),
    "question": ("missing", "Answer"),
    "pin": ("missing", "Pin"),
    "frozen": ("frozen", "Open"),
    "budget": ("exceeded", "Open"),
    "rejected": ("rejected", "Open"),
    "sign-off": ("waiting", "Sign"),
    "rollout-plan": ("missing", "Plan"),
    "rollback-tested": ("missing", "Run a drill"),
    "incident-simulated": ("missing", "Run a drill"),
}


def _shown(reason: Reason, release: Release) -> ShownReason:
    drawn = next((d for prefix, d in _DRAWN.items() if reason.code.startswith(prefix)), ("blocked", "Open"))
    return ShownReason(reason.code, reason.sentence, in_words(reason.who), where(reason, release), *drawn)


def in_words(who: str) -> str:
    """Who can clear it, to be read. The gate names owner and side even where both are one role: that is said once."""
    kind, colon, roles = who.rpartition(": ")
    return (kind + colon + " or ".join(dict.fromkeys(roles.split(" or ")))).capitalize()


def where(reason: Reason, release: Release) -> str:
    """The page on which a reason is cleared."""
    if reason.code in ("rollback-tested", "incident-simulated"):
        return reverse("operations:drills", kwargs={"slug": release.system.slug})
    kind, _, key = reason.where.partition(":")
    match kind:
        case "item":
            return release_url(release, "item", key=key)
        case "questions":
            return release_url(release, "questions")
        case "pins" | "rollout":
            return release_url(release, "setup") + f"#{kind}"
        case "sign-off":
            return release_url(release) + "#signoffs"
    return reverse("operations:system", kwargs={"slug": release.system.slug})


def rows(found: Standing, release: Release) -> list[ShownItem]:
    """All items of the release with their state, in the standard's order."""
    definition = definition_of(release.standard)
    verdicts: dict[str, ItemVerdict] = {verdict.key: verdict for verdict in found.verdict.items}
    facts = {fact.key: fact for fact in found.facts.items}
    comments = Comment.objects.filter(item__release=release).order_by().values_list("item").annotate(said=Count("pk"))
    said = dict(comments)
    items = list(release.items.all())
    attached = list(Evidence.objects.filter(item__in=items, superseded_at=None).order_by("-attached_at"))
    _with_people(items, attached)
    evidence: defaultdict[UUID, list[Evidence]] = defaultdict(list)
    for piece in attached:
        evidence[piece.item_id].append(piece)
    shown = []
    for item in items:
        verdict = verdicts.get(item.key)
        if verdict is None:  # the standard asked for it before it was changed: kept, no longer shown
            continue
        shown.append(
            ShownItem(
                item=item,
                definition=definition.item(item.key),
                state=verdict.state,
                sentence=verdict.sentence,
                blocks=not verdict.state.done and asked_by(found.question, facts[item.key]),
                evidence=tuple(evidence[item.pk]),
                url=release_url(release, "item", key=item.key),
                comments=said.get(item.pk, 0),
            )
        )
    return shown


def _with_people(items: Sequence[Item], attached: Sequence[Evidence]) -> None:
    """Sets the people around items and evidence, each read once however many items are theirs."""
    around = ("owner", "verified_by", "not_applicable_by")
    wanted = {getattr(item, f"{name}_id") for item in items for name in around}
    people = User.objects.in_bulk((wanted | {evidence.attached_by_id for evidence in attached}) - {None})
    for item in items:
        for name in around:
            if pk := getattr(item, f"{name}_id"):
                setattr(item, name, people[pk])
    for evidence in attached:
        if evidence.attached_by_id:
            evidence.attached_by = people[evidence.attached_by_id]


def filtered(shown: list[ShownItem], tokens: dict[str, list[str]], text: str) -> list[ShownItem]:
    """Narrowed by `status: owner: section: phase: is:blocking` tokens and free text."""
    kept = shown
    if wanted := tokens.get("status"):
        kept = [row for row in kept if row.state in wanted]
    if wanted := tokens.get("owner"):
        kept = [row for row in kept if row.item.owner and any(w.lower() in row.item.owner.name.lower() for w in wanted)]
    if wanted := tokens.get("section"):
        kept = [row for row in kept if any(w.lower() in row.definition.section.lower() for w in wanted)]
    if wanted := tokens.get("phase"):
        kept = [row for row in kept if row.definition.phase in wanted]
    if "blocking" in tokens.get("is", ()):
        kept = [row for row in kept if row.blocks]
    if text:
        kept = [row for row in kept if text.lower() in f"{row.definition.title} {row.item.key}".lower()]
    return kept


@dataclass(frozen=True)
class ItemMoves:
    """What this person may do to an item now; each is the tuple of reasons why not."""

    attach: tuple[str, ...]
    assign: tuple[str, ...]
    verify: tuple[str, ...]
    propose: tuple[str, ...]
    confirm: tuple[str, ...]


def item_moves(item: Item, release: Release, *, user: User, now: datetime) -> ItemMoves:
    definition = definition_of(release.standard).item(item.key)
    view = item_view(item, definition, release)
    who = person(user, release, now=now)
    others = somebody_else_holds(definition, release, besides=user, now=now)
    return ItemMoves(
        attach=rules.attach_refusals(who, view),
        assign=rules.assign_refusals(who, view),
        verify=rules.verify_refusals(who, view, somebody_else_holds=others),
        propose=rules.propose_refusals(who, view),
        confirm=rules.confirm_refusals(who, view, somebody_else_holds=others),
    )


def question_of(raw: str | None) -> Question:
    """`release` where none is named; anything else is refused rather than guessed."""
    return Question(raw) if raw else Question.RELEASE


def sources_url(release: Release) -> str:
    return reverse("metrics:sources", kwargs={"slug": release.system.slug})


def uuid_or_none(raw: str | None) -> UUID | None:
    try:
        return UUID(raw or "")
    except ValueError:
        return None
