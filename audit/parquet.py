"""Sealed days as Parquet files: for object storage, DuckDB, or whatever else reads them, long after the rows are gone.

One file a UTC day, every column of a span, with its hash and its place in the signed log; beside them a manifest with
the files' digests and the signed head. Each day that leaves has its entry in the ledger. Needs `pyarrow`.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from hashlib import file_digest
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from audit import ledger
from audit.actors import Actor
from audit.ingest.rows import COLUMNS, JSON_FIELDS
from audit.models import SpanBatch, SpanCheckpoint, SpanLog
from web.problems import Problem

GROUP = 20_000  # rows of one row group, and in memory
MANIFEST = "manifest.json"
_TYPES = "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'public.audit_span'::regclass"


class NotExported(Problem):
    code = "export-refused"


def days_there() -> list[date]:
    """The UTC days that have spans' partitions, oldest first, up to yesterday."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT right(relname, 8) FROM pg_class WHERE relname ~ '^audit_span_[0-9]{8}$' ORDER BY relname"
        )
        days = [date.fromisoformat(name) for (name,) in cursor.fetchall()]
    return [day for day in days if day < datetime.now(UTC).date()]


def export_day(
    day: date,
    folder: Path,
    *,
    by: Actor,
    now: datetime,
    report: Callable[[int, int], None] = lambda done, whole: None,
) -> int:
    """Writes the day's file and its line in the manifest; returns how many spans it has. None at all: no file."""
    pyarrow, writer = _pyarrow()
    if day >= now.date():
        raise NotExported(f"The day {day} is not over.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM public.audit_span WHERE started_at >= %s AND started_at < %s", _span(day))
        (whole,) = cursor.fetchone()
        if not whole:
            return 0
        cursor.execute(_TYPES)
        types = dict(cursor.fetchall()) | {"log_index": "bigint"}
    head = _head_over(day)
    names = [*COLUMNS, "log_index"]
    schema = pyarrow.schema([(name, _arrow(pyarrow, types[name])) for name in names])
    path, done = folder / f"spans-{day}.parquet", 0
    part = path.with_suffix(".part")
    with writer.ParquetWriter(part, schema, compression="zstd") as file:
        for rows in _groups(day):
            columns = [
                pyarrow.array(column, kind.type) for column, kind in zip(zip(*rows, strict=True), schema, strict=True)
            ]
            file.write_table(pyarrow.Table.from_arrays(columns, schema=schema))
            done += len(rows)
            report(done, whole)
    with part.open("rb") as written:
        digest = file_digest(written, "sha256").hexdigest()
    about = {"day": day.isoformat(), "file": path.name, "spans": done, "sha256": digest, "log_size": head.size}
    with transaction.atomic():
        ledger.append(kind="trail.day-exported", by=by, subject="trail:spans", now=now, payload=about)
    part.replace(path)
    _enter(folder / MANIFEST, about, head)
    return done


def _groups(day: date) -> Iterator[list[tuple[Any, ...]]]:
    chosen = ", ".join(f"s.{name}::text" if name in _AS_TEXT else f"s.{name}" for name in COLUMNS)
    with transaction.atomic(), connection.chunked_cursor() as cursor:
        cursor.execute(
            f"SELECT {chosen}, b.first_index + s.position FROM public.audit_span s"  # noqa: S608 - columns of ours
            " JOIN public.audit_span_batch b ON b.id = s.batch_id"
            " WHERE s.started_at >= %s AND s.started_at < %s ORDER BY s.started_at",
            _span(day),
        )
        while rows := cursor.fetchmany(GROUP):
            yield rows


def _span(day: date) -> tuple[datetime, datetime]:
    begin = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return begin, begin + timedelta(days=1)


_AS_TEXT = {*JSON_FIELDS, "trace_id", "batch_id"}


def _arrow(pyarrow: Any, kind: str) -> Any:
    return {
        "boolean": pyarrow.bool_(),
        "smallint": pyarrow.int16(),
        "integer": pyarrow.int32(),
        "bigint": pyarrow.int64(),
        "bytea": pyarrow.binary(),
        "text[]": pyarrow.list_(pyarrow.string()),
        "timestamp with time zone": pyarrow.timestamp("us", tz="UTC"),
    }.get(kind, pyarrow.string())


def _head_over(day: date) -> SpanCheckpoint:
    """The newest signed head, if it covers all of the day."""
    head = SpanCheckpoint.objects.order_by("size").last()
    begin, end = _span(day)
    of_the_day = SpanBatch.objects.filter(last_at__gte=begin, first_at__lt=end)
    newest = of_the_day.order_by("-first_index").first()  # those without a place come first
    if head is None or (newest and (newest.first_index is None or newest.first_index >= head.size)):
        raise NotExported(f"Spans of {day} wait for the next signed head; run: manage.py trail seal")
    return head


def _enter(path: Path, about: dict[str, Any], head: SpanCheckpoint) -> None:
    """The manifest names each file once, and the newest signed head."""
    days = json.loads(path.read_text())["days"] if path.exists() else []
    days = [*(day for day in days if day["day"] != about["day"]), about]
    manifest = {
        "log": SpanLog.objects.get().origin,
        "head": head.note,
        "days": sorted(days, key=lambda day: str(day["day"])),
    }
    part = path.with_suffix(".part")
    part.write_text(json.dumps(manifest, indent=1) + "\n")
    part.replace(path)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise NotExported("Parquet is written by pyarrow, which is not installed: pip install pyarrow") from None
    return pyarrow, parquet
