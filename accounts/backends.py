"""Who is signed in, and permissions for lower floors: `user.has_perm("audit.browse", "support-bot")`, from roles."""

from typing import Any

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.auth.backends import BaseBackend
from django.utils import timezone

from accounts.models import User
from accounts.queries import held_by, knowing_roles
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


_people = Prepared(lambda pk, now: knowing_roles(User.objects.filter(pk=pk), now=now))


class SignInBackend(AuthenticationBackend):
    """allauth's, with a prepared query for who is signed in and what they hold: every page asks it."""

    def get_user(self, user_id: Any) -> User | None:
        people = _people(pk=user_id, now=timezone.now())
        return next((user for user in people if self.user_can_authenticate(user)), None)


class RoleBackend(BaseBackend):
    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """`obj` is a system's slug; without one only roles for the whole organisation count."""
        wanted = PERMISSIONS.get(perm)
        if wanted is None or not user_obj.is_active:
            return False
        return any(role in wanted and system in ("", obj) for system, role in held_by(user_obj, now=timezone.now()))
