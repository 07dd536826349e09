from datetime import datetime

from django.db import transaction

from accounts.models import User
from audit.ledger import append
from operations import rules
from operations.errors import refuse
from operations.models import Notification
from operations.queries import person


def acknowledge(*, notification: Notification, by: User, now: datetime) -> Notification:
    """Somebody has it in hand: it is not escalated any more."""
    with transaction.atomic():
        row = Notification.objects.select_for_update(of=("self",)).select_related("system").get(pk=notification.pk)
        asking = person(by, system=row.system, now=now)
        refuse(rules.acknowledge(asking, alarm=row.breach_at is not None, acknowledged=row.acknowledged_at is not None))
        row.acknowledged_by, row.acknowledged_at = by, now
        row.save(update_fields=["acknowledged_by", "acknowledged_at"])
        append(
            kind="alarm.acknowledged",
            by=by,
            subject=f"notification:{row.pk}",
            system=row.system.slug if row.system else "",
            now=now,
            payload={"topic": row.topic, "title": row.title},
        )
    return row
