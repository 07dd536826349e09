"""A span as it is stored and hashed. One list of columns: the COPY, the table and the leaf all follow it. Pure."""

from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from audit import canonical


@dataclass(slots=True)
class SpanRow:
    system: str
    environment: str
    trace_id: UUID
    span_id: str
    parent_id: str
    started_at: datetime
    duration_us: int
    name: str
    kind: str
    component: str
    service: str
    scope: str
    otlp_kind: int
    failed: bool
    error_type: str
    status_message: str
    request_id: str
    release: str
    tenant: str
    prompt_name: str
    prompt_version: str
    prompt_hash: str
    prompt_hash_source: str
    model_requested: str
    model_answered: str
    provider: str
    response_id: str
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    cost_nanousd: int | None
    price_source: str
    source_ids: list[str] | None
    input_ok: bool | None
    output_ok: bool | None
    contract_source: str
    flags: list[str]
    retries: int | None
    timed_out: bool
    fallback: str
    handoff: bool
    redactions: int
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: list[dict[str, Any]]
    input_commitment: bytes | None
    output_commitment: bytes | None

    @property
    def key(self) -> tuple[UUID, str, datetime]:
        """What makes a span that is sent again the same one (within its system)."""
        return (self.trace_id, self.span_id, self.started_at)


LEAF_FIELDS = tuple(item.name for item in fields(SpanRow))
_all_of = attrgetter(*LEAF_FIELDS)
_BYTES = ("input_commitment", "output_commitment")
JSON_FIELDS = frozenset({"attributes", "resource", "events"})
# Of the record, not of the span: a span that is sent again has the same leaf.
RECORD_FIELDS = ("leaf_hash", "batch_id", "position", "received_at")
COLUMNS = LEAF_FIELDS + RECORD_FIELDS

_TYPES = {"str": "text", "int": "int4", "bool": "bool", "datetime": "timestamptz", "UUID": "uuid", "bytes": "bytea"}
_OTHER = {
    "duration_us": "int8",
    "cost_nanousd": "int8",
    "otlp_kind": "int2",
    "source_ids": "text[]",
    "flags": "text[]",
    **dict.fromkeys(JSON_FIELDS, "jsonb"),
    "leaf_hash": "bytea",
    "batch_id": "uuid",
    "position": "int4",
    "received_at": "timestamptz",
}


def column_types() -> list[str]:
    """PostgreSQL's type of each column, for binary COPY."""
    plain = {item.name: getattr(item.type, "__name__", str(item.type).partition(" |")[0]) for item in fields(SpanRow)}
    return [_OTHER.get(name) or _TYPES[plain[name]] for name in COLUMNS]


def leaf_of(span: Any) -> dict[str, Any]:
    """What is hashed into the log for a span: a SpanRow, or the stored row read back. Version 1."""
    leaf: dict[str, Any] = {"type": "span", "v": 1, **dict(zip(LEAF_FIELDS, _all_of(span), strict=True))}
    leaf["started_at"] = canonical.timestamp(span.started_at)
    for name in _BYTES:
        if leaf[name] is not None:
            leaf[name] = bytes(leaf[name]).hex()
    return leaf
