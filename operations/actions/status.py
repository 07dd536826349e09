"""What callers of a system are told: serve normally, serve less, serve the fallback, stop."""

from datetime import datetime

from django.db import transaction
from django.urls import reverse

from accounts.models import User
from audit.actors import SYSTEM
from audit.ledger import append
from operations import rules
from operations.errors import InvalidInput, refuse
from operations.models import DegradationPlan, StatusChange
from operations.notify import notify
from operations.queries import person, status_now
from systems.models import System

WHO = ("product", "engineering", "operations", "platform")


def change_status(
    *,
    system: System,
    reason: str,
    by: User | None,
    now: datetime,
    status: str = "",
    expires_at: datetime | None = None,
    step: int | None = None,
) -> StatusChange:
    """Switches a system: to a status, or to a step of its degradation plan, which says the status. `by=None` is the
    product itself (a rollback that found nothing to restore stops it)."""
    plan = _plan(system, step) if step is not None else None
    if plan is not None and step is not None:
        said = plan.steps[step - 1]["status"]
        if status not in ("", said):
            raise InvalidInput(f"Step {step} of the plan tells callers {said}, not {status}.")
        status = said
    if status not in StatusChange.Status.values:
        raise InvalidInput(f"A status is one of {', '.join(StatusChange.Status.values)}.")
    with transaction.atomic():
        # Two switches at once: the second sees what the first did.
        System.objects.select_for_update(of=("self",)).get(pk=system.pk)
        current = status_now(system, now)
        if by is not None:
            asking = person(by, system=system, now=now)
            refuse(rules.change_status(current, asking, status=status, expires_at=expires_at, now=now, step=step))
        change = StatusChange.objects.create(
            system=system, status=status, reason=reason, changed_by=by, changed_at=now, expires_at=expires_at,
            plan=plan, step=step,
        )  # fmt: skip
        notify(
            topic="operations.status-changed",
            system=system,
            subject=f"system:{system.slug}",
            title=f"{system.name} is {change.get_status_display().lower()} now",
            body=reason,
            url=reverse("operations:system", args=[system.slug]),
            now=now,
            roles=WHO,
            key=f"status:{change.pk}",
        )
        append(
            kind="status.changed",
            by=by or SYSTEM,
            subject=f"system:{system.slug}",
            system=system.slug,
            now=now,
            payload={
                "from": current.status,
                "to": status,
                "reason": reason,
                "expires_at": expires_at,
                "step": step,
                "plan": plan.number if plan else None,
            },
        )
    return change


def _plan(system: System, step: int) -> DegradationPlan:
    plan = DegradationPlan.objects.filter(system=system).first()
    if plan is None:
        raise InvalidInput("There is no degradation plan to walk. Write one first.")
    if not 1 <= step <= len(plan.steps):
        raise InvalidInput(f"The plan has {len(plan.steps)} steps.")
    return plan
