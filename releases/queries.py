"""Reads of releases, for pages and API."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Q, QuerySet

from releases.models import Item, Release
from systems.kinds import Kind
from systems.models import System
from web.problems import NotFound

_NOTHING_HERE = "There is no such release, or you may not see it."


def visible_releases(slugs: Iterable[str] | None) -> QuerySet[Release]:
    """Releases of these systems; None: of all."""
    releases = Release.objects.select_related("system", "standard", "policy", "opened_by")
    return releases if slugs is None else releases.filter(system__slug__in=slugs)


def find_release(reference: str, *, slugs: Iterable[str] | None) -> Release:
    """By id, by `system:label`, or by the digest of an artifact that it pins (the newest that does)."""
    releases = visible_releases(slugs)
    if reference.startswith("sha256:"):
        artifact = Q(pins__component__kind=Kind.ARTIFACT) & (
            Q(pins__version__sha256=reference) | Q(pins__version__meta__image_digest=reference)
        )
        found = releases.filter(artifact).order_by("-opened_at").first()
    elif ":" in reference:
        slug, _, label = reference.partition(":")
        found = releases.filter(system__slug=slug, label=label).first()
    else:
        try:
            found = releases.filter(pk=UUID(reference)).first()
        except ValueError:
            found = None
    if found is None:
        raise NotFound(_NOTHING_HERE)
    return found


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
    return mine.select_related("release__system", "release__standard").order_by("release__opened_at", "position")


def items_to_verify(slugs: Iterable[str] | None) -> QuerySet[Item]:
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
    return waiting.select_related("release__system", "release__standard").prefetch_related("evidence")
