"""The spans of a request laid out on one line of time, in numbers that a template can draw. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

MAX_DEPTH = 8
_MS = timedelta(milliseconds=1)
_LEAST = 0.4  # per cent: a bar of no length is a bar that nobody sees


class Spanned(Protocol):
    @property
    def spans(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Line:
    span: Any  # the stored row
    counted: bool
    indent: int
    x: str  # per cent of the whole
    width: str
    offset_ms: float
    duration_ms: float
    tone: str
    said: str  # what the bar shows, in words


def lines(request: Spanned) -> list[Line]:
    if not request.spans:
        return []
    rows = [view.row for view in request.spans]
    begin: datetime = min(row.started_at for row in rows)
    end: datetime = max(row.ended_at for row in rows)
    whole = max(end - begin, timedelta(microseconds=1))
    result = []
    for view, row in zip(request.spans, rows, strict=True):
        offset, length = row.started_at - begin, row.ended_at - row.started_at
        offset_ms, duration_ms = offset / _MS, length / _MS
        width = max(_LEAST, 100 * (length / whole))
        result.append(
            Line(
                span=row,
                counted=view.counted,
                indent=min(view.depth, MAX_DEPTH) * 14,
                x=f"{min(100 * (offset / whole), 100 - width):.3f}",
                width=f"{width:.3f}",
                offset_ms=offset_ms,
                duration_ms=duration_ms,
                tone="bad" if row.failed else "info",
                said=f"from {_short(offset_ms)} for {_short(duration_ms)} milliseconds",
            )
        )
    return result


def _short(number: float) -> str:
    """With one decimal, where it is not nought."""
    return f"{number:.1f}".removesuffix(".0")
