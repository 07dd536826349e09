"""One request to an ingest endpoint, from its spans to what is acknowledged."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from audit import unsafe
from audit.ingest.prepare import MAX_AGE, Source, days_of, prepare
from audit.ingest.store import store
from audit.ingest.wire import WireSpan, counted
from audit.payloads import keys_for
from audit.profiles import profile_of


@dataclass(frozen=True, slots=True)
class Receipt:
    """`stored` and `repeated` are in the database, committed; `refused` are not, each with the reason."""

    stored: int
    repeated: int
    refused: dict[str, int]

    @property
    def refused_count(self) -> int:
        return sum(self.refused.values())

    @property
    def message(self) -> str:
        """The reasons in one line, as OTLP's partial success carries them."""
        return "; ".join(f"{count} not stored: {reason}" for reason, count in sorted(self.refused.items()))


def receive(
    spans: Iterable[WireSpan], *, system: str, environment: str, now: datetime, max_age: timedelta = MAX_AGE
) -> Receipt:
    """Stores what can be stored of these spans. When it returns, they are committed."""
    received = counted(spans)
    numbered = profile_of(system)
    source = Source(system, environment, numbered.number, numbered.profile)
    keys = keys_for(system, days_of(received, now=now, max_age=max_age), now=now)
    batch = prepare(received, source=source, keys=keys, now=now, max_age=max_age)
    stored = store(batch, source=source, now=now)
    if batch.unsafe:
        unsafe.note(batch.unsafe, system=system, environment=environment, now=now)
    return Receipt(stored.stored, stored.repeated, dict(batch.refused))
