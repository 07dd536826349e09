"""Statements that other tools read: in-toto statements in DSSE envelopes. Pure: no Django.

Formats: DSSE v1 (https://github.com/secure-systems-lab/dsse) and in-toto Statement v1 (https://in-toto.io/Statement/v1).
Signed with the keys that sign the ledger's checkpoints: what is signed begins with `DSSEv1`, which no checkpoint can
(its first line is the name of a log), so neither signature passes for the other.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from audit import canonical
from audit.checkpoint import NoteError, Signer, VerifierKey, unbase64

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


class EnvelopeError(ValueError):
    """Not an envelope, or not signed by a key that is trusted here."""


@dataclass(frozen=True)
class Statement:
    """Something said about artifacts: about which (`subject`), of which kind (`predicate_type`), and what."""

    subject: tuple[Mapping[str, Any], ...]
    predicate_type: str
    predicate: Mapping[str, Any]

    def body(self) -> dict[str, Any]:
        return {
            "_type": STATEMENT_TYPE,
            "subject": list(self.subject),
            "predicateType": self.predicate_type,
            "predicate": self.predicate,
        }


def key_id(key: VerifierKey) -> str:
    """A hint which key signed; nothing is trusted for it."""
    return key.key_id.hex()


def signed_bytes(payload_type: str, payload: bytes) -> bytes:
    """PAE of the specification: what is signed, with type and lengths, so that no other reading of it exists."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def envelope(statement: Statement, signers: Sequence[Signer]) -> dict[str, Any]:
    if not signers:
        raise EnvelopeError("a statement needs a signing key")
    payload = canonical.dumps(statement.body())
    signed = signed_bytes(PAYLOAD_TYPE, payload)
    return {
        "payloadType": PAYLOAD_TYPE,
        "payload": base64.b64encode(payload).decode(),
        "signatures": [
            {"keyid": key_id(signer.public), "sig": base64.b64encode(signer.sign(signed)).decode()}
            for signer in signers
        ],
    }


def opened(envelope: Any, keys: Iterable[VerifierKey]) -> Statement:
    """The statement, if a known key signed it. Unknown keys are ignored; no known key is an error, never a pass."""
    known = list(keys)
    if not known:
        raise EnvelopeError("there is no public key to verify with")
    try:
        payload_type, payload = envelope["payloadType"], unbase64(envelope["payload"])
        signatures = [unbase64(row["sig"]) for row in envelope["signatures"]]
    except (KeyError, TypeError, NoteError) as error:
        raise EnvelopeError(f"this is not a DSSE envelope ({type(error).__name__})") from None
    if payload_type != PAYLOAD_TYPE:
        raise EnvelopeError(f"the envelope holds {payload_type!r}, not an in-toto statement")
    signed = signed_bytes(payload_type, payload)
    if not any(key.verifies(signature, signed) for key in known for signature in signatures):
        raise EnvelopeError("the envelope is not signed by a known key")
    return _statement(payload)


def _statement(payload: bytes) -> Statement:
    try:
        body: Any = canonical.loads(payload)
        statement = Statement(tuple(body["subject"]), body["predicateType"], body["predicate"])
        known_type = body["_type"] == STATEMENT_TYPE
    except (canonical.CanonicalError, KeyError, TypeError) as error:
        raise EnvelopeError(f"the signed text is not an in-toto statement ({type(error).__name__})") from None
    if not known_type:
        raise EnvelopeError("the signed text is not an in-toto statement of version 1")
    return statement
