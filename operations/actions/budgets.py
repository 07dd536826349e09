"""Budgets of tenants. The system's own is part of its running policy, and takes the two people that a policy takes."""

from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts.models import User
from accounts.queries import is_member
from audit.ledger import append
from operations import rules
from operations.budget import nano
from operations.errors import InvalidInput, refuse
from operations.models import TenantBudget
from operations.queries import person
from systems.models import System


def set_tenant_budget(
    *, system: System, tenant: str, cap_usd: Decimal, alert_usd: Decimal, owner: User, by: User, now: datetime
) -> TenantBudget:
    """What one tenant may spend per day, and who answers for it. Set again, the new amounts hold from now on."""
    refuse(rules.set_budget(person(by, system=system, now=now)))
    if not tenant.strip():
        raise InvalidInput("Name the tenant as its requests do.")
    if not (Decimal(0) < alert_usd <= cap_usd):
        raise InvalidInput("The alert lies above zero and not above the cap.")
    if not is_member(owner, system=system.slug, now=now):
        raise InvalidInput(f"{owner} holds no role on {system.name}. Choose somebody who does.")
    with transaction.atomic():
        before = TenantBudget.objects.select_for_update().filter(system=system, tenant=tenant.strip()).first()
        budget, _ = TenantBudget.objects.update_or_create(
            system=system,
            tenant=tenant.strip(),
            defaults={
                "cap_nanousd": nano(cap_usd),
                "alert_nanousd": nano(alert_usd),
                "owner": owner,
                "set_by": by,
                "set_at": now,
            },
        )
        append(
            kind="budget.tenant-set",
            by=by,
            subject=f"system:{system.slug}",
            system=system.slug,
            now=now,
            payload={
                "tenant": budget.tenant,
                "cap_nanousd": budget.cap_nanousd,
                "alert_nanousd": budget.alert_nanousd,
                "before_nanousd": before.cap_nanousd if before else None,
                "owner": owner.actor_id,
            },
        )
    return budget


def remove_tenant_budget(*, budget: TenantBudget, by: User, now: datetime) -> None:
    system = budget.system
    refuse(rules.set_budget(person(by, system=system, now=now)))
    with transaction.atomic():
        if TenantBudget.objects.filter(pk=budget.pk).delete()[0]:
            append(
                kind="budget.tenant-removed", by=by, subject=f"system:{system.slug}", system=system.slug, now=now,
                payload={"tenant": budget.tenant},
            )  # fmt: skip
