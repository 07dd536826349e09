"""The leaf of the decision log: what is hashed into the tree for each entry. Pure: no Django.

A leaf is RFC 8785 JSON of fixed keys. It names things by id and holds no personal data; what happened in detail is the
payload, which the leaf fixes by a commitment, SHA-256(tag || 32 random bytes || payload). When payload and salt are
erased, the commitment tells nothing (32 unknown bytes cannot be guessed), and the tree stays as it is.

The database writes leaves (migration 0001_ledger); this module says the same in Python, for whoever verifies.
"""

import hashlib
import json
from typing import NamedTuple

from audit.merkle import HASH_SIZE

TYPE = "decision"
VERSION = 1
MAX_LEAF_BYTES = 65_535
SALT_SIZE = 32
COMMITMENT_TAG = b"readiness/payload/v1\n"
ERASED = "ledger.payload-erased"
# Writes text as ECMAScript does, so as RFC 8785 wants it (a property test compares).
_quote = json.encoder.encode_basestring


class LeafError(ValueError):
    """The bytes are not a leaf of this log."""


class Leaf(NamedTuple):
    """A tuple, since millions are made in a verification."""

    index: int  # type: ignore[assignment]  # an entry's place, not tuple.index
    kind: str
    actor: str
    via: str
    subject: str
    system: str
    at: str
    recorded_at: str
    commitment: bytes

    def text(self) -> str:
        index, kind, actor, via, subject, system, at, recorded_at, commitment = self
        return (
            f'{{"actor":{_quote(actor)},"at":{_quote(at)},"commitment":"sha256:{commitment.hex()}"'
            f',"index":{index},"kind":{_quote(kind)},"recorded_at":{_quote(recorded_at)}'
            f',"subject":{_quote(subject)},"system":{_quote(system)},"type":"{TYPE}","v":{VERSION}'
            f',"via":{_quote(via)}}}'
        )

    def encode(self) -> bytes:
        return self.text().encode()


def parse(data: bytes) -> Leaf:
    """The leaf, or a refusal: exactly the known keys, and no other spelling than the canonical one.

    Strict by writing it again: a key given twice, another order, spaces or escapes would come back as other bytes.
    """
    if len(data) > MAX_LEAF_BYTES:
        raise LeafError(f"a leaf has at most {MAX_LEAF_BYTES} bytes")
    try:
        fields = json.loads(data)
        algorithm, _, digest = fields["commitment"].partition(":")
        leaf = Leaf(
            index=fields["index"],
            kind=fields["kind"],
            actor=fields["actor"],
            via=fields["via"],
            subject=fields["subject"],
            system=fields["system"],
            at=fields["at"],
            recorded_at=fields["recorded_at"],
            commitment=bytes.fromhex(digest),
        )
        same = leaf.encode() == data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LeafError(f"not a leaf of type {TYPE}, version {VERSION} ({type(error).__name__})") from None
    texts = (leaf.kind, leaf.actor, leaf.via, leaf.subject, leaf.system, leaf.at, leaf.recorded_at)
    if type(leaf.index) is not int or not all(type(text) is str for text in texts):
        raise LeafError("a field of the leaf has the wrong type")
    if algorithm != "sha256" or len(leaf.commitment) != HASH_SIZE:
        raise LeafError("the commitment is not a SHA-256 digest")
    if not same:
        raise LeafError("the leaf is not in canonical form")
    return leaf


def commitment(salt: bytes, payload: bytes) -> bytes:
    """What a leaf holds in place of the payload."""
    return hashlib.sha256(COMMITMENT_TAG + salt + payload).digest()
