"""A span as it came over the wire, whatever the format, and the limits that every format shares. Pure."""

import math
from collections.abc import Iterable
from typing import Any

import msgspec

# A batch of an ordinary exporter has 512 spans; these bounds keep the largest allowed one within a worker's memory.
MAX_SPANS = 10_000
MAX_ATTRIBUTES = 1_024
MAX_EVENTS = 256
MAX_DEPTH = 12  # of a value that is stored
MAX_NESTING = 64  # of a body that is read at all
MAX_TEXT = 256 * 1024

MAX_INTEGER = 2**53 - 1  # beyond it JSON readers disagree: written as text


class Unreadable(ValueError):
    """The body is not what it says it is: nothing of it can be stored."""


class TooMuch(ValueError):
    """The body is within its format, but beyond a limit of ours."""


class BadSpan(ValueError):
    """One span that cannot be stored. The others of its batch can."""


class WireEvent(msgspec.Struct):
    name: str
    at_ns: int
    attributes: dict[str, Any]


class WireSpan(msgspec.Struct):
    trace_id: bytes
    span_id: bytes
    parent_id: bytes
    name: str
    kind: int  # OTLP SpanKind: 2 server, 3 client
    start_ns: int
    end_ns: int
    status: int  # OTLP StatusCode: 0 unset, 1 ok, 2 error
    status_message: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    scope: str
    events: list[WireEvent] = []
    event: bool = False  # a log record: a point in time below the span that it was written in
    unwanted: str = ""  # why its decoder would not have it

    def check(self) -> None:
        """What must be right in every span, or BadSpan with the reason."""
        if self.unwanted:
            raise BadSpan(self.unwanted)
        if len(self.trace_id) != 16 or not any(self.trace_id):
            raise BadSpan("the trace id is not 16 bytes")
        if len(self.span_id) != 8 or not any(self.span_id):
            raise BadSpan("the span id is not 8 bytes")
        if self.parent_id and len(self.parent_id) != 8:
            raise BadSpan("the parent id is not 8 bytes")
        if self.start_ns <= 0 or self.end_ns >= 2**63:
            raise BadSpan("there is no start time")
        if self.end_ns < self.start_ns:
            raise BadSpan("it ends before it starts")
        if len(self.attributes) > MAX_ATTRIBUTES or len(self.events) > MAX_EVENTS:
            raise BadSpan(f"it has more than {MAX_ATTRIBUTES} attributes or {MAX_EVENTS} events")


def tidy(value: Any, depth: int = 0) -> Any:
    """A decoded value as something that JSON, PostgreSQL and a hash can all hold, and give back the same."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise BadSpan(f"a text is longer than {MAX_TEXT} characters")
        return value.replace("\x00", "\ufffd") if "\x00" in value else value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -MAX_INTEGER <= value <= MAX_INTEGER else str(value)
    if isinstance(value, float):
        if not math.isfinite(value) or abs(value) > MAX_INTEGER:
            return str(value)
        # 1.0 and 1 are the same number in canonical JSON; so is what PostgreSQL gives back.
        return int(value) if value.is_integer() else value
    if depth >= MAX_DEPTH:
        raise BadSpan(f"values are nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {tidy(key, depth + 1): tidy(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [tidy(item, depth + 1) for item in value]
    raise BadSpan(f"a value of type {type(value).__name__} cannot be stored")


def counted(spans: Iterable[WireSpan]) -> list[WireSpan]:
    """The spans as a list, or a refusal as soon as there are too many."""
    result: list[WireSpan] = []
    for span in spans:
        if len(result) == MAX_SPANS:
            raise TooMuch(f"A request may carry {MAX_SPANS} spans. Send smaller batches.")
        result.append(span)
    return result
