"""May this person see this system? The one place where the views of all packages ask.

Who may not even know that something exists is told that it does not (404); who may see it but not act is told so (403).
"""

from datetime import datetime

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.request import Request

from accounts.models import ApiToken, User
from accounts.queries import is_admin, roles_of, systems_of
from accounts.roles import Role
from web.problems import Forbidden, NotFound, Unauthenticated

_NOTHING_HERE = "There is nothing here, or you may not see it."


def person(request: HttpRequest | Request) -> User:
    """Who asks; with a machine token, its owner."""
    user: User | AnonymousUser = request.user
    if not isinstance(user, User):
        raise Unauthenticated("Sign in first.")
    return user


def check_system(request: HttpRequest | Request, slug: str, *, now: datetime) -> frozenset[str]:
    """The roles of the caller on a system; `NotFound` where there are none, or the token is another system's."""
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken) and token.system not in ("", slug):
        raise NotFound(_NOTHING_HERE)
    roles = roles_of(person(request), system=slug, now=now)
    if not roles:
        raise NotFound(_NOTHING_HERE)
    return roles


def require_member(request: HttpRequest | Request, slug: str) -> frozenset[str]:
    """For a view: the roles that the caller holds on the system, or the answer that there is no such thing."""
    return check_system(request, slug, now=timezone.now())


def visible_systems(request: HttpRequest | Request, *, now: datetime) -> set[str] | None:
    """Slugs of the systems that a list may show to the caller; None means all of them."""
    slugs = systems_of(person(request), now=now)
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken) and token.system:
        return {token.system} if slugs is None or token.system in slugs else set()
    return slugs


def require_role(user: User, *roles: str, system: str, now: datetime) -> None:
    """For an action: the person holds one of `roles` on the system."""
    held = roles_of(user, system=system, now=now)
    if not held:
        raise NotFound(_NOTHING_HERE)
    if held.isdisjoint(roles):
        raise Forbidden(f"This takes {_either(roles)}. You are {_either(sorted(held))} here.")


def require_admin(user: User, *, now: datetime) -> None:
    if not is_admin(user, now=now):
        raise Forbidden("This takes an admin.")


def _either(roles: tuple[str, ...] | list[str]) -> str:
    names = [Role(role).label.lower() for role in roles]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
