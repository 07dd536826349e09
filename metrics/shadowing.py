"""What the answers of a mirrored release look like beside the live one's, from the request trail."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from audit.models import Request
from metrics.connectors import trail
from metrics.judges import drift
from metrics.models import Source

SAMPLE = 20_000
NUMBERS = {"output tokens": ("tokens_out", 1), "cost per request (USD)": ("cost_nanousd", 1_000_000_000)}
CATEGORIES = {"output fits its schema": "output_ok", "error": "error_type", "fallback": "fallback"}


def answers(
    *, shadow: Source, label: str, live: Source, live_label: str, since: datetime, until: datetime, psi_max: Decimal
) -> list[drift.Feature]:
    """Distributions of what came out, the live release's first. Fewer than a hundred of either are unknown."""
    sides = [_requests(source, name, since, until) for source, name in ((live, live_label), (shadow, label))]
    return drift.compare(
        {
            name: (_numbers(sides[0], column, scale), _numbers(sides[1], column, scale))
            for name, (column, scale) in NUMBERS.items()
        },
        {
            name: tuple([row[column] for row in side if row[column] is not None] for side in sides)  # type: ignore[misc]
            for name, column in CATEGORIES.items()
        },
        psi_max=psi_max,
    )


def _requests(source: Source, label: str, since: datetime, until: datetime) -> Sequence[dict[str, Any]]:
    """Trace ids are random, so the smallest of them are a fair sample."""
    rows = Request.objects.filter(system=source.system.slug, release=label, started_at__gte=since, started_at__lt=until)
    if source.kind == Source.Kind.TRAIL and (wanted := trail.environments(source.config)):
        rows = rows.filter(environment__in=wanted)
    columns = [*(column for column, _ in NUMBERS.values()), *CATEGORIES.values()]
    return list(rows.order_by("trace_id").values(*columns)[:SAMPLE])


def _numbers(rows: Sequence[dict[str, Any]], column: str, scale: int) -> list[float]:
    return [row[column] / scale for row in rows if row[column] is not None]
