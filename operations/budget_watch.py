"""Looking at the spending of every system and of its tenants, and raising an alarm when a threshold was crossed."""

import logging
from datetime import datetime
from typing import Any

from django.db import transaction
from django.urls import reverse

from audit import trail
from audit.actors import SYSTEM
from audit.ledger import append
from operations.budget import BudgetState, budget_state, crossed_at, day_of, usd
from operations.conditions import begin, end, open_conditions
from operations.models import BudgetAlarm, Condition, TenantBudget
from operations.notify import notify
from systems.models import System

log = logging.getLogger(__name__)

TOPICS = {"alert": "operations.budget-alert", "exceeded": "operations.budget-exceeded"}
WHO = ("operations", "engineering", "product")


def watch_all(*, now: datetime) -> None:
    """One system's trouble must not silence the others' alarms, so each is looked at for itself."""
    failed = []
    for system in System.objects.all():
        try:
            watch(system, now=now)
            watch_tenants(system, now=now)
        except Exception as error:
            log.exception("The budget of %s could not be watched", system.slug)
            failed.append(f"{system.slug}: {error}")
    if failed:
        raise RuntimeError("Budgets not watched: " + "; ".join(failed))


def watch(system: System, *, now: datetime) -> BudgetAlarm | None:
    """Raises the alarm of the level that spending has reached today, if it has not been raised yet."""
    budget = budget_state(system, now)
    if budget.state == "ok":
        return None
    threshold = budget.cap_nanousd if budget.state == "exceeded" else budget.alert_nanousd
    which = {"system": system, "day": budget.day, "level": budget.state, "threshold_nanousd": threshold}
    if _raised(which):
        return None
    breach_at = reached_at(system, threshold, now=now)
    with transaction.atomic():
        # Of two watchers the unique key of the notification lets one through; the other finds its row.
        notification = notify(
            topic=TOPICS[budget.state],
            system=system,
            subject=f"system:{system.slug}",
            title=_title(system, budget),
            body=_body(budget),
            url=reverse("operations:system", args=[system.slug]),
            now=now,
            roles=WHO,
            key=f"budget:{system.pk}:{budget.day}:{budget.state}:{threshold}",
            breach_at=breach_at,
        )
        alarm, created = BudgetAlarm.objects.get_or_create(
            **which,
            defaults={
                "spent_nanousd": budget.spent_nanousd,
                "breach_at": breach_at,
                "noticed_at": now,
                "notification": notification,
            },
        )
        if created:
            append(
                kind=f"budget.{budget.state}",
                by=SYSTEM,
                subject=f"system:{system.slug}",
                system=system.slug,
                now=now,
                payload={
                    "day": budget.day,
                    "spent_nanousd": budget.spent_nanousd,
                    "threshold_nanousd": threshold,
                    "breach_at": breach_at,
                },
            )
    return alarm


def watch_tenants(system: System, *, now: datetime) -> None:
    """Each tenant's own budget. It stops no release: the application asks, and refuses that tenant."""
    today = day_of(system.time_zone, now)
    spent_by = {}
    for budget in TenantBudget.objects.filter(system=system).select_related("owner"):
        spent = trail.spend(system.slug, since=today.start, until=today.end, tenant=budget.tenant)
        spent_by[budget.tenant] = spent
        for kind, limit, what in (
            (Condition.Kind.TENANT_ALERT, budget.alert_nanousd, "comes close to its budget"),
            (Condition.Kind.TENANT_EXCEEDED, budget.cap_nanousd, "has used up its budget"),
        ):
            if spent >= limit:
                begin(
                    system=system,
                    kind=kind,
                    about=budget.tenant,
                    title=f"Tenant {budget.tenant} of {system.name} {what}",
                    said=f"{usd(spent)} of {usd(budget.cap_nanousd)} were spent on {today.day}.",
                    began_at=reached_at(system, limit, now=now, tenant=budget.tenant),
                    now=now,
                    roles=("operations", "product"),
                )
    for condition in open_conditions(system):
        over = condition.began_at < today.start or condition.about not in spent_by
        if over and condition.kind in (Condition.Kind.TENANT_ALERT, Condition.Kind.TENANT_EXCEEDED):
            end(condition, now=now)


def _raised(which: dict[str, Any]) -> bool:
    return BudgetAlarm.objects.filter(**which).exists()


def reached_at(system: System, threshold: int, *, now: datetime, tenant: str | None = None) -> datetime:
    """When the spending of the present budget day reached `threshold`: the breach that an alarm's delay counts from."""
    today = day_of(system.time_zone, now)

    def spent_until(until: datetime) -> int:
        return trail.spend(system.slug, since=today.start, until=until, tenant=tenant)

    return crossed_at(spent_until, threshold, start=today.start, end=min(today.end, now))


def _title(system: System, budget: BudgetState) -> str:
    what = "has used up its budget" if budget.state == "exceeded" else "comes close to its budget"
    return f"{system.name} {what}: {usd(budget.spent_nanousd)} of {usd(budget.cap_nanousd)}"


def _body(budget: BudgetState) -> str:
    if budget.state == "exceeded":
        return (
            f"{usd(budget.spent_nanousd)} were spent on {budget.day}, the daily cap is {usd(budget.cap_nanousd)}. "
            "No canary starts and nothing is promoted until the next budget day or a raised, approved budget."
        )
    return (
        f"{usd(budget.spent_nanousd)} were spent on {budget.day}, the alert is set at {usd(budget.alert_nanousd)}. "
        f"At {usd(budget.cap_nanousd)} new releases stop."
    )
