"""The rows of the decision log, streamed in order, in the shape that a walk takes. For millions of them: no objects."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from audit.leaf import Leaf
from audit.walk import LogError, Walk

REPORT_EVERY = 20_000
BATCH = 2_000
# One statement, one snapshot: an erasure in between cannot show a payload gone and its tombstone not there yet.
_ENTRIES = """
    SELECT e.index, e.kind, e.actor_id, e.via, e.subject, e.system,
           to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           to_char(e.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
           e.commitment, e.leaf, e.leaf_hash, p.salt, p.payload
    FROM audit_entry e LEFT JOIN audit_payload p ON p.index = e.index
    WHERE e.index >= %s ORDER BY e.index
"""


def feed(walk: Walk, connection: BaseDatabaseWrapper, *, report: Callable[[int], None] = lambda count: None) -> bytes:
    """Walk all entries from where `walk` stands to the end of the log. Returns their leaf hashes, 32 bytes each."""
    hashes = bytearray()
    columns = len(Leaf._fields)
    with closing(stream(connection, _ENTRIES, [walk.tree.size])) as rows:
        for row in rows:
            leaf = Leaf._make(row[:columns])
            text, stored, salt, payload = row[columns:]
            if leaf.index != walk.tree.size:
                raise LogError(f"it is missing; the next one is entry {leaf.index}", index=walk.tree.size)
            if leaf.text() != text:
                raise LogError("its columns say something else than its leaf", index=leaf.index)
            hashes += walk.add(leaf, text.encode(), salt, payload, stored)
            if leaf.index % REPORT_EVERY == 0:
                report(leaf.index)
    return bytes(hashes)


def stream(connection: BaseDatabaseWrapper, query: str, values: Sequence[Any]) -> Generator[tuple[Any, ...]]:
    """Rows of one query by a cursor in the server: one snapshot, and never more than two batches in memory.

    The database fetches the next batch while the caller works on this one: each has a processor to itself."""
    with transaction.atomic(using=connection.alias), connection.cursor() as settings:
        settings.execute("SET LOCAL statement_timeout = 0")  # a million rows take as long as they take
        with (
            connection.wrap_database_errors,
            connection.connection.cursor(name="audit_stream") as cursor,
            ThreadPoolExecutor(1, "audit-stream") as ahead,
        ):
            cursor.execute(query, values, binary=True)
            waiting = ahead.submit(cursor.fetchmany, BATCH)
            while batch := waiting.result():
                waiting = ahead.submit(cursor.fetchmany, BATCH)
                yield from batch
