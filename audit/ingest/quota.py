"""How many spans one token may send in a minute: one atomic counter, asked before anything is prepared or stored."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection

from audit.models import Quota
from web.problems import Problem

_TAKE = """
    INSERT INTO audit_quota (token, minute, spans) VALUES (%s, %s, %s)
    ON CONFLICT (token, minute) DO UPDATE SET spans = audit_quota.spans + excluded.spans
    WHERE audit_quota.spans + excluded.spans <= %s RETURNING spans
"""


class OverQuota(Problem):
    status = 429
    code = "over-quota"


def take(token: str, spans: int, *, now: datetime) -> None:
    """Counts them, or refuses the whole request: the exporter sends it again when the minute is over."""
    limit = settings.INGEST_SPANS_PER_MINUTE
    if not limit:
        return
    minute = now.replace(second=0, microsecond=0)
    with connection.cursor() as cursor:
        if spans <= limit:
            cursor.execute(_TAKE, [token, minute, spans, limit])
        if spans > limit or cursor.fetchone() is None:
            raise OverQuota(
                f"This token may send {limit:,} spans a minute. Nothing was stored; send it again.",
                retry_after=60 - now.second,
            )


def forget(*, now: datetime) -> None:
    Quota.objects.filter(minute__lt=now - timedelta(hours=1)).delete()
