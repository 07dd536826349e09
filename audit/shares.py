"""Whether a canary keeps to its share of traffic: a router that sends everybody to it has skipped the rollout.

Judged beside the other releases that the trail sees, over the last hour or since the share was set. Where no other
release serves, the trail cannot know what the rest of the traffic is, and says nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import sqrt

from django.db.models import Q, Sum

from audit.environments import production
from audit.models import Fingerprint, Request, Rollup
from audit.rollups import BUCKET, QUARTER, bucket_of
from jobs.models import Event
from jobs.outbox import emit

TOPIC = "audit.share-exceeded"
HOUR = timedelta(hours=1)
AT_LEAST = 100  # requests: users come with several each, and fewer would say more of them than of the router
TENTH = 1.1  # replicas and sticky users are no fractions: up to a tenth above is what routers do
_Z = 3.09  # one-sided, one in a thousand


@dataclass(frozen=True, slots=True)
class Share:
    """Requests of a release among all of the system's in production, beside the share that it was given."""

    planned: Decimal
    requests: int
    all_requests: int
    others: bool  # another release serves as well, and the trail sees it
    since: datetime

    @property
    def seen(self) -> Decimal | None:
        return Decimal(self.requests) / self.all_requests if self.others and self.all_requests else None

    @property
    def exceeded(self) -> bool:
        """Surely above: the lower end of its interval (Wilson, 1927) is more than a tenth above what was planned."""
        n, k = self.all_requests, self.requests
        if not self.others or n < AT_LEAST:
            return False
        rate, square = k / n, _Z**2 / n
        low = (rate + square / 2 - _Z * sqrt(rate * (1 - rate) / n + square / (4 * n))) / (1 + square)
        return low > float(self.planned) * TENTH


def share_of(row: Fingerprint, *, now: datetime) -> Share:
    since = max(row.from_at, bucket_of(now) - HOUR)
    first = bucket_of(since) if since == bucket_of(since) else bucket_of(since) + BUCKET
    chosen, label = Q(system=row.system) & production(row.system), Q(release=row.release_label)
    sums = Rollup.objects.filter(chosen, width=QUARTER, bucket__gte=first)
    found = sums.aggregate(mine=Sum("requests", filter=label, default=0), whole=Sum("requests", default=0))
    mine, whole = found["mine"], found["whole"]
    if since < first:
        edge = Request.objects.filter(chosen, started_at__gte=since, started_at__lt=first)
        mine, whole = mine + edge.filter(label).count(), whole + edge.count()
    serving = Fingerprint.objects.filter(system=row.system, until_at=None).exclude(release_id=row.release_id)
    return Share(row.share, mine, whole, serving.exists(), since)


def now_of(release_id: str, *, now: datetime) -> Share | None:
    """What is seen of a release that was given a share of traffic; None where it has none."""
    row = Fingerprint.objects.filter(release_id=release_id, until_at=None, share__lt=1).first()
    return share_of(row, now=now) if row else None


def watch_shares(*, now: datetime) -> None:
    """Alarms of each canary above its share: at once, then hourly while it lasts."""
    for row in Fingerprint.objects.filter(until_at=None, share__lt=1, from_at__lte=now):
        share = share_of(row, now=now)
        if not share.exceeded:
            continue
        subject = f"system:{row.system}"
        told = Event.objects.filter(topic=TOPIC, subject=subject, payload__label=row.release_label)
        if told.filter(created_at__gt=now - HOUR).exists():
            continue
        payload = {
            "system": row.system,
            "label": row.release_label,
            "planned": f"{float(row.share) * 100:.4g} %",
            "seen": f"{100 * share.requests / share.all_requests:.3g} %",
            "requests": share.requests,
            "all_requests": share.all_requests,
        }
        emit(TOPIC, subject=subject, payload=payload, now=now)
