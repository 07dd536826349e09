"""Which instrumentations report a system's model calls: two of them may report the same ones."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit.models import Request, Span
from audit.summary import REPORTED_TWICE
from audit.usage import BILLED

LOOKED_AT = 5_000  # spans, the newest: enough to see who reports, few enough for a page
WINDOW = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ReportedBy:
    scopes: tuple[tuple[str, int], ...]  # name and spans, the busiest first
    twice: int  # requests in which two of them reported one call, which was counted once

    @property
    def several(self) -> bool:
        return len(self.scopes) > 1


def reported_by(system: str, *, now: datetime) -> ReportedBy:
    """Of the last day. Calls that two report in one trace are counted once; in different traces nobody can tell."""
    since = now - WINDOW
    newest = Span.objects.filter(system=system, started_at__gte=since).order_by("-started_at")[:LOOKED_AT]
    seen = Counter(scope for scope, kind in newest.values_list("scope", "kind") if kind in BILLED)
    twice = Request.objects.filter(system=system, started_at__gte=since, flags__contains=[REPORTED_TWICE]).count()
    return ReportedBy(tuple(sorted(seen.items(), key=lambda item: (-item[1], item[0]))), twice)
