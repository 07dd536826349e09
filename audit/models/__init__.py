from audit.models.browsing import LegalHold, Quota, Retention, SavedView
from audit.models.environments import SideEnvironment
from audit.models.ledger import Checkpoint, Entry, Head, Node, Payload
from audit.models.policy import ContractCheck, UnsafeLogging
from audit.models.requests import Call, ComponentRollup, Fingerprint, Profile, Request, Rollup, Spend, Unapproved
from audit.models.trail import PayloadKey, Span, SpanBatch, SpanCheckpoint, SpanLog, SpanNode, SpanPayload, SpanTile
from audit.models.vault import Blob

__all__ = [
    "Blob",
    "Call",
    "Checkpoint",
    "ComponentRollup",
    "ContractCheck",
    "Entry",
    "Fingerprint",
    "Head",
    "LegalHold",
    "Node",
    "Payload",
    "PayloadKey",
    "Profile",
    "Quota",
    "Request",
    "Retention",
    "Rollup",
    "SavedView",
    "SideEnvironment",
    "Span",
    "SpanBatch",
    "SpanCheckpoint",
    "SpanLog",
    "SpanNode",
    "SpanPayload",
    "SpanTile",
    "Spend",
    "Unapproved",
    "UnsafeLogging",
]
