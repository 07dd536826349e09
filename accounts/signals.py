"""allauth's signals become entries of the ledger: how people proved who they are belongs to what they signed.

(Our own flow uses no signals. These are another package's, and the only way to hear of what it does.)
"""

from typing import Any

from allauth.account.signals import password_changed, password_reset, password_set, user_logged_in
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authentication_failed, authenticator_added, authenticator_removed, authenticator_reset
from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.dispatch import receiver
from django.utils import timezone

from accounts.models import User
from accounts.sessions import end_other_sessions
from audit import ledger
from audit.actors import SYSTEM
from jobs.outbox import emit


def _record(kind: str, user: User, *, announce: bool = False, refused: bool = False, **payload: Any) -> None:
    now = timezone.now()
    with transaction.atomic():
        # Who failed to sign in is not known to be that person: the product notes it.
        by = SYSTEM if refused else user
        ledger.append(kind=kind, by=by, subject=f"user:{user.pk}", now=now, payload=payload)
        if announce:
            topic = f"accounts.{kind.replace('.', '-')}"
            emit(topic, subject=f"user:{user.pk}", payload={"user": str(user.pk), **payload}, now=now)


@receiver(authenticator_added)
def _added(*, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    _record("factor.added", user, announce=True, type=authenticator.type)


@receiver(authenticator_removed)
def _removed(*, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    _record("factor.removed", user, announce=True, type=authenticator.type)


@receiver(authenticator_reset)
def _renewed(*, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    _record("factor.renewed", user, announce=True, type=authenticator.type)


@receiver([password_set, password_changed, password_reset])
def _password(*, user: User, request: Any, **kwargs: Any) -> None:
    end_other_sessions(user, keep=request.session.session_key)
    _record("password.changed", user, announce=True)


@receiver(user_logged_in)
def _signed_in(*, user: User, request: Any, **kwargs: Any) -> None:
    records = request.session.get("account_authentication_methods", [])
    methods = [record.get("type", record.get("method", "")) for record in records]
    _record("session.opened", user, methods=methods)


@receiver(authentication_failed)
def _wrong_factor(*, user: User, authenticator: Authenticator, **kwargs: Any) -> None:
    _record("session.refused", user, refused=True, factor=authenticator.type)


@receiver(user_login_failed)
def _wrong_password(*, credentials: dict[str, Any], **kwargs: Any) -> None:
    """Only for people there are: a stranger must not be able to fill the ledger with names."""
    user = User.objects.filter(email__iexact=str(credentials.get("email", ""))).first()
    if user is not None:
        _record("session.refused", user, refused=True, factor="password")
