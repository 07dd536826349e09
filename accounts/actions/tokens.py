"""Issuing and revoking machine tokens. What they look like, and how they are checked: accounts.tokens."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from accounts.access import require_admin
from accounts.errors import AccountsError
from accounts.models import ApiToken, User
from accounts.queries import is_member
from accounts.tokens import generate, hash_of
from audit import ledger
from jobs.outbox import emit
from web.problems import Forbidden, Invalid


@transaction.atomic
def issue_token(
    *,
    owner: User,
    name: str,
    scopes: Iterable[str],
    by: User,
    now: datetime,
    system: str = "",
    environment: str = "",
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """A new token, and its secret, which nobody can read again afterwards."""
    require_admin(by, now=now)
    wanted = sorted(set(scopes))
    if not name.strip():
        raise Invalid("A token needs a name that says what uses it.")
    if not wanted or (unknown := set(wanted) - set(ApiToken.Scope.values)):
        raise Invalid(f"There is no scope {sorted(unknown)[0]!r}." if wanted else "A token needs a scope.")
    if ApiToken.Scope.INGEST in wanted and not (system and environment):
        raise Invalid("A token that sends traces is for one system and one environment.")
    if expires_at is not None and expires_at <= now:
        raise Invalid("A token expires in the future.")
    if by.is_demo and not owner.is_demo:
        raise Forbidden("The demo's people make tokens for the demo's people only.")
    if not owner.is_active or not is_member(owner, system=system, now=now):
        where = f"on {system}" if system else "for the whole organisation"
        raise Invalid(f"A token writes as its owner, and {owner} has no role {where}.")
    public_id, secret = generate()
    token = ApiToken.objects.create(
        public_id=public_id,
        secret_hash=hash_of(secret),
        owner=owner,
        name=name.strip(),
        scopes=wanted,
        system=system,
        environment=environment,
        created_at=now,
        expires_at=expires_at,
    )
    payload = {
        "token": public_id,
        "name": token.name,
        "owner": str(owner.pk),
        "scopes": wanted,
        "environment": environment,
        "expires_at": expires_at,
    }
    ledger.append(kind="token.issued", by=by, subject=f"token:{public_id}", now=now, system=system, payload=payload)
    emit("accounts.token-issued", subject=f"token:{public_id}", payload={"owner": str(owner.pk)}, now=now)
    return token, secret


@transaction.atomic
def revoke_token(*, token: ApiToken, by: User, now: datetime) -> ApiToken:
    """Ends a token at once; its owner may, and every admin."""
    token = ApiToken.objects.select_for_update(of=("self",)).select_related("owner").get(pk=token.pk)
    if by.pk != token.owner_id:
        require_admin(by, now=now)
    if token.revoked_at:
        raise AccountsError("This token was revoked already.")
    token.revoked_at = now
    token.save(update_fields=["revoked_at"])
    subject = f"token:{token.public_id}"
    ledger.append(kind="token.revoked", by=by, subject=subject, now=now, system=token.system, payload={})
    emit("accounts.token-revoked", subject=subject, payload={"owner": str(token.owner_id)}, now=now)
    return token
