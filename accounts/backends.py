"""Permissions for lower floors: `user.has_perm("audit.browse", "support-bot")`, answered from roles."""

from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.utils import timezone

from accounts.queries import roles_of
from accounts.roles import Role

_MEMBERS = frozenset(Role.values) - {Role.ADMIN}

# permission -> roles that have it on a system
PERMISSIONS: dict[str, frozenset[str]] = {
    "accounts.manage": frozenset({Role.ADMIN}),
    "audit.browse": _MEMBERS | {Role.ADMIN},
    "audit.payload": frozenset({Role.AUDITOR}),
    "metrics.manage": frozenset({Role.ENGINEERING, Role.OPERATIONS, Role.PRODUCT}),
}


class RoleBackend(BaseBackend):
    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """`obj` is a system's slug; without one only roles for the whole organisation count."""
        wanted = PERMISSIONS.get(perm)
        if wanted is None or not user_obj.is_active:
            return False
        return not wanted.isdisjoint(roles_of(user_obj, system=obj or "", now=timezone.now()))
