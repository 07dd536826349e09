"""Evidence made readable: text, JSON, CSV and records become text and tables of ours, images are shown, the pages of a
PDF are drawn as images, all else is downloaded.

Nothing of a file is ever markup of our page: it is escaped text, or the source of an image that cannot run.
"""

import csv
import io
import json
from dataclasses import dataclass

from releases import pdf
from releases.records import fields_of

MOST_CHARS = 200_000
MOST_ROWS = 500
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_TEXT = ("application/json", "application/yaml", "application/x-yaml", "application/xml")


@dataclass(frozen=True)
class Shown:
    """`kind`: text, table, record, image, pages or none. `note` says what is not shown."""

    kind: str
    text: str = ""
    header: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    pages: tuple[str, ...] = ()  # the words of each page that is drawn
    note: str = ""


def readable(media_type: str, title: str, content: bytes) -> Shown:
    if media_type in IMAGES:
        return Shown("image")
    if media_type == "application/pdf":
        return _pdf(content)
    if not (media_type.startswith("text/") or media_type in _TEXT or title.endswith((".json", ".csv", ".txt", ".log"))):
        return Shown("none", note="This kind of file is not opened here. Download it; its digest is checked.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Shown("none", note="This is not UTF-8 text. Download it.")
    if media_type == "application/json" or title.endswith(".json"):
        return _json(text)
    if media_type == "text/csv" or title.endswith(".csv"):
        return _csv(text) or _plain(text)
    return _plain(text)


def _plain(text: str, note: str = "") -> Shown:
    if len(text) > MOST_CHARS:
        note = f"The first {MOST_CHARS:,} of {len(text):,} characters. Download it for the rest."
    return Shown("text", text=text[:MOST_CHARS], note=note)


def _json(text: str) -> Shown:
    """Laid out alike, so that a difference is one of meaning; what is no JSON is shown as it is."""
    try:
        body = json.loads(text)
        if fields := fields_of(body):
            return Shown("record", rows=fields)
        return _plain(json.dumps(body, indent=2, ensure_ascii=False))
    except (ValueError, RecursionError):
        return _plain(text, note="It is called JSON and is none.")


def _pdf(content: bytes) -> Shown:
    try:
        found = pdf.look(content)
    except pdf.UnreadablePdf:
        return Shown("none", note="This PDF cannot be drawn: it is broken, or locked by a password. Download it.")
    more = found.pages - len(found.texts)
    note = f"The first {len(found.texts)} of {found.pages} pages. Download it for the rest." if more > 0 else ""
    return Shown("pages", pages=found.texts, note=note)


def _csv(text: str) -> Shown | None:
    try:
        rows = [tuple(row) for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error:
        return None
    if not rows or len(rows[0]) < 2:
        return None
    note = (
        f"The first {MOST_ROWS} of {len(rows) - 1:,} rows. Download it for the rest."
        if len(rows) > MOST_ROWS + 1
        else ""
    )
    return Shown("table", header=rows[0], rows=tuple(rows[1 : MOST_ROWS + 1]), note=note)
