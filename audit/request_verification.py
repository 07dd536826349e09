"""Is the request log what was signed? The last steps of `manage.py verify`.

Every leaf is hashed into the tree again, and every head that was ever signed is compared with it. What a span says is
compared with its leaf where it is read (audit.trail.check); `verify_spans` does that for all that are stored.
"""

from collections.abc import Callable, Iterator
from itertools import batched
from typing import Any
from uuid import UUID

from django.db import transaction

from audit import spanlog
from audit.checkpoint import NoteError, verify
from audit.ingest.rows import COLUMNS, leaf_bytes
from audit.merkle import leaf_hash
from audit.models import Span, SpanCheckpoint, SpanLog
from audit.outside import Outside
from audit.signing import public_keys
from audit.steps import Step

LOG = spanlog.LOG
_AT_ONCE = 2_000
_NAMED = 10  # changed spans that are named; the others are counted


def verify_requests(
    *, heads: bool = True, report: Callable[[int, int], None] = lambda done, size: None
) -> Iterator[Step]:
    """The head outside, then (`heads`) all leaves and heads. A system that never received a request has neither."""
    try:
        yield Step("Request log: checkpoint outside the database", True, _outside())
    except NoteError as error:
        yield Step("Request log: checkpoint outside the database", False, str(error))
    if not heads:
        return
    name = "Request log: leaves, tree, checkpoints"
    try:
        count, size = spanlog.verify_heads(report=report)
    except NoteError as error:
        yield Step(name, False, str(error))
    else:
        yield Step(name, True, f"{size:,} spans, {count} signed heads verified")


def verify_spans(*, report: Callable[[int, int], None] = lambda done, size: None) -> Step:
    """Hashes every stored span again. One that is gone is not missed here: retention removes them, the leaf stays."""
    name = "Request log: each stored span against its leaf"
    changed: list[str] = []
    count = 0
    size = SpanLog.objects.get().size
    with transaction.atomic():  # else the database would first lay all rows aside for the cursor
        stored: Any = Span.objects.values_list(*COLUMNS, named=True)
        for rows in batched(stored.iterator(chunk_size=_AT_ONCE), _AT_ONCE):
            places, _ = spanlog.places_of([(row.batch_id, row.position) for row in rows])
            changed += [_named(row) for row in rows if not _as_received(row, places)]
            count += len(rows)
            report(min(count, size), size)
    if not changed:
        return Step(name, True, f"{count:,} spans are as they were received")
    more = f"; and {len(changed) - _NAMED:,} more" if len(changed) > _NAMED else ""
    return Step(name, False, "not as received: " + "; ".join(changed[:_NAMED]) + more)


def _as_received(row: Any, places: dict[tuple[UUID, int], tuple[int | None, bytes]]) -> bool:
    place = places.get((row.batch_id, row.position))
    return place is not None and leaf_hash(leaf_bytes(row)) == bytes(row.leaf_hash) == place[1]


def _named(row: Any) -> str:
    quoted = f", request {row.request_id}" if row.request_id else ""
    return f"span {row.span_id} ({row.name}) of trace {row.trace_id.hex}{quoted}, system {row.system}"


def _outside() -> str:
    """The database is not behind the head that is kept outside, and agrees with it."""
    log, last = SpanLog.objects.get(), SpanCheckpoint.objects.order_by("size").last()
    note = Outside.of(LOG).note()
    if note is None:
        if last is not None:
            raise NoteError(f"it is not there, though the log was signed up to span {last.size}")
        return "none yet: nothing was signed"
    anchor = verify(note, public_keys(log.origin))
    if anchor.origin != log.origin:
        raise NoteError(f"it belongs to the log {anchor.origin}, the database to {log.origin}")
    if anchor.size > log.size:
        raise NoteError(f"the database was set back: it has {log.size} spans, the last signed head {anchor.size}")
    row = SpanCheckpoint.objects.filter(size=anchor.size).first()
    if row is not None and bytes(row.root) != anchor.root:
        raise NoteError(f"the head of {anchor.size} spans in the database is not the one that is kept outside")
    # A crash between keeping and publishing leaves a head outside that is newer than any inside, never an older one.
    if row is None and last is not None and last.size > anchor.size:
        raise NoteError(f"the database holds a head of {last.size} spans; the one kept outside has {anchor.size}")
    return f"{anchor.size:,} spans"
