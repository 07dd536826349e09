"""Requests of before: files of spans that an application kept, taken in as if they had been sent then.

They go through the same checks, redaction, prices and hashing as what is sent, and into the same log, where their place
says when they really came. Only their age is allowed: up to what the system's retention keeps.
"""

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from django.db import transaction

from audit import ledger, retention
from audit.actors import Actor
from audit.ingest import native
from audit.ingest.otlp import decode_json
from audit.ingest.receive import receive
from audit.ingest.wire import TooMuch, Unreadable, WireSpan, counted
from web.problems import Invalid

AT_ONCE = 1_000  # spans in one batch
MAX_LINE = 16 * 1024 * 1024
_OTLP = re.compile(rb'\s*\{\s*"resourceSpans"')


@dataclass
class Imported:
    stored: int = 0
    repeated: int = 0
    refused: Counter[str] = field(default_factory=Counter)


def import_file(
    path: Path,
    *,
    system: str,
    environment: str,
    by: Actor,
    now: datetime,
    report: Callable[[int, int], None] = lambda done, whole: None,
) -> Imported:
    """One file, plain or `.gz`, of lines: OTLP/JSON as the OpenTelemetry Collector's file exporter writes it, or spans
    in our own plain form. Run again after an interruption, it stores what is missing and nothing twice.

    `report` is told how many bytes of the file were read, and how many it has.
    """
    age = timedelta(days=retention.kept(system)[0])
    done, digest, whole = Imported(), sha256(), path.stat().st_size
    with path.open("rb") as raw:
        for spans in _batches(_lines(raw, digest.update, packed=path.suffix == ".gz")):
            receipt = receive(spans, system=system, environment=environment, now=now, max_age=age)
            done.stored += receipt.stored
            done.repeated += receipt.repeated
            done.refused.update(receipt.refused)
            report(raw.tell(), whole)
    with transaction.atomic():
        ledger.append(
            kind="trail.imported",
            by=by,
            subject="trail:requests",
            system=system,
            now=now,
            payload={
                "file": path.name,
                "sha256": digest.hexdigest(),
                "environment": environment,
                "stored": done.stored,
                "repeated": done.repeated,
                "refused": dict(done.refused),
            },
        )
    return done


def _lines(raw: IO[bytes], read: Callable[[bytes], None], *, packed: bool) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not empty; `read` sees every byte, unpacked."""
    file: Any = gzip.GzipFile(fileobj=raw) if packed else raw
    number = 0
    try:
        while line := file.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE:
                raise Invalid(f"Line {number} has more than {MAX_LINE:,} bytes.")
            read(line)
            if line.strip():
                yield number, line
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise Invalid(f"After line {number} the file cannot be unpacked: {error}.") from error


def _batches(lines: Iterable[tuple[int, bytes]]) -> Iterator[list[WireSpan]]:
    waiting: list[WireSpan] = []
    for number, line in lines:
        try:
            waiting += counted(_decode(line))
        except (Unreadable, TooMuch) as error:
            raise Invalid(f"Line {number}: {error} What stood before it is stored.") from error
        while len(waiting) >= AT_ONCE:
            yield waiting[:AT_ONCE]
            del waiting[:AT_ONCE]
    if waiting:
        yield waiting


def _decode(line: bytes) -> Iterable[WireSpan]:
    return decode_json(line) if _OTLP.match(line) else native.decode(line)
