"""A span as it is stored and hashed. One list of columns: the COPY, the table and the leaf all follow it. Pure."""

from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec
from msgspec.structs import asdict, astuple
from psycopg.types.json import Jsonb

from audit import canonical


class SpanRow(msgspec.Struct, kw_only=True):
    """Made for every span that comes in, so the fields that few of them fill have defaults."""

    system: str
    environment: str
    trace_id: UUID
    span_id: str
    parent_id: str
    started_at: datetime
    duration_us: int
    name: str
    kind: str
    component: str = ""
    service: str = ""
    scope: str = ""
    otlp_kind: int = 0
    failed: bool = False
    error_type: str = ""
    status_message: str = ""
    request_id: str = ""
    release: str = ""
    tenant: str = ""
    prompt_name: str = ""
    prompt_version: str = ""
    prompt_hash: str = ""
    prompt_hash_source: str = ""
    model_requested: str = ""
    model_answered: str = ""
    provider: str = ""
    response_id: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    cost_nanousd: int | None = None
    price_source: str = ""
    source_ids: list[str] | None = None
    input_ok: bool | None = None
    output_ok: bool | None = None
    contract_source: str = ""
    flags: list[str] = []
    retries: int | None = None
    timed_out: bool = False
    fallback: str = ""
    handoff: bool = False
    redactions: int = 0
    attributes: dict[str, Any] = {}
    resource: dict[str, Any] = {}
    events: list[dict[str, Any]] = []
    input_commitment: bytes | None = None
    output_commitment: bytes | None = None

    @property
    def key(self) -> tuple[int, str, datetime]:
        """What makes a span that is sent again the same one (within its system)."""
        return (self.trace_id.int, self.span_id, self.started_at)


LEAF_FIELDS = SpanRow.__struct_fields__
_all_of = attrgetter(*LEAF_FIELDS)
_BYTES = ("input_commitment", "output_commitment")
JSON_FIELDS = frozenset({"attributes", "resource", "events"})
_JSON_PLACES = [place for place, name in enumerate(LEAF_FIELDS) if name in JSON_FIELDS]
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
    said = {name: getattr(kind, "__name__", str(kind)) for name, kind in SpanRow.__annotations__.items()}
    return [_OTHER.get(name) or _TYPES[said[name].partition(" |")[0]] for name in COLUMNS]


def leaf_of(span: Any) -> dict[str, Any]:
    """What is hashed into the log for a span: a SpanRow, or the stored row read back. Version 1."""
    leaf = asdict(span) if isinstance(span, SpanRow) else dict(zip(LEAF_FIELDS, _all_of(span), strict=True))
    leaf["type"], leaf["v"] = "span", 1
    leaf["started_at"] = canonical.timestamp(span.started_at)
    for name in _BYTES:
        if leaf[name] is not None:
            leaf[name] = bytes(leaf[name]).hex()
    return leaf


def leaf_bytes(span: Any) -> bytes:
    """The leaf as it is hashed."""
    return canonical.dumps_tidy(leaf_of(span))


def values_of(row: SpanRow) -> list[Any]:
    """In the order of LEAF_FIELDS, as COPY takes them."""
    values = list(astuple(row))
    for place in _JSON_PLACES:
        values[place] = Jsonb(values[place], dumps=msgspec.json.encode)
    return values
