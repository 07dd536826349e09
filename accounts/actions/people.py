"""People come by invitation and leave by deactivation; they are never deleted, since the record names them."""

from datetime import datetime

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts.access import require_admin
from accounts.actions.roles import revoke_role
from accounts.actions.tokens import revoke_token
from accounts.errors import AccountsError
from accounts.models import User
from accounts.sessions import end_sessions
from audit import ledger
from audit.actors import Actor
from jobs.outbox import emit
from jobs.queue import enqueue
from web.problems import Forbidden, Invalid


@transaction.atomic
def create_user(
    *, email: str, name: str, by: Actor, now: datetime, password: str | None = None, is_demo: bool = False
) -> User:
    """A person without any role. Without a password they set one themselves, by invitation."""
    email, name = email.strip().lower(), name.strip()
    if not name:
        raise Invalid("A person needs a name: it stands on what they sign.")
    try:
        validate_email(email)
    except ValidationError as error:
        raise Invalid(f"{email!r} is not an e-mail address.") from error
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, password, name=name, is_demo=is_demo)
    except IntegrityError as error:
        raise AccountsError(f"Somebody with the address {email} is here already.") from error
    ledger.append(
        kind="user.created", by=by, subject=f"user:{user.pk}", now=now, payload={"name": name, "demo": is_demo}
    )
    return user


@transaction.atomic
def invite(*, email: str, name: str, by: User, now: datetime) -> User:
    """Creates a person, and mails them a link with which they choose a password."""
    require_admin(by, now=now)
    if by.is_demo:
        raise Forbidden("The demo's people cannot invite anybody.")
    user = create_user(email=email, name=name, by=by, now=now)
    enqueue("accounts.mail_invitation", key=f"invitation:{user.pk}", args={"user_id": str(user.pk)}, now=now)
    emit("accounts.invited", subject=f"user:{user.pk}", payload={"user": str(user.pk)}, now=now)
    return user


@transaction.atomic
def rename(*, user: User, name: str, by: User, now: datetime) -> User:
    """A new name for a person. Signatures and certificates keep the one that stood there."""
    if by.pk != user.pk:
        require_admin(by, now=now)
    if not name.strip():
        raise Invalid("A person needs a name: it stands on what they sign.")
    before, user.name = user.name, name.strip()
    user.save(update_fields=["name"])
    payload = {"from": before, "to": user.name}
    ledger.append(kind="user.renamed", by=by, subject=f"user:{user.pk}", now=now, payload=payload)
    return user


def invitation_path(user: User) -> str:
    """Where the invited person chooses a password. It works once, and for PASSWORD_RESET_TIMEOUT."""
    key = default_token_generator.make_token(user)
    return reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})


@transaction.atomic
def deactivate(*, user: User, by: User, now: datetime, reason: str) -> User:
    """Shuts a person out: roles and tokens are revoked for good, sessions end. Coming back means being granted anew."""
    require_admin(by, now=now)
    if not reason.strip():
        raise Invalid("Say why: it stands in the record.")
    if not user.is_active:
        raise AccountsError(f"{user} has left already.")
    for grant in user.grants.filter(revoked_at=None, ended_at=None):
        revoke_role(grant=grant, by=by, now=now, reason=reason)
    for token in user.tokens.filter(revoked_at=None):
        revoke_token(token=token, by=by, now=now)
    user.is_active = False
    user.save(update_fields=["is_active"])
    end_sessions(user)
    ledger.append(kind="user.deactivated", by=by, subject=f"user:{user.pk}", now=now, payload={"reason": reason})
    emit("accounts.deactivated", subject=f"user:{user.pk}", payload={"user": str(user.pk)}, now=now)
    return user
