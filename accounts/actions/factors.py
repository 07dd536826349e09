"""Second factors: given to made-up people, and taken from those who lost theirs."""

from datetime import datetime

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.db import IntegrityError, transaction

from accounts.access import require_admin
from accounts.errors import AccountsError, SecondPersonNeeded
from accounts.locking import lock_people
from accounts.models import FactorReset, User
from accounts.queries import living_grants, only_admin_ever, roles_of
from accounts.roles import CONFIRMED_ROLES, SIDES, Role
from accounts.sessions import end_sessions
from audit import ledger
from audit.actors import SYSTEM, Actor
from jobs.outbox import emit
from web.problems import Forbidden, Invalid


@transaction.atomic
def enrol_totp(user: User, *, secret: str, now: datetime, by: Actor = SYSTEM) -> Authenticator:
    """Gives a person a known TOTP seed (base32): for the demo's people and for tests. Others enrol in the browser."""
    authenticator: Authenticator = TOTP.activate(user, secret).instance
    ledger.append(
        kind="factor.added", by=by, subject=f"user:{user.pk}", now=now, payload={"type": "totp", "given": True}
    )
    return authenticator


def reset_needs_second(user: User, *, by: User, now: datetime) -> bool:
    """Whoever resets a signer's factors could sign as them: two people do it, once the installation has had two."""
    signs = living_grants(now=now).filter(user=user, role__in=CONFIRMED_ROLES).exists()
    return signs and not only_admin_ever(by)


@transaction.atomic
def request_factor_reset(*, user: User, reason: str, by: User, now: datetime) -> FactorReset:
    """Asks for all second factors of a person to be removed. Done at once where no second person is asked for."""
    lock_people()
    require_admin(by, now=now)
    if by.is_demo and not user.is_demo:
        raise Forbidden("The demo's people reset the demo's people only.")
    if not reason.strip():
        raise Invalid("Say why: it stands in the record.")
    second = reset_needs_second(user, by=by, now=now)
    try:
        with transaction.atomic():
            reset = FactorReset.objects.create(user=user, reason=reason.strip(), requested_by=by, requested_at=now)
    except IntegrityError as error:
        raise AccountsError(f"A reset of {user} waits for its second person already.") from error
    payload = {"reset": str(reset.pk), "reason": reset.reason, "second_person": second}
    ledger.append(kind="factors.reset-requested", by=by, subject=f"user:{user.pk}", now=now, payload=payload)
    emit("accounts.factors-reset-requested", subject=f"user:{user.pk}", payload={"reset": str(reset.pk)}, now=now)
    if not second:
        _remove_factors(reset, by=by, now=now)
    return reset


def reset_refusals(reset: FactorReset, *, by: User, now: datetime) -> list[str]:
    """Why this person cannot confirm this reset now; empty where they can."""
    if reset.done_at:
        return ["This reset was done already."]
    if by.pk == reset.requested_by_id:
        return ["You asked for it: another person confirms."]
    if by.pk == reset.user_id:
        return ["Nobody confirms the reset of their own factors."]
    if by.is_demo and not reset.user.is_demo:
        return ["The demo's people confirm the demo's people only."]
    if roles_of(by, system="", now=now).isdisjoint({Role.ADMIN, *SIDES}):
        return ["An admin, or a holder of engineering or operations for the whole organisation, confirms it."]
    return []


@transaction.atomic
def confirm_factor_reset(*, reset: FactorReset, by: User, now: datetime) -> FactorReset:
    lock_people()
    reset = FactorReset.objects.select_for_update(of=("self",)).select_related("user").get(pk=reset.pk)
    if reasons := reset_refusals(reset, by=by, now=now):
        raise SecondPersonNeeded(reasons[0])
    reset.confirmed_by = by
    _remove_factors(reset, by=by, now=now)
    return reset


def _remove_factors(reset: FactorReset, *, by: User, now: datetime) -> None:
    removed, _ = Authenticator.objects.filter(user=reset.user).delete()
    reset.done_at = now
    reset.save(update_fields=["confirmed_by", "done_at"])
    end_sessions(reset.user)
    subject = f"user:{reset.user_id}"
    ledger.append(
        kind="factors.reset", by=by, subject=subject, now=now, payload={"reset": str(reset.pk), "removed": removed}
    )
    emit("accounts.factors-reset", subject=subject, payload={"reset": str(reset.pk)}, now=now)
