"""Tables: CSV with a heading, or JSON Lines, one case a row, with a mapping of the columns.

What bites: a spreadsheet writes a byte-order mark, and leaves empty lines; a row with too few or too many cells was cut
or quoted wrongly, and is refused by its number. What a file is about stands in columns too, in every row alike.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from metrics.answers import RunAnswer
from metrics.mapping import Fields, answer
from metrics.problems import Unreadable
from metrics.reading import read_json

NAME = "table"
SUFFIXES = (".csv", ".jsonl", ".ndjson")
WHAT = "The table"
_SCORE, _METRIC = "score", "score."
_ABOUT = ("release", "dataset_hash", "prompt_hash", "model", "finished_at", "tool_version")


def describe() -> str:
    return "Results as CSV or JSON Lines, one case a row, from a folder or an address."


def parse(raw: bytes, config: Mapping[str, Any]) -> RunAnswer:
    fields = Fields.read(config)
    rows = list(_rows(raw))
    if not rows:
        raise Unreadable(f"{WHAT} has no rows.")
    if not fields.scores:
        fields = replace(fields, scores=_scores(rows[0]))
    for name in _ABOUT:
        place = getattr(fields, name)
        if len({str(row.get(place)) for row in rows}) > 1:
            raise Unreadable(f"{WHAT} contradicts itself: not every row has the same {place}.")
    return answer(NAME, WHAT, rows[0], rows, fields, lambda row, place: row.get(place))


def _scores(row: Mapping[str, Any]) -> dict[str, str]:
    """Columns named score or score.METRIC, where the mapping names none."""
    return {name.removeprefix(_METRIC): name for name in row if name == _SCORE or name.startswith(_METRIC)}


def _rows(raw: bytes) -> Iterator[dict[str, Any]]:
    if raw.lstrip()[:1] == b"{":
        for number, line in enumerate(raw.splitlines(), start=1):
            if line.strip():
                row = read_json(line, f"Line {number} of the table")
                if not isinstance(row, dict):
                    raise Unreadable(f"Line {number} of the table is not an object.")
                yield row
        return
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable(f"{WHAT} is not text in UTF-8.") from None
    yield from _csv(text)


def _csv(text: str) -> Iterator[dict[str, Any]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        heading = next(reader, [])
        if len(set(heading)) != len(heading):
            raise Unreadable(f"{WHAT} has a column twice.")
        for number, cells in enumerate(reader, start=2):
            if not any(cells):
                continue
            if len(cells) != len(heading):
                raise Unreadable(f"Row {number} of the table has {len(cells)} cells, and the heading {len(heading)}.")
            yield {name: cell if cell != "" else None for name, cell in zip(heading, cells, strict=True)}
    except csv.Error as error:
        raise Unreadable(f"{WHAT} is not whole CSV: {error}.") from None
