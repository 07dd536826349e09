"""Policies: proposed by one, approved by product, and by the platform owner besides where they ask for less."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.models import User
from audit import canonical, ledger
from jobs.outbox import emit
from systems import rules
from systems.errors import InvalidInput, InvalidPolicy, refuse
from systems.models import Policy, ReleasePolicy, RunningPolicy, System
from systems.policy import (
    SHIPPED_RELEASE_BARS,
    SHIPPED_RUNNING_LIMITS,
    PolicyError,
    ReleaseBars,
    RunningLimits,
)
from systems.registry import person, policy_state

type AnyPolicy = ReleasePolicy | RunningPolicy

PARTS: dict[str, type[ReleasePolicy] | type[RunningPolicy]] = {"release": ReleasePolicy, "running": RunningPolicy}


def part_of(policy: Policy) -> str:
    return "release" if isinstance(policy, ReleasePolicy) else "running"


@transaction.atomic
def propose_policy(
    *, system: System, part: str, body: Mapping[str, Any], reason: str, by: User, now: datetime
) -> AnyPolicy:
    """The next version of one part, waiting for approval. What `body` leaves out keeps the value in force."""
    if part not in PARTS:
        raise InvalidInput("A policy has two parts: release and running.")
    model = PARTS[part]
    System.objects.select_for_update().get(pk=system.pk)
    waiting = model._default_manager.filter(system=system, state=Policy.State.DRAFT).first()
    refuse(rules.propose_policy(person(by, system=system, now=now), waiting=waiting.number if waiting else None))
    if not reason.strip():
        raise InvalidInput("Say why the policy changes: the reason stands beside it for good.")
    current = model._default_manager.get(system=system, state=Policy.State.APPROVED)
    thresholds, weakens = _read(part, {**current.body, **body})
    proposed = thresholds.body()
    if proposed == current.body:
        raise InvalidInput(f"This is what version {current.number} says already.")
    last = model._default_manager.filter(system=system).order_by("-number").first()
    policy = model._default_manager.create(
        system=system,
        number=last.number + 1 if last else 1,
        body=proposed,
        sha256=canonical.digest(proposed),
        weakens=list(weakens),
        reason=reason.strip(),
        author=by,
        created_at=now,
    )
    changes = {
        name: [current.body.get(name), value] for name, value in proposed.items() if current.body.get(name) != value
    }
    _record("policy.proposed", policy, by=by, now=now, changes=changes, weakens=list(weakens), reason=policy.reason)
    emit("systems.policy-proposed", subject=f"policy:{policy.pk}", payload=_label(policy), now=now)
    return policy


def _read(part: str, body: Mapping[str, Any]) -> tuple[ReleaseBars | RunningLimits, tuple[str, ...]]:
    try:
        if part == "release":
            bars = ReleaseBars.parse(body)
            return bars, bars.weaker_than(SHIPPED_RELEASE_BARS)
        limits = RunningLimits.parse(body)
        return limits, limits.weaker_than(SHIPPED_RUNNING_LIMITS)
    except PolicyError as error:
        raise InvalidPolicy(error) from error


@transaction.atomic
def approve_policy(*, policy: AnyPolicy, role: str, by: User, now: datetime) -> AnyPolicy:
    """One approval, as product or as platform owner. The last one that is needed puts the policy in force."""
    policy = _locked(policy)
    refuse(rules.approve_policy(person(by, system=policy.system, now=now), policy_state(policy), role=role))
    if role == "product":
        policy.approver = by
    else:
        policy.platform_approver = by
    complete = policy.approver_id is not None and (policy.platform_approver_id is not None or not policy.weakens)
    if complete:
        current = type(policy)._default_manager.get(system=policy.system, state=Policy.State.APPROVED)
        current.state, current.superseded_at = Policy.State.SUPERSEDED, now
        current.save(update_fields=["state", "superseded_at"])
        policy.state, policy.approved_at = Policy.State.APPROVED, now
    policy.save(update_fields=["approver", "platform_approver", "state", "approved_at"])
    _record("policy.approved", policy, by=by, now=now, role=role, in_force=complete)
    if complete:
        emit("systems.policy-approved", subject=f"policy:{policy.pk}", payload=_label(policy), now=now)
    return policy


@transaction.atomic
def decline_policy(*, policy: AnyPolicy, reason: str, by: User, now: datetime) -> AnyPolicy:
    policy = _locked(policy)
    refuse(rules.decline_policy(person(by, system=policy.system, now=now), policy_state(policy)))
    if not reason.strip():
        raise InvalidInput("Say why: whoever proposed it wants to know.")
    policy.state = Policy.State.DECLINED
    policy.save(update_fields=["state"])
    _record("policy.declined", policy, by=by, now=now, reason=reason.strip())
    return policy


def _locked(policy: AnyPolicy) -> AnyPolicy:
    System.objects.select_for_update().get(pk=policy.system_id)
    return type(policy)._default_manager.select_related("system").get(pk=policy.pk)


def _label(policy: AnyPolicy) -> dict[str, Any]:
    return {"system": policy.system.slug, "part": part_of(policy), "policy": str(policy.pk), "number": policy.number}


def _record(kind: str, policy: AnyPolicy, *, by: User, now: datetime, **more: Any) -> None:
    ledger.append(
        kind=kind,
        by=by,
        subject=f"policy:{policy.pk}",
        system=policy.system.slug,
        now=now,
        payload={"part": part_of(policy), "number": policy.number, "sha256": policy.sha256, **more},
    )
