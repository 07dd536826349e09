"""From users to what the rules ask about: persons with roles, items with their history."""

from datetime import datetime

from accounts.models import User
from accounts.queries import living_grants, roles_of
from releases.models import Item, Release
from releases.rules import ItemView, Person
from releases.standard.load import ItemDef
from web.prepared import Prepared


def person(user: User, release: Release, *, now: datetime) -> Person:
    return Person(str(user.pk), roles_of(user, system=release.system.slug, now=now))


def item_view(item: Item, definition: ItemDef, release: Release) -> ItemView:
    living = [evidence for evidence in item.evidence.all() if evidence.superseded_at is None]
    return ItemView(
        owner=str(item.owner_id) if item.owner_id else None,
        owner_role=definition.owner_role,
        side=definition.side,
        verification=definition.verification,
        conditional=definition.conditional is not None,
        release_state=release.state,
        asked_after_start=definition.question != "canary",
        attached_by=frozenset(str(evidence.attached_by_id) for evidence in living if evidence.attached_by_id),
        not_applicable_by=str(item.not_applicable_by_id) if item.not_applicable_by_id else None,
    )


def somebody_else_holds(definition: ItemDef, release: Release, *, besides: User, now: datetime) -> bool:
    """Whether anybody but this person (and those who attached) holds the item's owner role or that of its side."""
    roles = {definition.owner_role, definition.side}
    grants = living_grants(now=now).filter(role__in=roles, system__in=["", release.system.slug])
    return grants.exclude(user=besides).exists()


_authors = Prepared(
    lambda release: Release.authors.through.objects.filter(release=release).values_list("user", flat=True)
)


def authors(release: Release) -> frozenset[str]:
    return frozenset(map(str, _authors(release=release.pk)))
