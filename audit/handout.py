"""Requests as files: everything that a search finds, streamed page by page, and recorded before and after.

An export takes a search and gives lines; it holds one page in memory, whatever the size of the trail.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit import canonical, datasets, ledger
from audit.actors import Actor
from audit.explorer import Search
from audit.models import Request
from web.problems import BadRequest

PAGE = 1_000
FIELDS = tuple(
    field.attname
    for field in Request._meta.concrete_fields
    if field.attname not in ("id", "derived_at", "entry_span_id")
)
# A spreadsheet would run these as formulas.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

type Rows = Iterable[list[Request]]


@dataclass(frozen=True)
class Format:
    media_type: str
    extension: str
    lines: Callable[[Rows], Iterator[str]]
    content: bool  # prompts and answers are in it


def export(
    search: Search,
    *,
    format_name: str,
    query: str,
    by: Actor,
    now: datetime,
    report: Callable[[int], None] = lambda done: None,
) -> Iterator[bytes]:
    """The file, in pieces. Without its entry in the ledger there is no file; at its end another says what was in it.

    `report` is told how many requests were read so far.
    """
    kind = format_of(format_name)
    about = {"query": query, "format": format_name, "content": kind.content}
    with transaction.atomic():
        opened = ledger.append(kind="trail.export-began", by=by, subject="trail:requests", now=now, payload=about)
    return _told(kind, search, about | {"entry": opened.index}, by, report)


def format_of(name: str) -> Format:
    if name not in FORMATS:
        raise BadRequest(f"format is one of {', '.join(FORMATS)}.")
    return FORMATS[name]


def _told(
    kind: Format, search: Search, about: dict[str, Any], by: Actor, report: Callable[[int], None]
) -> Iterator[bytes]:
    count, digest, whole = 0, sha256(), False

    def counted() -> Iterator[list[Request]]:
        nonlocal count
        for page in pages(search):
            count += len(page)
            yield page
            report(count)

    try:
        for line in kind.lines(counted()):
            data = line.encode()
            digest.update(data)
            yield data
        whole = True
    finally:  # whoever reads may hang up: then what was handed out is recorded as a part
        payload = {**about, "requests": count, "sha256": digest.hexdigest(), "whole": whole}
        with transaction.atomic():
            ledger.append(kind="trail.exported", by=by, subject="trail:requests", now=timezone.now(), payload=payload)


def pages(search: Search) -> Iterator[list[Request]]:
    """Newest first, each page found by where the last one ended: no long transaction, no growing offset."""
    after = Q()
    while True:
        page = list(search.rows.filter(after).order_by(*search.order)[:PAGE])
        if page:
            yield page
        if len(page) < PAGE:
            return
        last = page[-1]
        after = Q(started_at__lte=last.started_at) & (Q(started_at__lt=last.started_at) | Q(pk__lt=last.pk))


def _csv(rows: Rows) -> Iterator[str]:
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow(FIELDS)
    for page in rows:
        write.writerows([_cell(getattr(row, name)) for name in FIELDS] for row in page)
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    if rest := out.getvalue():
        yield rest


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        value = " ".join(value)
    text = str(canonical.plain(value)) if not isinstance(value, bool) else str(value).lower()
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _jsonl(rows: Rows) -> Iterator[str]:
    for page in rows:
        yield "".join(
            json.dumps({name: canonical.plain(getattr(row, name)) for name in FIELDS}, ensure_ascii=False) + "\n"
            for row in page
        )


FORMATS: dict[str, Format] = {
    "csv": Format("text/csv; charset=utf-8", "csv", _csv, False),
    "jsonl": Format("application/x-ndjson", "jsonl", _jsonl, False),
    "inspect": Format("application/x-ndjson", "inspect.jsonl", datasets.inspect_lines, True),
    "promptfoo": Format("application/x-ndjson", "promptfoo.jsonl", datasets.promptfoo_lines, True),
}
