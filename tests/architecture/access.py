"""Who may reach which address. A route without a row fails the build, and so does a row without a route.

A row names who gets through. Everybody else is refused: strangers are asked to sign in; on the addresses of a system,
people of another system, and their machines, are told that there is nothing (404); elsewhere they are told no (403).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Who(Enum):
    PUBLIC = frozenset({"anonymous", "outsider", "member", "auditor", "admin"})
    SIGNED_IN = frozenset({"outsider", "member", "auditor", "admin"})
    MEMBERS = frozenset({"member", "auditor", "admin"})  # of the system in the address
    READERS = frozenset({"auditor", "admin"})  # of the whole organisation
    ADMINS = frozenset({"admin"})
    CONFIRMERS = frozenset({"member", "admin"})  # an admin, or who holds a side that confirms the role


@dataclass(frozen=True)
class Access:
    who: Who
    args: Mapping[str, Any] = field(default_factory=dict)  # what the world's arguments do not say
    pk: str = ""  # the kind of thing that the argument pk means
    body: Mapping[str, Any] = field(default_factory=dict)  # of a POST, where rules are asked only after the form
    writing: Who | None = None  # who may POST, PUT and DELETE, where others may read
    may_refuse: bool = False  # a rule about the person or the state may say no (403) to who gets through
    token_only: bool = False  # a session is no proof here, or not to write (401)
    missing_ok: bool = False  # the world has no such thing: who gets through is told so (404)


PUBLIC, SIGNED_IN, SYSTEM = Access(Who.PUBLIC), Access(Who.SIGNED_IN), Access(Who.MEMBERS)

# The pages of django-allauth: a name, or a beginning of names. The longest that fits says it.
ALLAUTH: dict[str, Access] = {
    "account_": Access(Who.SIGNED_IN, missing_ok=True),
    "account_confirm_email": Access(Who.SIGNED_IN, args={"key": "nothing"}, missing_ok=True),
    "account_confirm_login_code": Access(Who.PUBLIC, missing_ok=True),
    "account_login": PUBLIC,
    "account_inactive": PUBLIC,
    "account_reset_password": PUBLIC,
    "mfa_": Access(Who.SIGNED_IN, missing_ok=True),
    "mfa_authenticate": PUBLIC,
    "mfa_login_webauthn": PUBLIC,
    "usersessions_": SIGNED_IN,
}

ROWS: dict[str, Access] = {
    "healthz": PUBLIC,
    "readyz": PUBLIC,
    "metrics": PUBLIC,
    "schema": PUBLIC,
    "components": SIGNED_IN,
    "components-toast": SIGNED_IN,
    "components-problem": SIGNED_IN,
    "component-page": Access(Who.SIGNED_IN, args={"name": "list"}),
    "accounts:setup": Access(Who.PUBLIC, missing_ok=True),
    "accounts:enrol": SIGNED_IN,
    "accounts:me": SIGNED_IN,
    "accounts:people": Access(Who.SIGNED_IN, writing=Who.ADMINS),
    "accounts:person": Access(Who.READERS, pk="person"),
    "accounts:grant": Access(Who.ADMINS, pk="person"),
    "accounts:deactivate": Access(Who.ADMINS, pk="person"),
    "accounts:reset-factors": Access(Who.ADMINS, pk="person"),
    "accounts:confirm": Access(Who.CONFIRMERS, pk="grant", may_refuse=True),
    "accounts:revoke": Access(Who.ADMINS, pk="grant"),
    "accounts:confirm-reset": Access(Who.ADMINS, pk="reset", may_refuse=True),
    "accounts:tokens": Access(Who.SIGNED_IN, writing=Who.ADMINS),
    "accounts:revoke-token": Access(Who.SIGNED_IN, pk="token", missing_ok=True),
    "accounts_api:me": SIGNED_IN,
    "accounts_api:people": Access(Who.READERS),
    "accounts_api:tokens": Access(Who.SIGNED_IN, writing=Who.ADMINS),
    "accounts_api:token": Access(Who.SIGNED_IN, pk="token", missing_ok=True),
    "systems:list": SIGNED_IN,
    "systems:create": SIGNED_IN,
    "systems:detail": SYSTEM,
    "systems:change": SYSTEM,
    "systems:owners": SYSTEM,
    "systems:add-component": SYSTEM,
    "systems:component": SYSTEM,
    "systems:draft": SYSTEM,
    "systems:retire-component": SYSTEM,
    "systems:version": SYSTEM,
    "systems:content": SYSTEM,
    "systems:version-act": Access(Who.MEMBERS, args={"act": "deprecate"}),
    "systems:policy": SYSTEM,
    "systems:propose": SYSTEM,
    "systems:policy-version": SYSTEM,
    "systems:policy-act": Access(Who.MEMBERS, args={"act": "approve"}),
    "systems_api:systems": Access(Who.SIGNED_IN, writing=Who.ADMINS, body={"slug": "new", "name": "New"}),
    "systems_api:system": SYSTEM,
    "systems_api:owners": SYSTEM,
    "systems_api:components": SYSTEM,
    "systems_api:versions": SYSTEM,
    "systems_api:version": SYSTEM,
    "systems_api:version-act": Access(Who.MEMBERS, args={"act": "deprecate"}),
    "systems_api:policies": SYSTEM,
    "systems_api:policy-act": Access(Who.MEMBERS, args={"act": "approve"}),
    "metrics:system": SYSTEM,
    "metrics:upload": SYSTEM,
    "metrics:run": SYSTEM,
    "metrics:run-file": SYSTEM,
    "metrics:run-origin": SYSTEM,
    "metrics:sources": SYSTEM,
    "metrics:source-new": Access(Who.MEMBERS, args={"kind": "trail"}),
    "metrics:source": SYSTEM,
    "metrics:source-change": SYSTEM,
    "metrics:source-test": SYSTEM,
    "metrics:source-pull": SYSTEM,
    "metrics:source-retire": SYSTEM,
    "metrics:pull": SYSTEM,
    "metrics_api:evaluations": SYSTEM,
    "metrics_api:evaluation": SYSTEM,
    "metrics_api:evaluation-origin": SYSTEM,
    "metrics_api:sources": SYSTEM,
    "metrics_api:source": SYSTEM,
    "metrics_api:source-retire": SYSTEM,
    "metrics_api:source-test": SYSTEM,
    "metrics_api:pulls": SYSTEM,
    "metrics_api:measurements": SYSTEM,
    "operations:system": SYSTEM,
    "operations:status": SYSTEM,
    "operations:freeze": SYSTEM,
    "operations:mitigation": SYSTEM,
    "operations:confirmation": SYSTEM,
    "operations:drills": SYSTEM,
    "operations:drill": SYSTEM,
    "operations:drill-start": SYSTEM,
    "operations:drill-moment": SYSTEM,
    "operations:drill-recovered": SYSTEM,
    "operations:drill-end": SYSTEM,
    "operations:drill-evidence": Access(Who.MEMBERS, missing_ok=True),
    "operations:channels": SYSTEM,
    "operations:channel-test": SYSTEM,
    "operations:channel-rotate": Access(Who.MEMBERS, may_refuse=True),
    "operations:channel-switch": Access(Who.MEMBERS, may_refuse=True),
    "operations:resend": SYSTEM,
    "operations:settings": Access(Who.ADMINS),
    "operations:mail": SIGNED_IN,
    "operations_api:budget": SYSTEM,
    "operations_api:status": SYSTEM,
    "operations_api:alarms": SYSTEM,
    "operations_api:freezes": SYSTEM,
    "operations_api:mitigation": SYSTEM,
    "operations_api:confirmation": SYSTEM,
    "operations_api:drills": SYSTEM,
    "operations_api:drill": SYSTEM,
    "operations_api:drill-start": SYSTEM,
    "operations_api:drill-moments": SYSTEM,
    "operations_api:drill-recovered": SYSTEM,
    "operations_api:drill-end": SYSTEM,
    "operations_api:channels": SYSTEM,
    "operations_api:deliveries": SYSTEM,
    "operations_api:organisation-channels": Access(
        Who.ADMINS, body={"name": "All", "kind": "email", "target": "all@example.test"}
    ),
    "operations_api:channel-test": SYSTEM,
    "operations_api:channel-secret": Access(Who.MEMBERS, may_refuse=True),
    "operations_api:channel-switch": Access(Who.MEMBERS, may_refuse=True),
    "operations_api:resend": SYSTEM,
    "releases:work": SIGNED_IN,
    "releases:list": SIGNED_IN,
    "releases:system": SYSTEM,
    "releases:open": SYSTEM,
    "releases:detail": SYSTEM,
    "releases:setup": SYSTEM,
    "releases:questions": SYSTEM,
    "releases:rollout": Access(Who.MEMBERS, missing_ok=True),
    "releases:history": SYSTEM,
    "releases:move": Access(Who.MEMBERS, args={"act": "abandon"}),
    "releases:say": Access(Who.MEMBERS, args={"act": "reject"}, may_refuse=True),
    "releases:sign": SYSTEM,
    "releases:certificate": Access(Who.MEMBERS, missing_ok=True),
    "releases:item": SYSTEM,
    "releases:evidence": SYSTEM,
    "releases:item-act": Access(Who.MEMBERS, args={"act": "assign"}),
    "releases:standard": Access(Who.SIGNED_IN, args={"number": "2026.1"}),
    "releases:decision": Access(Who.MEMBERS, pk="decision"),
    "releases:reproduce": SYSTEM,
    "releases_api:releases": SIGNED_IN,
    "releases_api:release": SYSTEM,
    "releases_api:gate": SYSTEM,
    "releases_api:act": SYSTEM,
    "releases_api:items": SYSTEM,
    "releases_api:item": SYSTEM,
    "releases_api:evidence": SYSTEM,
    "releases_api:sign-off": SYSTEM,
    "releases_api:reproduce": SYSTEM,
    "releases_api:standard": Access(Who.SIGNED_IN, args={"number": "2026.1"}),
    "releases_api:decision": Access(Who.MEMBERS, pk="decision"),
    "ingest:traces": Access(Who.SIGNED_IN, token_only=True),
    "audit:requests": SIGNED_IN,
    "audit:request": SYSTEM,
    "audit:payload": SYSTEM,
    "audit:ledger": SIGNED_IN,
    "audit:checkpoints": SIGNED_IN,
    "audit:entry": SYSTEM,
    "audit:entry-payload": SYSTEM,
    "audit:proof": SYSTEM,
    "audit_api:requests": Access(Who.SIGNED_IN, token_only=True),
    "audit_api:request": SYSTEM,
    "audit_api:entries": SIGNED_IN,
    "audit_api:entry": SYSTEM,
    "audit_api:entry-payload": SYSTEM,
    "audit_api:proof": SYSTEM,
    "audit_api:checkpoint": Access(Who.SIGNED_IN, missing_ok=True),
    "audit_api:key": PUBLIC,
}
