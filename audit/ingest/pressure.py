"""Whether what came in waits too long to be numbered and sealed: then applications are asked to send it again later.

What waits is committed, so nothing is lost by waiting; but a queue without an end fills the disk, and a trail that is
an hour behind answers questions wrongly. Exporters keep their batch and come back when Retry-After says so.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.db.models import Min, Sum

from audit.models import SpanBatch
from web.problems import Unavailable

RETRY_AFTER = 30  # seconds: the sequencer runs every five, and a worker that was restarted needs a few of its rounds


@dataclass(frozen=True, slots=True)
class Waiting:
    spans: int
    oldest: datetime | None


def refuse_when_behind(*, now: datetime) -> None:
    """Asked once a second in each process: between two looks no more can come in than a machine takes in a second."""
    waiting = _look(int(now.timestamp()))
    if 0 < settings.INGEST_MAX_WAITING <= waiting.spans:
        raise Unavailable(
            f"{waiting.spans:,} spans wait to be sealed, and more are not taken. Nothing was stored; send it again.",
            retry_after=RETRY_AFTER,
        )
    longest = timedelta(seconds=settings.INGEST_MAX_LAG)
    if longest and waiting.oldest and now - waiting.oldest > longest:
        raise Unavailable(
            f"Spans of {waiting.oldest:%Y-%m-%d %H:%M} UTC still wait to be sealed: is a worker running?"
            " Nothing was stored; send it again.",
            retry_after=RETRY_AFTER,
        )


@lru_cache(maxsize=1)
def _look(second: int) -> Waiting:
    found = SpanBatch.objects.filter(first_index=None).aggregate(
        spans=Sum("count", default=0), oldest=Min("received_at")
    )
    return Waiting(found["spans"], found["oldest"])


forget = _look.cache_clear
