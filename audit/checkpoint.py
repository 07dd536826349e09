"""Checkpoints: signed tree heads, as text that any transparency-log tool reads.

Formats: C2SP signed-note (https://c2sp.org/signed-note), tlog-checkpoint (https://c2sp.org/tlog-checkpoint) and
tlog-proof (https://c2sp.org/tlog-proof), byte for byte. Signatures are Ed25519 (RFC 8032), type 0x01. A note may carry
several signatures: while a key is being replaced, old and new one both sign, and a verifier that knows either accepts.
Pure: no Django.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.merkle import HASH_SIZE, ProofError, leaf_hash, verify_inclusion

ED25519 = b"\x01"
MAX_NOTE_BYTES = 64 * 1024
MAX_SIGNATURES = 16
_SIGNATURE_LINE = re.compile(r"— (\S+) (\S+)")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


class NoteError(ValueError):
    """Not a well-formed note, or not signed by a key that is trusted here."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name. Written as `name+keyid+base64(0x01 || key)`, the usual form of note tools."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not self.name or "+" in self.name or any(char.isspace() for char in self.name):
            raise NoteError(f"{self.name!r} cannot name a key: no spaces, no plus sign")
        if len(self.public) != 32:
            raise NoteError("an Ed25519 public key is 32 bytes")

    @property
    def key_id(self) -> bytes:
        """SHA-256(name || 0x0A || 0x01 || public key)[:4]: an index into the known keys, not a proof of anything."""
        return hashlib.sha256(self.name.encode() + b"\n" + ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        parts = text.strip().split("+", 2)
        if len(parts) != 3:
            raise NoteError("a public key is written name+id+base64")
        data = unbase64(parts[2])
        if data[:1] != ED25519:
            raise NoteError("the public key is not of type Ed25519")
        key = cls(parts[0], data[1:])
        if key.key_id.hex() != parts[1]:
            raise NoteError(f"the key id {parts[1]} does not belong to this key; it would be {key.key_id.hex()}")
        return key

    def verifies(self, signature: bytes, text: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            return False
        return True


@lru_cache(maxsize=16)
def _public_half(seed: bytes) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key (32-byte seed) under the name it signs with."""

    name: str
    seed: bytes

    @property
    def public(self) -> VerifierKey:
        return VerifierKey(self.name, _public_half(self.seed))

    def sign(self, text: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(text)

    def line(self, text: bytes) -> str:
        return f"— {self.name} {base64.b64encode(self.public.key_id + self.sign(text)).decode()}\n"

    def __repr__(self) -> str:
        return f"Signer({self.public})"


@dataclass(frozen=True, slots=True)
class TreeHead:
    """A tree head: which log, how many entries, which root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The signed text. No extension lines: monitors cannot audit them."""
        if not self.origin or "\n" in self.origin or self.size < 0 or len(self.root) != HASH_SIZE:
            raise NoteError("not a tree head that can be written")
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> "TreeHead":
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not lines[0]:
            raise NoteError("a checkpoint has three lines: origin, size, root")
        if not _DECIMAL.fullmatch(lines[1]):
            raise NoteError(f"{lines[1]!r} is not a tree size")
        root = unbase64(lines[2])
        if len(root) != HASH_SIZE:
            raise NoteError("a root is 32 bytes")
        return cls(lines[0], int(lines[1]), root)


def unbase64(text: str) -> bytes:
    """Standard base64, one spelling only: what decodes but would be encoded otherwise is refused."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError(f"{text[:60]!r} is not base64") from None
    if base64.b64encode(data).decode() != text:
        raise NoteError(f"{text[:60]!r} is not canonical base64")
    return data


def sign(head: TreeHead, signers: Sequence[Signer]) -> str:
    """The signed note. The first signer is the log's own key, by its origin's name."""
    if not signers:
        raise NoteError("a checkpoint needs a signing key")
    text = head.text()
    return text + "\n" + "".join(signer.line(text.encode()) for signer in signers)


def split_note(note: str) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Text and signatures (name, key id, signature) of a note, checked for form only."""
    try:
        if len(note.encode()) > MAX_NOTE_BYTES:
            raise NoteError("the note is too long")
    except UnicodeEncodeError:
        raise NoteError("the note is not UTF-8") from None
    if any(char < " " and char != "\n" for char in note) or not note.endswith("\n"):
        raise NoteError("a note is lines of text without control characters")
    text, blank, tail = note.rpartition("\n\n")
    if not blank or not text:
        raise NoteError("the note has no signature")
    lines = tail.split("\n")[:-1]
    if not 0 < len(lines) <= MAX_SIGNATURES:
        raise NoteError(f"a note has 1 to {MAX_SIGNATURES} signatures")
    signatures = []
    for line in lines:
        match = _SIGNATURE_LINE.fullmatch(line)
        if match is None:
            raise NoteError(f"not a signature line: {line[:80]!r}")
        data = unbase64(match[2])
        if len(data) < 5 or "+" in match[1]:
            raise NoteError(f"not a signature line: {line[:80]!r}")
        signatures.append((match[1], data[:4], data[4:]))
    return text + "\n", signatures


def verify(note: str, keys: Iterable[VerifierKey]) -> TreeHead:
    """The checkpoint, if at least one known key signed it and no known key's signature is wrong.

    Unknown keys are ignored, as the specification demands: witnesses may add theirs. No known key at all is an error,
    never a pass.
    """
    known = {(key.name, key.key_id): key for key in keys}
    if not known:
        raise NoteError("no public key to verify with")
    text, signatures = split_note(note)
    verified = set()
    for name, key_id, signature in signatures:
        key = known.get((name, key_id))
        if key is None:
            continue
        if key in verified:
            raise NoteError(f"two signatures by the key {name}+{key_id.hex()}")
        if not key.verifies(signature, text.encode()):
            raise NoteError(f"the signature by {name}+{key_id.hex()} does not fit the text")
        verified.add(key)
    if not verified:
        raise NoteError("the note is not signed by a known key")
    return TreeHead.parse(text)


PROOF_HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class Proof:
    """A `.tlog-proof` file: entry `index` is in the tree of the checkpoint; checked with nothing but the public key."""

    index: int
    hashes: tuple[bytes, ...]
    note: str

    def text(self) -> str:
        lines = [PROOF_HEADER, f"index {self.index}", *(base64.b64encode(item).decode() for item in self.hashes), ""]
        return "\n".join(lines) + "\n" + self.note

    @classmethod
    def parse(cls, text: str) -> "Proof":
        head, blank, note = text.partition("\n\n")
        lines = head.split("\n")
        if not blank or lines[0] != PROOF_HEADER:
            raise NoteError(f"not a proof file: the first line is not {PROOF_HEADER}")
        del lines[0]
        if lines and lines[0].startswith("extra "):  # unauthenticated by definition: of no use to us
            del lines[0]
        if not lines or not lines[0].startswith("index ") or not _DECIMAL.fullmatch(lines[0][6:]):
            raise NoteError("the proof names no index")
        return cls(int(lines[0][6:]), tuple(unbase64(line) for line in lines[1:]), note)

    def verify(self, leaf: bytes, keys: Iterable[VerifierKey], origin: str) -> TreeHead:
        """Numbered, as a verifier should be able to report them: 1 signature, 2 origin, 3 inclusion of the leaf."""
        head = verify(self.note, keys)
        if head.origin != origin:
            raise NoteError(f"the checkpoint is of the log {head.origin!r}, not {origin!r}")
        try:
            verify_inclusion(leaf_hash(leaf), self.index, head.size, self.hashes, head.root)
        except ProofError as error:
            raise NoteError(str(error)) from error
        return head
