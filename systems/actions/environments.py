"""Agreeing that an environment is no production: an admin and the platform owner together (audit.environments)."""

from datetime import datetime
from typing import Literal

from django.db import IntegrityError, transaction

from accounts.models import User
from audit import environments, ledger
from audit.models import SideEnvironment
from systems import rules
from systems.errors import InvalidInput, Refused, refuse
from systems.models import System
from systems.registry import person
from web.problems import NotFound

MOST = 1_000_000


@transaction.atomic
def propose_environment(
    *,
    system: System,
    name: str,
    kind: str,
    daily_requests: int,
    reason: str,
    by: User,
    now: datetime,
) -> SideEnvironment:
    asking = person(by, system=system, now=now)
    refuse(rules.propose_environment(asking))
    name, reason = name.strip(), reason.strip()
    if kind not in SideEnvironment.Kind.values:
        raise InvalidInput("An environment is set aside as test or as shadow.")
    if not name or not reason:
        raise InvalidInput("Name the environment as its ingest token does, and say what it is for.")
    if name.lower() in ("production", "prod"):
        raise InvalidInput("Production is production.")
    if not 0 < daily_requests <= MOST:
        raise InvalidInput(f"Agree on a volume of 1 to {MOST:,} requests a day.")
    as_role: Literal["admin", "platform"] = "admin" if "admin" in asking.roles else "platform"
    try:
        with transaction.atomic():
            made = SideEnvironment.objects.create(
                system=system.slug,
                name=name,
                kind=kind,
                daily_requests=daily_requests,
                reason=reason,
                proposed_by=by.actor_id,
                proposed_by_name=by.actor_name,
                proposed_as=as_role,
                proposed_at=now,
            )
    except IntegrityError:
        raise Refused(f"{name} is set aside already, or waits for its second person.") from None
    _record("system.environment-proposed", made, by=by, now=now, reason=reason)
    return made


@transaction.atomic
def confirm_environment(*, system: System, environment_id: str, by: User, now: datetime) -> SideEnvironment:
    """The other of the two. From now on its requests are no production."""
    found = _locked(system, environment_id)
    refuse(rules.confirm_environment(person(by, system=system, now=now), proposal_of(found), actor=by.actor_id))
    found.confirmed_by, found.confirmed_by_name, found.confirmed_at = by.actor_id, by.actor_name, now
    found.save(update_fields=["confirmed_by", "confirmed_by_name", "confirmed_at"])
    _record("system.environment-set-aside", found, by=by, now=now, reason=found.reason)
    return found


@transaction.atomic
def end_environment(*, system: System, environment_id: str, reason: str, by: User, now: datetime) -> SideEnvironment:
    """Takes it back, or declines it: stricter, so one person is enough."""
    found = _locked(system, environment_id)
    refuse(rules.end_environment(person(by, system=system, now=now), proposal_of(found)))
    if not reason.strip():
        raise InvalidInput("Say why it counts as production from now on.")
    environments.end(found, reason=reason.strip(), by=by, now=now)
    found.refresh_from_db()
    return found


def proposal_of(found: SideEnvironment) -> rules.EnvironmentState:
    return rules.EnvironmentState(found.state, found.proposed_by, found.proposed_as)


def _locked(system: System, environment_id: str) -> SideEnvironment:
    rows = SideEnvironment.objects.select_for_update().filter(system=system.slug, pk=environment_id)
    if (found := rows.first()) is None:
        raise NotFound("There is no such environment.")
    return found


def _record(kind: str, environment: SideEnvironment, *, by: User, now: datetime, reason: str) -> None:
    ledger.append(
        kind=kind,
        by=by,
        subject=f"system:{environment.system}",
        system=environment.system,
        now=now,
        payload={
            "environment": environment.name,
            "kind": environment.kind,
            "daily_requests": environment.daily_requests,
            "reason": reason,
        },
    )
