"""The spans of a request laid out on one line of time, in numbers that a template can draw. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

MAX_DEPTH = 8
_LEAST = 0.4  # per cent: a bar of no length is a bar that nobody sees


class Spanned(Protocol):
    @property
    def spans(self) -> Sequence[Any]: ...


@dataclass(frozen=True, slots=True)
class Line:
    span: Any
    indent: int
    x: str  # per cent of the whole
    width: str
    offset_ms: float
    duration_ms: float
    tone: str


def lines(request: Spanned) -> list[Line]:
    if not request.spans:
        return []
    begin: datetime = min(span.started_at for span in request.spans)
    end: datetime = max(span.row.ended_at for span in request.spans)
    whole = max(end - begin, timedelta(microseconds=1))
    result = []
    for span in request.spans:
        offset, length = span.started_at - begin, span.row.ended_at - span.started_at
        width = max(_LEAST, 100 * (length / whole))
        result.append(
            Line(
                span=span,
                indent=min(span.depth, MAX_DEPTH) * 14,
                x=f"{min(100 * (offset / whole), 100 - width):.3f}",
                width=f"{width:.3f}",
                offset_ms=offset / timedelta(milliseconds=1),
                duration_ms=length / timedelta(milliseconds=1),
                tone="bad" if span.failed else "info",
            )
        )
    return result
