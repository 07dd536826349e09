"""Our own plain form of a span, for whoever has no OpenTelemetry: a JSON array, or one JSON object a line. Pure.

    {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "name": "POST /ask",
     "start": "2026-11-24T10:00:00.000Z", "duration_ms": 412, "status": "ok",
     "attributes": {"readiness.request_id": "req-1", "readiness.release": "2026.11.2"}}

`parent_id`, `end` (instead of `duration_ms`), `status_message`, `resource` and `events` are optional. Attributes have
the same names as in OTLP.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from audit.ingest.wire import Unreadable, WireEvent, WireSpan

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STATUS = {"unset": 0, "ok": 1, "error": 2}


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    at: datetime | None = None
    attributes: dict[str, Any] = {}


class _Span(msgspec.Struct, forbid_unknown_fields=True):
    trace_id: str
    span_id: str
    name: str
    start: datetime
    parent_id: str = ""
    end: datetime | None = None
    duration_ms: float | int | None = None
    status: Literal["unset", "ok", "error"] = "unset"
    status_message: str = ""
    attributes: dict[str, Any] = {}
    resource: dict[str, Any] = {}
    events: list[_Event] = []


_one = msgspec.json.Decoder(_Span)
_many = msgspec.json.Decoder(list[_Span])


def decode(body: bytes) -> Iterator[WireSpan]:
    try:
        if body.lstrip()[:1] == b"[":
            spans = _many.decode(body)
        else:
            spans = [_one.decode(line) for line in body.splitlines() if line.strip()]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Unreadable(f"The body is not a list of spans: {error}.") from None
    return (_wire(span) for span in spans)


def _wire(span: _Span) -> WireSpan:
    start = _nano(span.start)
    if span.end is not None:
        end = _nano(span.end)
    elif span.duration_ms is not None and 0 <= span.duration_ms < 10**9:
        end = start + int(span.duration_ms * 1_000_000)
    else:
        end = start - 1  # neither end nor a duration that can be: refused like any span that ends before it starts
    return WireSpan(
        trace_id=_identifier(span.trace_id),
        span_id=_identifier(span.span_id),
        parent_id=_identifier(span.parent_id),
        name=span.name,
        kind=0,
        start_ns=start,
        end_ns=end,
        status=_STATUS[span.status],
        status_message=span.status_message,
        attributes=span.attributes,
        resource=span.resource,
        scope="",
        events=[WireEvent(e.name, _nano(e.at) if e.at else 0, e.attributes) for e in span.events],
    )


def _nano(moment: datetime) -> int:
    """A time without a zone is taken as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1) * 1000


def _identifier(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b"?"
