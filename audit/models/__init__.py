from audit.models.ledger import Checkpoint, Entry, Head, Node, Payload
from audit.models.requests import Call, Fingerprint, Profile, Request, Rollup, Spend, Unapproved
from audit.models.trail import PayloadKey, Span, SpanBatch, SpanCheckpoint, SpanLog, SpanPayload, SpanTile
from audit.models.vault import Blob

__all__ = [
    "Blob",
    "Call",
    "Checkpoint",
    "Entry",
    "Fingerprint",
    "Head",
    "Node",
    "Payload",
    "PayloadKey",
    "Profile",
    "Request",
    "Rollup",
    "Span",
    "SpanBatch",
    "SpanCheckpoint",
    "SpanLog",
    "SpanPayload",
    "SpanTile",
    "Spend",
    "Unapproved",
]
