"""OTLP/HTTP trace requests, protobuf and JSON, as wire spans. Pure.

Protobuf: opentelemetry-proto. JSON: the same message in proto3 JSON with the exceptions of the OTLP specification (ids
in hex, enumerations as numbers); 64-bit integers come quoted from one exporter and bare from another, both are read.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from audit.ingest.wire import MAX_NESTING, TooMuch, Unreadable, WireEvent, WireSpan


def decode_protobuf(body: bytes) -> Iterator[WireSpan]:
    request = ExportTraceServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise Unreadable(f"The body is not an OTLP trace request in protobuf: {error}.") from None
    for group in request.resource_spans:
        resource = attributes(group.resource.attributes)
        for part in group.scope_spans:
            scope = part.scope.name
            for span in part.spans:
                status = span.status
                yield WireSpan(
                    trace_id=span.trace_id,
                    span_id=span.span_id,
                    parent_id=span.parent_span_id,
                    name=span.name,
                    kind=span.kind,
                    start_ns=span.start_time_unix_nano,
                    end_ns=span.end_time_unix_nano,
                    status=status.code,
                    status_message=status.message,
                    attributes=attributes(span.attributes),
                    resource=resource,
                    scope=scope,
                    events=[WireEvent(e.name, e.time_unix_nano, attributes(e.attributes)) for e in span.events],
                )


def attributes(pairs: Any) -> dict[str, Any]:
    # Most values are texts; of any other kind of value the text is empty.
    return {pair.key: pair.value.string_value or value(pair.value, 0) for pair in pairs}


def value(sent: AnyValue, depth: int) -> Any:
    kind = sent.WhichOneof("value")
    match kind:
        case "string_value" | "int_value" | "bool_value" | "double_value":
            return getattr(sent, kind)
        case "bytes_value":
            return base64.b64encode(sent.bytes_value).decode()
        case "array_value" | "kvlist_value" if depth > MAX_NESTING:
            raise TooMuch(f"Attribute values are nested deeper than {MAX_NESTING} levels.")
        case "array_value":
            return [value(item, depth + 1) for item in sent.array_value.values]
        case "kvlist_value":
            pairs: list[KeyValue] = list(sent.kvlist_value.values)
            return {pair.key: value(pair.value, depth + 1) for pair in pairs}
    return None


class JsonValue(msgspec.Struct, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    array_value: "_Values | None" = None
    kvlist_value: "JsonPairs | None" = None
    bytes_value: str | None = None

    def plain(self, depth: int) -> Any:
        if depth > MAX_NESTING:
            raise TooMuch(f"Attribute values are nested deeper than {MAX_NESTING} levels.")
        if self.string_value is not None:
            return self.string_value
        if self.bool_value is not None:
            return self.bool_value
        if self.int_value is not None:
            return integer(self.int_value)
        if self.double_value is not None:
            return self.double_value  # text is "NaN" or "Infinity": kept as text
        if self.array_value is not None:
            return [item.plain(depth + 1) for item in self.array_value.values or ()]
        if self.kvlist_value is not None:
            return plain(self.kvlist_value.values, depth + 1)
        return self.bytes_value


class JsonPair(msgspec.Struct):
    key: str
    value: JsonValue | None = None


class _Values(msgspec.Struct):
    values: list[JsonValue] | None = None


class JsonPairs(msgspec.Struct):
    values: list[JsonPair] | None = None


class _Event(msgspec.Struct, rename="camel"):
    name: str = ""
    time_unix_nano: int | str = 0
    attributes: list[JsonPair] | None = None


class _Status(msgspec.Struct):
    code: int | str = 0
    message: str | None = None


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str | None = None
    name: str = ""
    kind: int | str = 0
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: list[JsonPair] | None = None
    events: list[_Event] | None = None
    status: _Status | None = None


class JsonScope(msgspec.Struct):
    name: str | None = None


class _ScopeSpans(msgspec.Struct):
    scope: JsonScope | None = None
    spans: list[_Span] | None = None


class JsonResource(msgspec.Struct):
    attributes: list[JsonPair] | None = None


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: JsonResource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


_decoder = msgspec.json.Decoder(_Request)
_KINDS = {
    "SPAN_KIND_INTERNAL": 1,
    "SPAN_KIND_SERVER": 2,
    "SPAN_KIND_CLIENT": 3,
    "SPAN_KIND_PRODUCER": 4,
    "SPAN_KIND_CONSUMER": 5,
}
_STATUSES = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}


def decode_json(body: bytes) -> Iterator[WireSpan]:
    try:
        request = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Unreadable(f"The body is not an OTLP trace request in JSON: {error}.") from None
    for group in request.resource_spans or ():
        resource = plain(group.resource.attributes if group.resource else None)
        for part in group.scope_spans or ():
            scope = part.scope.name or "" if part.scope else ""
            for span in part.spans or ():
                yield _wire(span, resource, scope)


def _wire(span: _Span, resource: dict[str, Any], scope: str) -> WireSpan:
    status = span.status or _Status()
    return WireSpan(
        trace_id=identifier(span.trace_id),
        span_id=identifier(span.span_id),
        parent_id=identifier(span.parent_span_id or ""),
        name=span.name,
        kind=span.kind if isinstance(span.kind, int) else _KINDS.get(span.kind, 0),
        start_ns=integer(span.start_time_unix_nano),
        end_ns=integer(span.end_time_unix_nano),
        status=status.code if isinstance(status.code, int) else _STATUSES.get(status.code, 0),
        status_message=status.message or "",
        attributes=plain(span.attributes),
        resource=resource,
        scope=scope,
        events=[WireEvent(e.name, integer(e.time_unix_nano), plain(e.attributes)) for e in span.events or ()],
    )


def plain(pairs: list[JsonPair] | None, depth: int = 0) -> dict[str, Any]:
    return {pair.key: pair.value.plain(depth) if pair.value else None for pair in pairs or ()}


def integer(value: int | str) -> int:
    if isinstance(value, int):
        return value
    if not value.lstrip("-").isdecimal() or len(value) > 20:
        raise Unreadable(f"{value[:40]!r} is not a 64-bit integer.")
    return int(value)


def identifier(text: str) -> bytes:
    """Hex, as OTLP says; base64 too, since generic protobuf-to-JSON printers write that. Other text is a bad id."""
    try:
        if len(text) in (16, 32):
            return bytes.fromhex(text)
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b"?"
