"""Who is signed in, and permissions for lower floors: `user.has_perm("audit.browse", "support-bot")`, from roles."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.backends import BaseBackend
from django.utils import timezone

from accounts.models import User
from accounts.queries import grants_of
from accounts.roles import Role
from web.prepared import Prepared

_MEMBERS = frozenset(Role.values) - {Role.ADMIN}

# permission -> roles that have it on a system
PERMISSIONS: dict[str, frozenset[str]] = {
    "accounts.manage": frozenset({Role.ADMIN}),
    "audit.browse": _MEMBERS | {Role.ADMIN},
    "audit.payload": frozenset({Role.AUDITOR}),
    "metrics.manage": frozenset({Role.ENGINEERING, Role.OPERATIONS, Role.PRODUCT}),
}


_people = Prepared(lambda pk: User.objects.filter(pk=pk))


class SignInBackend(AuthenticationBackend):
    """allauth's, with a prepared query for who is signed in: every page asks it."""

    def get_user(self, user_id: Any) -> User | None:
        return next((user for user in _people(pk=user_id) if self.user_can_authenticate(user)), None)


class RoleBackend(BaseBackend):
    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """`obj` is a system's slug; without one only roles for the whole organisation count."""
        wanted = PERMISSIONS.get(perm)
        if wanted is None or not user_obj.is_active:
            return False
        return any(role in wanted and system in ("", obj) for system, role in _held_by(user_obj))


def _held_by(user: User) -> tuple[tuple[str, str], ...]:
    """Asked once for each request, which reads the person anew, and kept with the person: Django's own backend does so.
    Actions ask again, under their locks (`accounts.queries.roles_of`)."""
    held: tuple[tuple[str, str], ...] | None = user.__dict__.get("_held")
    if held is None:
        held = user.__dict__["_held"] = grants_of(user, now=timezone.now())
    return held
