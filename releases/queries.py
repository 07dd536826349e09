"""Reads of releases, for pages and API."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from releases.models import Evidence, Item, Release
from releases.standard.published import definition_of
from systems.kinds import Kind
from systems.models import System
from web.prepared import Prepared
from web.problems import NotFound

_NOTHING_HERE = "There is no such release, or you may not see it."


def visible_releases(slugs: Collection[str] | None) -> QuerySet[Release]:
    """Releases of these systems; None: of all. The text of their standard is read once for all (`definition_of`)."""
    releases = Release.objects.select_related("system", "standard", "policy", "opened_by").defer("standard__body")
    return releases if slugs is None else releases.filter(system__slug__in=slugs)


_of_id = Prepared(lambda pk: visible_releases(None).filter(pk=pk))
_of_label = Prepared(lambda slug, label: visible_releases(None).filter(system__slug=slug, label=label))


def find_release(reference: str, *, slugs: Collection[str] | None) -> Release:
    """By id, by `system:label`, or by the digest of an artifact that it pins (the newest that does)."""
    if reference.startswith("sha256:"):
        artifact = Q(pins__component__kind=Kind.ARTIFACT) & (
            Q(pins__version__sha256=reference) | Q(pins__version__meta__image_digest=reference)
        )
        found = list(visible_releases(slugs).filter(artifact).order_by("-opened_at")[:1])
    elif ":" in reference:
        slug, _, label = reference.partition(":")
        found = _of_label(slug=slug, label=label)
    else:
        try:
            found = _of_id(pk=UUID(reference))
        except ValueError:
            found = []
    if not found or (slugs is not None and found[0].system.slug not in slugs):
        raise NotFound(_NOTHING_HERE)
    return found[0]


def system_of(slug: str) -> System:
    system = System.objects.filter(slug=slug).first()
    if system is None:
        raise NotFound("There is no such system, or you may not see it.")
    return system


def release_of(system: System, label: str) -> Release:
    release = visible_releases(None).filter(system=system, label=label).first()
    if release is None:
        raise NotFound(_NOTHING_HERE)
    return release


def items_to_do(user_id: UUID) -> QuerySet[Item]:
    """Items of open releases that this person owns and nobody has verified."""
    running = (*Release.OPEN, *Release.IN_ROLLOUT)
    mine = Item.objects.filter(owner=user_id, release__state__in=running, verified_by=None)
    return _placed(mine).order_by("release__opened_at", "position")


def items_to_verify(slugs: Collection[str] | None) -> QuerySet[Item]:
    """Items of open releases with evidence that waits for somebody; whether for this person, the rules say."""
    running = (*Release.OPEN, *Release.IN_ROLLOUT)
    waiting = Item.objects.filter(
        release__state__in=running,
        verified_by=None,
        sent_back_reason="",
        evidence__superseded_at=None,
        evidence__attached_by__isnull=False,
    ).distinct()
    if slugs is not None:
        waiting = waiting.filter(release__system__slug__in=slugs)
    return _placed(waiting).prefetch_related("evidence")


def _placed(items: QuerySet[Item]) -> QuerySet[Item]:
    """With their release; the text of its standard is not read again with each of them."""
    return items.select_related("release__system", "release__standard").defer("release__standard__body")


def release_before(release: Release) -> Release | None:
    """Where evidence may be taken over from: the live release or, before there is one, the latest that went live."""
    others = visible_releases(None).filter(system=release.system, live_at__isnull=False).exclude(pk=release.pk)
    return others.filter(state=Release.State.LIVE).first() or others.order_by("-live_at").first()


@dataclass(frozen=True)
class Carriable:
    """An item of people with what could be taken over for it; `reason` says why not, where it is not empty."""

    key: str
    title: str
    evidence: tuple[Evidence, ...]
    reason: str


def carriable(release: Release, before: Release, *, now: datetime) -> list[Carriable]:
    """Item by item, in the standard's order, those that have no evidence here and were verified there."""
    theirs = {item.key: item for item in before.items.prefetch_related("evidence")}
    mine = {item.key: item for item in release.items.prefetch_related("evidence")}
    changed = _changed_kinds(release, before)
    found = []
    for definition in definition_of(release.standard).items:
        item, earlier = mine.get(definition.key), theirs.get(definition.key)
        if definition.verification == "auto" or item is None or _living(item) or earlier is None:
            continue
        living = _living(earlier)
        if not living or earlier.verified_by_id is None:
            continue
        reason = ""
        if touched := sorted(changed & set(definition.depends_on)):
            reason = f"it depends on the {touched[0].replace('_', ' ')}, which is another one now."
        elif any(one.valid_until is not None and one.valid_until <= now for one in living):
            reason = "its evidence has lapsed."
        elif not {one.kind for one in living} <= {kind.partition(":")[0] for kind in definition.evidence}:
            reason = "the standard accepts another kind of evidence now."
        found.append(Carriable(definition.key, definition.title, living, reason))
    return found


def _living(item: Item) -> tuple[Evidence, ...]:
    return tuple(one for one in item.evidence.all() if one.superseded_at is None)


def _changed_kinds(release: Release, before: Release) -> set[str]:
    """Kinds of components that the two releases do not pin alike."""

    def pins(one: Release) -> set[tuple[str, str, str]]:
        return set(one.pins.values_list("component__kind", "component__name", "version__sha256"))

    return {kind for kind, _, _ in pins(release) ^ pins(before)}


def last_good(system: System) -> Release | None:
    """What a rollback of the live release would restore: the latest once-live one that was not itself rolled back."""
    once_live = Release.objects.filter(system=system, state=Release.State.SUPERSEDED, live_at__isnull=False)
    return once_live.order_by("-live_at").first()


def releases_with_golden_set(system: System) -> QuerySet[Release]:
    """Newest first."""
    return Release.objects.filter(system=system, pins__component__kind=Kind.DATASET).distinct().order_by("-opened_at")


def golden_set_release(system: System, label: str) -> Release | None:
    """The release named, or the newest one, if it pins a golden set."""
    found = releases_with_golden_set(system).select_related("system")
    return (found.filter(label=label) if label else found).first()
