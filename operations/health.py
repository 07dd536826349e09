"""Is a running system well? Pure rules over what its requests showed in the last minutes.

These wake people; they decide nothing about a release. So they ask for fewer requests than the gate does, and a breach
is told the minute it is seen.
"""

from dataclasses import dataclass
from decimal import Decimal

from audit.rates import Counts

LEAST_REQUESTS = 20
# A system with at least this many requests in the day before is expected to have some in an hour.
USUAL_REQUESTS = 240


@dataclass(frozen=True)
class Finding:
    kind: str  # of operations.models.Condition
    said: str


def error_rate(seen: Counts, *, limit: Decimal) -> Finding | None:
    if seen.requests < LEAST_REQUESTS or Decimal(seen.errors) <= limit * seen.requests:
        return None
    return Finding(
        "error_rate", f"{seen.errors} of {seen.requests} requests failed in 15 minutes; {percent(limit)} are tolerated."
    )


def schema_failure(seen: Counts, *, limit: Decimal) -> Finding | None:
    bad = seen.schema_checked - seen.schema_valid
    if seen.schema_checked < LEAST_REQUESTS or Decimal(bad) <= limit * seen.schema_checked:
        return None
    return Finding(
        "schema_failure",
        f"{bad} of {seen.schema_checked} answers broke their schema in 15 minutes; {percent(limit)} are tolerated.",
    )


def silence(hour: Counts, day_before: Counts) -> Finding | None:
    """A live system from which nothing comes any more: it is down, or it stopped reporting. Both need a look."""
    if hour.requests or day_before.requests < USUAL_REQUESTS:
        return None
    return Finding("silence", f"No request in an hour; the day before had {day_before.requests}.")


def percent(share: Decimal) -> str:
    return f"{(share * 100).normalize():f} %"
