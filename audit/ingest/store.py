"""Storing a batch: one COPY, one commit, and only then is it acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from psycopg import errors

from audit import partitions, redaction
from audit.copying import copy_rows
from audit.ingest.prepare import Batch, Prepared, Source
from audit.ingest.rows import COLUMNS, column_types, values_of
from audit.models import Span, SpanBatch
from web.ids import uuid7

_PAYLOAD_COLUMNS = ("system", "trace_id", "span_id", "started_at", "key_id", "sealed")
_PAYLOAD_TYPES = ("text", "uuid", "text", "timestamptz", "uuid", "bytea")
# A missing day, and spans that another request stores at the same moment: each costs one more try.
_TRIES = 5
OTHER_CONTENT = "its id is taken by a span with other content"


@dataclass(frozen=True, slots=True)
class Stored:
    stored: int
    repeated: int


def store(batch: Batch, *, source: Source, now: datetime) -> Stored:
    """Writes the spans that are not there yet: what is sent again is stored once; a taken id with other content, not.

    Conflicts are looked for only after the database reported one: retries are rare, batches are many.
    """
    new, repeated = _without_repeats(batch)
    for _ in range(_TRIES):
        try:
            with transaction.atomic():
                if new:
                    _write(new, batch, source, now)
            return Stored(len(new), repeated)
        except IntegrityError as error:
            if isinstance(error.__cause__, errors.UniqueViolation):
                new, again = _unstored(new, batch, source)
                repeated += again
            elif isinstance(error.__cause__, errors.CheckViolation) and "no partition" in str(error):
                partitions.make(span.row.started_at.date() for span in new)
            else:
                raise
    raise IntegrityError("the same spans keep arriving at the same moment")


def _write(spans: Sequence[Prepared], batch: Batch, source: Source, now: datetime) -> None:
    batch_id = uuid7()
    with connection.cursor() as cursor:
        rows = (_values(span, batch_id, position, now) for position, span in enumerate(spans))
        copy_rows(cursor, "audit_span", COLUMNS, column_types(), rows)
        payloads = [
            (span.row.system, span.row.trace_id, span.row.span_id, span.row.started_at, *span.payload)
            for span in spans
            if span.payload
        ]
        if payloads:
            copy_rows(cursor, "audit_span_payload", _PAYLOAD_COLUMNS, _PAYLOAD_TYPES, payloads)
    SpanBatch.objects.create(
        id=batch_id,
        system=source.system,
        environment=source.environment,
        received_at=now,
        count=len(spans),
        leaves=b"".join(span.leaf_hash for span in spans),
        traces=list({span.row.trace_id: None for span in spans}),
        profile=source.profile_number,
        redaction=redaction.VERSION,
        found=dict(batch.found),
        first_at=min(span.row.started_at for span in spans),
        last_at=max(span.row.started_at for span in spans),
        refused=dict(batch.refused),
    )


def _values(span: Prepared, batch_id: UUID, position: int, now: datetime) -> list[Any]:
    return [*values_of(span.row), span.leaf_hash, batch_id, position, now]


def _without_repeats(batch: Batch) -> tuple[list[Prepared], int]:
    """Each span once, in order of key: two requests with the same spans wait for each other instead of locking up."""
    once: dict[Any, Prepared] = {}
    repeated = 0
    for span in batch.spans:
        first = once.setdefault(span.row.key, span)
        if first is not span:
            repeated += _repeats(batch, first.leaf_hash, span)
    return [once[key] for key in sorted(once)], repeated


def _unstored(spans: Sequence[Prepared], batch: Batch, source: Source) -> tuple[list[Prepared], int]:
    times = [span.row.started_at for span in spans]
    stored = Span.objects.filter(
        system=source.system,
        trace_id__in={span.row.trace_id for span in spans},
        started_at__range=(min(times), max(times)),
    ).values_list("trace_id", "span_id", "started_at", "leaf_hash")
    leaves = {(trace.int, span, at): bytes(leaf) for trace, span, at, leaf in stored}
    new, repeated = [], 0
    for span in spans:
        if (leaf := leaves.get(span.row.key)) is None:
            new.append(span)
        else:
            repeated += _repeats(batch, leaf, span)
    return new, repeated


def _repeats(batch: Batch, leaf: bytes, span: Prepared) -> int:
    """Counts a span whose id is taken: the same content is a retry, other content is refused and said so."""
    if leaf == span.leaf_hash:
        return 1
    batch.refused[OTHER_CONTENT] += 1
    return 0
