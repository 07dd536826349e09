"""Who holds what, now. Roles are read afresh at each question: nothing here is cached."""

from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q, QuerySet

from accounts.models import RoleGrant, User
from accounts.roles import SIGNING_ROLES, Role


def living_grants(*, now: datetime) -> QuerySet[RoleGrant]:
    """Grants that count at `now`: begun, not ended, not revoked, of an active person, and confirmed where that is asked."""
    confirmed = Q(confirmed_by__isnull=False) | Q(founding=True) | ~Q(role__in=SIGNING_ROLES)
    return RoleGrant.objects.filter(
        confirmed, Q(ends_at=None) | Q(ends_at__gt=now), starts_at__lte=now, revoked_at=None, user__is_active=True
    )


def roles_of(user: User, *, system: str, now: datetime) -> frozenset[str]:
    grants = living_grants(now=now).filter(user=user, system__in=["", system])
    return frozenset(grants.values_list("role", flat=True))


def holders(role: str, *, system: str, now: datetime) -> QuerySet[User]:
    grants = living_grants(now=now).filter(role=role, system__in=["", system], user=OuterRef("pk"))
    return User.objects.filter(Exists(grants)).order_by(F("name"))


def is_member(user: User, *, system: str, now: datetime) -> bool:
    return bool(roles_of(user, system=system, now=now))


def systems_of(user: User, *, now: datetime) -> set[str] | None:
    """Slugs of the systems a person may see; None means all of them (a role for the whole organisation)."""
    slugs = set(living_grants(now=now).filter(user=user).values_list("system", flat=True))
    return None if "" in slugs else slugs


def is_admin(user: User, *, now: datetime) -> bool:
    return Role.ADMIN in roles_of(user, system="", now=now)
