"""What is wrong, told once while it lasts. The unique key of the open row lets one of two workers through."""

from collections.abc import Collection
from datetime import datetime

from django.db import IntegrityError, transaction
from django.urls import reverse

from audit.actors import SYSTEM
from audit.ledger import append
from operations.models import Condition
from operations.notify import notify
from systems.models import System

WHO = ("operations", "engineering")
TOPICS = {
    Condition.Kind.ERROR_RATE: "operations.error-rate",
    Condition.Kind.SCHEMA_FAILURE: "operations.schema-failure",
    Condition.Kind.COST_SPIKE: "operations.cost-spike",
    Condition.Kind.DRIFT: "operations.drift",
    Condition.Kind.SILENCE: "operations.silence",
    Condition.Kind.MISSED_BEAT: "operations.missed-beat",
    Condition.Kind.TENANT_ALERT: "operations.tenant-alert",
    Condition.Kind.TENANT_EXCEEDED: "operations.tenant-exceeded",
}


def open_conditions(system: System | None) -> list[Condition]:
    return list(Condition.objects.filter(system=system, over_at=None).select_related("notification"))


def begin(
    *,
    system: System | None,
    kind: str,
    title: str,
    said: str,
    began_at: datetime,
    now: datetime,
    about: str = "",
    roles: Collection[str] = WHO,
) -> Condition | None:
    """Notes that something is wrong and raises its alarm; None where that was done before and still holds."""
    if Condition.objects.filter(system=system, kind=kind, about=about, over_at=None).exists():
        return None
    try:
        with transaction.atomic():
            notification = notify(
                topic=TOPICS[Condition.Kind(kind)],
                system=system,
                subject=f"system:{system.slug}" if system else "installation",
                title=title,
                body=said,
                url=reverse("operations:system", args=[system.slug]) if system else "",
                now=now,
                roles=roles,
                key=f"condition:{system.pk if system else ''}:{kind}:{about}:{now.isoformat()}",
                breach_at=began_at,
            )
            condition = Condition.objects.create(
                system=system, kind=kind, about=about, said=said[:500], began_at=began_at, noticed_at=now,
                notification=notification,
            )  # fmt: skip
            _record("condition.began", condition, now=now)
    except IntegrityError:
        return None
    return condition


def end(condition: Condition, *, now: datetime) -> None:
    """It is over. Quietly: an all-clear wakes nobody, and the page shows it."""
    with transaction.atomic():
        if Condition.objects.filter(pk=condition.pk, over_at=None).update(over_at=now):
            _record("condition.ended", condition, now=now)


def _record(kind: str, condition: Condition, *, now: datetime) -> None:
    append(
        kind=kind,
        by=SYSTEM,
        subject=f"condition:{condition.pk}",
        system=condition.system.slug if condition.system else "",
        now=now,
        payload={"condition": condition.kind, "about": condition.about, "said": condition.said},
    )
