"""OTLP/HTTP log requests, protobuf and JSON, as wire spans. Pure.

The older GenAI conventions send prompts and answers as log records (`gen_ai.user.message`, `gen_ai.choice`), newer ones
may (`gen_ai.client.inference.operation.details`). Such a record is kept as a point in time below the span that it was
written in: so it is redacted, checked, hashed and sealed like everything else, and the request page shows it in its
place. Other logs are none of the trail's business, and are turned away by name.
"""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from audit import canonical
from audit.ingest import otlp
from audit.ingest.wire import BadSpan, Unreadable, WireSpan, tidy

NOT_GENAI = "it is no GenAI event, and other logs are not kept"
NO_SPAN = "it names no span, so it belongs to no request"


def decode_protobuf(body: bytes) -> Iterator[WireSpan]:
    request = ExportLogsServiceRequest()
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise Unreadable(f"The body is not an OTLP log request in protobuf: {error}.") from None
    for group in request.resource_logs:
        resource = otlp.attributes(group.resource.attributes)
        for part in group.scope_logs:
            for record in part.log_records:
                yield _wire(
                    trace_id=record.trace_id,
                    parent_id=record.span_id,
                    name=record.event_name,
                    at_ns=record.time_unix_nano or record.observed_time_unix_nano,
                    attributes=otlp.attributes(record.attributes),
                    body=otlp.value(record.body, 0),
                    resource=resource,
                    scope=part.scope.name,
                )


class _Record(msgspec.Struct, rename="camel"):
    time_unix_nano: int | str = 0
    observed_time_unix_nano: int | str = 0
    event_name: str = ""
    body: otlp.JsonValue | None = None
    attributes: list[otlp.JsonPair] | None = None
    trace_id: str = ""
    span_id: str = ""


class _ScopeLogs(msgspec.Struct, rename="camel"):
    scope: otlp.JsonScope | None = None
    log_records: list[_Record] | None = None


class _ResourceLogs(msgspec.Struct, rename="camel"):
    resource: otlp.JsonResource | None = None
    scope_logs: list[_ScopeLogs] | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_logs: list[_ResourceLogs] | None = None


_decoder = msgspec.json.Decoder(_Request)


def decode_json(body: bytes) -> Iterator[WireSpan]:
    try:
        request = _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Unreadable(f"The body is not an OTLP log request in JSON: {error}.") from None
    for group in request.resource_logs or ():
        resource = otlp.plain(group.resource.attributes if group.resource else None)
        for part in group.scope_logs or ():
            scope = part.scope.name or "" if part.scope else ""
            for record in part.log_records or ():
                yield _wire(
                    trace_id=otlp.identifier(record.trace_id),
                    parent_id=otlp.identifier(record.span_id),
                    name=record.event_name,
                    at_ns=otlp.integer(record.time_unix_nano) or otlp.integer(record.observed_time_unix_nano),
                    attributes=otlp.plain(record.attributes),
                    body=record.body.plain(0) if record.body else None,
                    resource=resource,
                    scope=scope,
                )


def _wire(
    *,
    trace_id: bytes,
    parent_id: bytes,
    name: str,
    at_ns: int,
    attributes: dict[str, Any],
    body: Any,
    resource: dict[str, Any],
    scope: str,
) -> WireSpan:
    # Before event names had a field of their own, they were an attribute.
    name = name or str(attributes.pop("event.name", ""))
    unwanted = "" if name.startswith("gen_ai.") else NOT_GENAI
    if not unwanted and not (any(trace_id) and any(parent_id)):
        unwanted = NO_SPAN
    if body not in (None, "", {}):
        attributes[name] = body
    span = WireSpan(
        trace_id=trace_id,
        span_id=b"",
        parent_id=parent_id,
        name=name,
        kind=0,
        start_ns=at_ns,
        end_ns=at_ns,
        status=0,
        status_message="",
        attributes=attributes,
        resource=resource,
        scope=scope,
        event=True,
        unwanted=unwanted,
    )
    if not unwanted:
        span.span_id = _id_of(span)
    return span


def _id_of(span: WireSpan) -> bytes:
    """A record has no id of its own; what it says is its id, so that a retried export is stored once."""
    try:
        said = canonical.dumps_tidy(tidy(span.attributes))
    except (BadSpan, canonical.CanonicalError) as error:
        span.unwanted = str(error)
        return b""
    named = b"\n".join((span.trace_id, span.parent_id, span.name.encode(), str(span.start_ns).encode(), said))
    return hashlib.sha256(b"readiness/log-record/v1\n" + named).digest()[:8]
