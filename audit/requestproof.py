"""A request to take along: the spans as they were hashed, and for each the proof that it is in the signed log. Pure.

    python -m audit.verify request.proof.json --key PUBLIC_KEY

One JSON document; a proof inside it is a file of its own kind (C2SP tlog-proof), which other tools read as well. What
it shows is that these spans were received as they stand here, not that there were no others.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from audit.canonical import CanonicalError, loads
from audit.checkpoint import NoteError, Proof, VerifierKey

FORMAT = "readiness-request-proof"
VERSION = 1
MAX_BYTES = 256 * 1024 * 1024


class RequestProofError(ValueError):
    """The document does not show what it claims."""


def write(about: Mapping[str, str], spans: Sequence[tuple[bytes, Proof]], *, origin: str, keys: Sequence[str]) -> bytes:
    document = {
        "format": FORMAT,
        "version": VERSION,
        **about,
        "log": origin,
        "keys": list(keys),
        "spans": [{"leaf": leaf.decode(), "proof": proof.text()} for leaf, proof in spans],
    }
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def steps(data: bytes, *, pinned: Sequence[VerifierKey] = ()) -> Iterator[tuple[str, str]]:
    """Each step as (what was checked, what was found). Raises RequestProofError at the first that fails."""
    document = _read(data)
    yield "The document is a proof of a request", f"{len(document['spans'])} spans, log {document['log']}"
    keys, found = _keys(document, pinned)
    yield "The public keys", found
    yield "Each span: one request, and in the tree of a signed head", _spans(document, keys)


def _read(data: bytes) -> dict[str, Any]:
    try:
        document = loads(data)
    except CanonicalError as error:
        raise RequestProofError(f"the document cannot be read: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT or document.get("version") != VERSION:
        raise RequestProofError(f"the document does not say {FORMAT}, version {VERSION}")
    texts = (document.get(name) for name in ("system", "environment", "trace_id", "log"))
    spans = document.get("spans")
    if not all(isinstance(text, str) for text in texts) or not isinstance(spans, list) or not spans:
        raise RequestProofError("the document names no request, no log or no spans")
    return document


def _keys(document: dict[str, Any], pinned: Sequence[VerifierKey]) -> tuple[list[VerifierKey], str]:
    if pinned:
        return list(pinned), "yours"
    try:
        keys = [VerifierKey.parse(line) for line in document.get("keys") or ()]
    except (NoteError, TypeError, AttributeError) as error:
        raise RequestProofError(f"its public key cannot be read: {error}") from None
    if not keys:
        raise RequestProofError("the document holds no public key; give one with --key")
    ids = ", ".join(key.key_id.hex() for key in keys)
    return keys, f"{ids}, as the document itself says: compare with a copy of your own (--key)"


def _spans(document: dict[str, Any], keys: Sequence[VerifierKey]) -> str:
    seen: set[int] = set()
    for number, span in enumerate(document["spans"], start=1):
        try:
            leaf, proof = span["leaf"].encode(), Proof.parse(span["proof"])
            fields: Any = loads(leaf)
            head = proof.verify(leaf, keys, document["log"])
            named = (fields["system"], fields["environment"], fields["trace_id"].replace("-", ""))
        except (CanonicalError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise RequestProofError(f"span {number}: {error}") from None
        if named != (document["system"], document["environment"], document["trace_id"]):
            raise RequestProofError(f"span {number} is of another request")
        if proof.index in seen:
            raise RequestProofError(f"span {number} stands in the document twice")
        seen.add(proof.index)
    return f"{len(seen)}, in a log of {head.size} spans"
