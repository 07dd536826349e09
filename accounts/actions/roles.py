"""Granting, confirming and taking away roles."""

from datetime import datetime

from django.db import IntegrityError, transaction

from accounts.access import require_admin
from accounts.errors import AccountsError, LastAdmin, SecondPersonNeeded
from accounts.locking import lock_people
from accounts.models import RoleGrant, User
from accounts.queries import admins, living_grants, only_admin_ever, roles_of
from accounts.roles import CONFIRMED_ROLES, Role, confirming_sides
from accounts.sessions import end_sessions
from audit import ledger
from audit.actors import SYSTEM, Actor
from jobs.outbox import emit
from web.problems import Forbidden, Invalid


@transaction.atomic
def grant_role(
    *,
    user: User,
    role: str,
    by: User,
    now: datetime,
    system: str = "",
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
) -> RoleGrant:
    """Gives a role. One that signs or verifies waits for a second person, unless the installation never had
    another admin: who takes a second admin's role away alone does not get to act alone."""
    lock_people()
    require_admin(by, now=now)
    if by.is_demo and not user.is_demo:
        raise Forbidden("The demo's people give roles to the demo's people only.")
    if not user.is_active:
        raise AccountsError(f"{user} has left: a role needs somebody who can sign in.")
    founding = role in CONFIRMED_ROLES and only_admin_ever(by)
    return write_grant(
        user=user, role=role, system=system, starts_at=starts_at, ends_at=ends_at, founding=founding, by=by, now=now
    )


def write_grant(
    *,
    user: User,
    role: str,
    system: str,
    starts_at: datetime | None,
    ends_at: datetime | None,
    founding: bool,
    by: Actor,
    now: datetime,
) -> RoleGrant:
    """The grant itself, without asking who may give it: `grant_role` and `complete_setup` have asked."""
    if role not in Role.values:
        raise Invalid(f"There is no role {role!r}.")
    if role == Role.ADMIN and system:
        raise Invalid("An admin is one for the whole organisation.")
    starts_at = starts_at or now
    if ends_at is not None and ends_at <= max(starts_at, now):
        raise Invalid("A role ends after it begins, and not in the past.")
    end_lapsed_roles(now=now, user=user)
    try:
        with transaction.atomic():
            grant = RoleGrant.objects.create(
                user=user,
                role=role,
                system=system,
                starts_at=starts_at,
                ends_at=ends_at,
                granted_by=by if isinstance(by, User) else None,
                granted_at=now,
                founding=founding,
            )
    except IntegrityError as error:
        raise AccountsError(f"{user} holds this role already, or it waits to be confirmed.") from error
    _record("role.granted", grant, by=by, now=now)
    emit("accounts.role-granted", subject=f"user:{user.pk}", payload=_label(grant), now=now)
    return grant


def confirmation_refusals(grant: RoleGrant, *, by: User, now: datetime) -> list[str]:
    """Why this person cannot confirm this grant now; empty where they can."""
    if not grant.pending:
        return ["This grant does not wait for anybody."]
    if by.pk == grant.granted_by_id:
        return ["You granted it: another person confirms."]
    if by.pk == grant.user_id:
        return ["Nobody confirms their own role."]
    if by.is_demo and not grant.user.is_demo:
        return ["The demo's people confirm the demo's people only."]
    sides = confirming_sides(grant.role)
    if roles_of(by, system=grant.system, now=now).isdisjoint({Role.ADMIN, *sides}):
        names = " or ".join(side.label.lower() for side in sides)
        return [f"An admin, or a holder of {names}, confirms it."]
    return []


@transaction.atomic
def confirm_grant(*, grant: RoleGrant, by: User, now: datetime) -> RoleGrant:
    """The second person's yes. From here on the role counts."""
    lock_people()
    grant = RoleGrant.objects.select_for_update(of=("self",)).select_related("user").get(pk=grant.pk)
    if reasons := confirmation_refusals(grant, by=by, now=now):
        raise SecondPersonNeeded(reasons[0])
    grant.confirmed_by, grant.confirmed_at = by, now
    grant.save(update_fields=["confirmed_by", "confirmed_at"])
    _record("role.confirmed", grant, by=by, now=now)
    emit("accounts.role-confirmed", subject=f"user:{grant.user_id}", payload=_label(grant), now=now)
    return grant


@transaction.atomic
def revoke_role(*, grant: RoleGrant, by: User, now: datetime, reason: str = "") -> RoleGrant:
    """Takes a role away at once, by an admin or by its holder, and signs the person out everywhere."""
    lock_people()
    grant = RoleGrant.objects.select_for_update(of=("self",)).select_related("user").get(pk=grant.pk)
    if by.pk != grant.user_id:
        require_admin(by, now=now)
        if by.is_demo and not grant.user.is_demo:
            raise Forbidden("The demo's people take roles from the demo's people only.")
    if grant.revoked_at or grant.ended_at:
        raise AccountsError("This role has ended already.")
    _keep_one_admin(grant, now=now)
    grant.revoked_by, grant.revoked_at = by, now
    grant.save(update_fields=["revoked_by", "revoked_at"])
    _lose(grant, cause="revoked", by=by, now=now, reason=reason)
    return grant


@transaction.atomic
def end_lapsed_roles(*, now: datetime, user: User | None = None) -> int:
    """Roles whose date has come stop counting by themselves; this ends the sessions and tells the others, once."""
    lapsed = RoleGrant.objects.select_for_update(skip_locked=True, of=("self",)).filter(
        ends_at__lte=now, revoked_at=None, ended_at=None
    )
    if user is not None:
        lapsed = lapsed.filter(user=user)
    grants = list(lapsed.select_related("user"))
    for grant in grants:
        grant.ended_at = now
        grant.save(update_fields=["ended_at"])
        _lose(grant, cause="ended", by=SYSTEM, now=now)
    return len(grants)


def _keep_one_admin(grant: RoleGrant, *, now: datetime) -> None:
    counts = living_grants(now=now).filter(pk=grant.pk, role=Role.ADMIN).exists()
    if counts and not admins(demo=grant.user.is_demo, now=now).exclude(pk=grant.user_id).exists():
        raise LastAdmin("This is the last admin. Make somebody else an admin first.")


def _lose(grant: RoleGrant, *, cause: str, by: Actor, now: datetime, reason: str = "") -> None:
    if grant.confirmed:
        end_sessions(grant.user)
    _record("role.ended" if cause == "ended" else "role.revoked", grant, by=by, now=now, reason=reason)
    emit("accounts.role-revoked", subject=f"user:{grant.user_id}", payload={**_label(grant), "cause": cause}, now=now)


def _record(kind: str, grant: RoleGrant, *, by: Actor, now: datetime, reason: str = "") -> None:
    payload = {**_label(grant), "starts_at": grant.starts_at, "ends_at": grant.ends_at}
    if reason:
        payload["reason"] = reason
    ledger.append(kind=kind, by=by, subject=f"user:{grant.user_id}", now=now, system=grant.system, payload=payload)


def _label(grant: RoleGrant) -> dict[str, object]:
    return {
        "grant": str(grant.pk),
        "user": str(grant.user_id),
        "role": grant.role,
        "system": grant.system,
        "founding": grant.founding,
        "confirmed": grant.confirmed,
    }
