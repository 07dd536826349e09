"""Who holds what, now. Roles are read afresh at each question; `held_by` alone keeps its answer, for one request."""

from collections import Counter
from datetime import datetime

from allauth.mfa.models import Authenticator
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, F, OuterRef, Prefetch, Q, QuerySet, Value
from django.db.models.functions import Concat

from accounts.models import ApiToken, FactorReset, RoleGrant, User
from accounts.roles import CONFIRMED_ROLES, SIGNING_ROLES, Role
from web.prepared import Prepared

# A recovery code replaces a lost factor once; it is none itself.
STRONG_FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)


def living_grants(*, now: datetime) -> QuerySet[RoleGrant]:
    """Grants that count at `now`: begun, not over, of an active person, confirmed where a second person is asked."""
    confirmed = Q(confirmed_by__isnull=False) | Q(founding=True) | ~Q(role__in=CONFIRMED_ROLES)
    return RoleGrant.objects.filter(
        confirmed, Q(ends_at=None) | Q(ends_at__gt=now), starts_at__lte=now, revoked_at=None, user__is_active=True
    )


_roles = Prepared(
    lambda user, system, now: (
        living_grants(now=now).filter(user=user, system__in=["", system]).values_list("role", flat=True)
    )
)
_systems = Prepared(lambda user, now: living_grants(now=now).filter(user=user).values_list("system", flat=True))
_grants = Prepared(lambda user, now: living_grants(now=now).filter(user=user).values_list("system", "role"))
_factors = Prepared(lambda user: Authenticator.objects.filter(user=user, type__in=STRONG_FACTORS).values_list("pk")[:1])


def roles_of(user: User, *, system: str, now: datetime) -> frozenset[str]:
    return frozenset(_roles(user=user.pk, system=system, now=now))


def knowing_roles(people: QuerySet[User], *, now: datetime) -> QuerySet[User]:
    """People with what each holds in `held`, as "system/role": for what every page asks of whoever is signed in."""
    grants = living_grants(now=now).filter(user=OuterRef("pk"))
    return people.annotate(held=ArraySubquery(grants.values(held=Concat("system", Value("/"), "role"))))


def held_by(user: User, *, now: datetime) -> tuple[tuple[str, str], ...]:
    """(system, role) of every role that a person holds; an empty system is the whole organisation.

    Asked once and kept with the person, whom each request reads anew, as Django's own permissions are. Actions ask
    `roles_of`, each time.
    """
    if user.holds is None:
        told: list[str] | None = getattr(user, "held", None)
        pairs = _grants(user=user.pk, now=now) if told is None else (text.split("/") for text in told)
        user.holds = tuple((system, role) for system, role in pairs)
    return user.holds


def holders(role: str, *, system: str, now: datetime) -> QuerySet[User]:
    grants = living_grants(now=now).filter(role=role, system__in=["", system], user=OuterRef("pk"))
    return User.objects.filter(Exists(grants)).order_by(F("name"))


def is_member(user: User, *, system: str, now: datetime) -> bool:
    return bool(roles_of(user, system=system, now=now))


def systems_of(user: User, *, now: datetime) -> set[str] | None:
    """Slugs of the systems a person may see; None means all of them (a role for the whole organisation)."""
    slugs = set(_systems(user=user.pk, now=now))
    return None if "" in slugs else slugs


def is_admin(user: User, *, now: datetime) -> bool:
    return Role.ADMIN in roles_of(user, system="", now=now)


def admins(*, demo: bool, now: datetime) -> QuerySet[User]:
    """The admins of the installation. Those of the demo project (their passwords are printed) are counted apart."""
    return holders(Role.ADMIN, system="", now=now).filter(is_demo=demo)


def only_admin_ever(user: User) -> bool:
    """Whether nobody else has ever been an admin here: the founding time, which does not come back."""
    counted = RoleGrant.objects.filter(Q(confirmed_by__isnull=False) | Q(founding=True), role=Role.ADMIN)
    return not counted.filter(user__is_demo=user.is_demo).exclude(user=user).exists()


def signers(*, system: str, now: datetime) -> QuerySet[User]:
    """Everybody who verifies or signs on a system: who hears of a new grant there."""
    grants = living_grants(now=now).filter(role__in=SIGNING_ROLES, user=OuterRef("pk"))
    if system:
        grants = grants.filter(system__in=["", system])
    return User.objects.filter(Exists(grants)).order_by("name")


def must_enrol(user: User, *, now: datetime) -> bool:
    """Whether a person holds a role that asks for a second factor, and has none yet."""
    return any(role in CONFIRMED_ROLES for _, role in held_by(user, now=now)) and not _factors(user=user.pk)


def may_read_people(user: User, *, now: datetime) -> bool:
    """Admins run the list; auditors review who may do what."""
    return not roles_of(user, system="", now=now).isdisjoint({Role.ADMIN, Role.AUDITOR})


def people(*, text: str = "", role: str = "", system: str = "", now: datetime) -> QuerySet[User]:
    """The list of people with their living roles; `text` is looked for in names and addresses."""
    found = User.objects.prefetch_related(
        Prefetch("grants", living_grants(now=now).order_by("system", "role"), to_attr="living")
    )
    if text:
        found = found.filter(Q(name__icontains=text) | Q(email__icontains=text))
    if role or system:
        grants = living_grants(now=now).filter(user=OuterRef("pk"))
        if role:
            grants = grants.filter(role=role)
        if system:
            grants = grants.filter(system__in=["", system])
        found = found.filter(Exists(grants))
    return found


def waiting_grants(*, now: datetime) -> QuerySet[RoleGrant]:
    """Grants that a second person has still to confirm, oldest first."""
    return (
        RoleGrant.objects.filter(
            Q(ends_at=None) | Q(ends_at__gt=now),
            role__in=CONFIRMED_ROLES,
            founding=False,
            confirmed_at=None,
            revoked_at=None,
            ended_at=None,
        )
        .select_related("user", "granted_by")
        .order_by("granted_at")
    )


def waiting_resets() -> QuerySet[FactorReset]:
    return FactorReset.objects.filter(done_at=None).select_related("user", "requested_by").order_by("requested_at")


def factors_of(user: User) -> dict[str, int]:
    """How many second factors of each kind a person has."""
    kinds = Authenticator.objects.filter(user=user, type__in=STRONG_FACTORS).values_list("type", flat=True)
    return dict(Counter(kinds))


def tokens_of(user: User, *, now: datetime) -> QuerySet[ApiToken]:
    """The tokens a person may see: their own; an admin, all."""
    tokens = ApiToken.objects.select_related("owner")
    return tokens if is_admin(user, now=now) else tokens.filter(owner=user)
