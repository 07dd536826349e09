"""Differences between two texts as rows for a page: paired for two columns, or one list. Pure."""

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

CONTEXT = 3  # unchanged lines kept around each change
_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


@dataclass(frozen=True)
class Piece:
    text: str
    changed: bool = False


@dataclass(frozen=True)
class Line:
    number: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Row:
    """One row of the two-column view; `skipped` says how many unchanged lines stand behind a fold."""

    kind: str  # same, change, add, remove, skip
    old: Line | None = None
    new: Line | None = None
    skipped: int = 0


@dataclass(frozen=True)
class Diff:
    rows: tuple[Row, ...]
    unified: tuple[tuple[str, Line | None, int], ...]  # (kind, line, skipped)
    added: int
    removed: int


def diff(old: str, new: str) -> Diff:
    before, after = old.splitlines(), new.splitlines()
    matcher = difflib.SequenceMatcher(a=before, b=after, autojunk=False)
    groups = list(matcher.get_grouped_opcodes(CONTEXT))
    rows: list[Row] = []
    end = 0
    for group in groups:
        if skipped := group[0][1] - end:
            rows.append(Row("skip", skipped=skipped))
        for tag, i1, i2, j1, j2 in group:
            rows.extend(_rows(tag, before, after, (i1, i2, j1, j2)))
        end = group[-1][2]
    if groups and (skipped := len(before) - end):
        rows.append(Row("skip", skipped=skipped))
    return Diff(
        rows=tuple(rows),
        unified=tuple(_unified(rows)),
        added=sum(1 for row in rows if row.kind in ("add", "change")),
        removed=sum(1 for row in rows if row.kind in ("remove", "change")),
    )


def _rows(tag: str, before: Sequence[str], after: Sequence[str], span: tuple[int, int, int, int]) -> Iterator[Row]:
    i1, i2, j1, j2 = span
    for offset in range(max(i2 - i1, j2 - j1)):
        i, j = i1 + offset, j1 + offset
        has_old, has_new = i < i2, j < j2
        if tag == "equal":
            yield Row("same", _plain(i, before), _plain(j, after))
        elif has_old and has_new:
            old, new = _changed_words(before[i], after[j])
            yield Row("change", Line(i + 1, old), Line(j + 1, new))
        elif has_old:
            yield Row("remove", old=_plain(i, before))
        else:
            yield Row("add", new=_plain(j, after))


def _plain(index: int, lines: Sequence[str]) -> Line:
    return Line(index + 1, (Piece(lines[index]),))


def _changed_words(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Marks the words that differ, unless so little is shared that marking would only be noise."""
    a, b = _WORDS.findall(old), _WORDS.findall(new)
    matcher = difflib.SequenceMatcher(a=a, b=b, autojunk=False)
    if matcher.ratio() < 0.4:
        return (Piece(old),), (Piece(new),)
    before, after = [], []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if i1 < i2:
            before.append(Piece("".join(a[i1:i2]), tag != "equal"))
        if j1 < j2:
            after.append(Piece("".join(b[j1:j2]), tag != "equal"))
    return tuple(before), tuple(after)


def _unified(rows: Sequence[Row]) -> Iterator[tuple[str, Line | None, int]]:
    """The same rows as one list: within a run of changes all removed lines come before the added ones."""
    added: list[Line] = []
    for row in rows:
        if row.kind in ("same", "skip"):
            yield from (("add", line, 0) for line in added)
            added = []
        match row.kind:
            case "same":
                yield "same", row.new, 0
            case "skip":
                yield "skip", None, row.skipped
            case _:
                if row.old:
                    yield "remove", row.old, 0
                if row.new:
                    added.append(row.new)
    yield from (("add", line, 0) for line in added)
