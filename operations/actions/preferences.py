from datetime import datetime

from django.db import transaction

from accounts.models import User
from audit.ledger import append
from operations.models import MailPreference


def choose_mail(*, mode: str, by: User, now: datetime) -> None:
    """What a person wants by e-mail. On the record, since "nobody told me" is asked after an incident."""
    with transaction.atomic():
        MailPreference.objects.update_or_create(user=by, defaults={"mode": mode})
        append(kind="mail.chosen", by=by, subject=by.actor_id, now=now, payload={"mode": mode})
