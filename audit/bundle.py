"""A bundle: files with a manifest, and of each act that it rests on the ledger's entry with its proof. Pure.

    bundle/manifest.json            the SHA-256 of every other file
    bundle/ledger/keys.txt          public keys, as the bundle itself says: compare with your own
    bundle/ledger/entries.jsonl     leaf, salt and payload of each entry
    bundle/ledger/<n>.tlog-proof    its inclusion proof with the signed checkpoint (C2SP tlog-proof)
    bundle/attestations/*.json      DSSE envelopes

What is said here holds for any bundle; what a release's bundle means is checked in `releases.verify`.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from audit import dsse, leaf
from audit.archive import ArchiveError, member
from audit.canonical import CanonicalError, dumps, loads
from audit.checkpoint import NoteError, Proof, TreeHead, VerifierKey, unbase64, verify
from audit.dsse import EnvelopeError, Statement

FORMAT = "readiness-bundle"
VERSION = 1
MANIFEST = "manifest.json"
KEYS = "ledger/keys.txt"
ENTRIES = "ledger/entries.jsonl"
ATTESTATIONS = "attestations/"
# A file that unpacks to more than this is refused unread, and so is a bundle of more than these together.
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_TOTAL_BYTES = 1024 * 1024 * 1024


class BundleError(ValueError):
    """The bundle does not verify, and why."""


@dataclass(frozen=True)
class ProvenEntry:
    """An act as the ledger holds it: its leaf is in the signed tree, its payload is the one committed to."""

    leaf: leaf.Leaf
    payload: Any


@dataclass
class Bundle:
    """An opened bundle, and what the steps have established about it so far."""

    archive: zipfile.ZipFile
    pinned: Sequence[VerifierKey] = ()
    own_note: str | None = None
    manifest: dict[str, Any] = field(default_factory=dict)
    keys: list[VerifierKey] = field(default_factory=list)
    entries: dict[int, ProvenEntry] = field(default_factory=dict)
    head: TreeHead | None = None
    statements: dict[str, Statement] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        try:
            return member(self.archive, name)
        except ArchiveError as error:
            raise BundleError(str(error)) from None

    def read_json(self, name: str) -> Any:
        try:
            return loads(self.read(name))
        except CanonicalError as error:
            raise BundleError(f"{name}: {error}") from None


def open_bundle(file: Path | BinaryIO, *, keys: Sequence[str] = (), checkpoint: str | None = None) -> Bundle:
    try:
        return Bundle(zipfile.ZipFile(file), [VerifierKey.parse(key) for key in keys], checkpoint)
    except zipfile.BadZipFile:
        raise BundleError("this is not a zip archive") from None


def steps(bundle: Bundle) -> Iterator[tuple[str, str]]:
    """Each step as (what was checked, what was found). Raises BundleError at the first that fails."""
    yield "The archive holds the files that its manifest names", _files(bundle)
    yield "The public keys", _keys(bundle)
    yield "Ledger: payload, commitment, leaf, inclusion, signed checkpoint", _entries(bundle)
    yield "Attestations are signed by the same keys", _attestations(bundle)


def _files(bundle: Bundle) -> str:
    infos = bundle.archive.infolist()
    names = [info.filename for info in infos]
    if len(names) != len(set(names)):
        raise BundleError("the archive holds a file twice")
    if any(name.startswith("/") or "\\" in name or ".." in name.split("/") for name in names):
        raise BundleError("the archive names a file outside of itself")
    if any(info.file_size > MAX_FILE_BYTES for info in infos) or sum(i.file_size for i in infos) > MAX_TOTAL_BYTES:
        raise BundleError("the archive unpacks to more than a bundle may hold")
    manifest = bundle.read_json(MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise BundleError(f"manifest.json does not say {FORMAT}, version {VERSION}")
    listed = manifest.get("files")
    if not isinstance(listed, dict) or not isinstance(manifest.get("origin"), str):
        raise BundleError("the manifest names no files, or no log")
    if missing := sorted(set(listed) - set(names)):
        raise BundleError(f"{missing[0]} is missing")
    if added := sorted(set(names) - set(listed) - {MANIFEST}):
        raise BundleError(f"{added[0]} is in the archive, and not in its manifest")
    for name, digest in listed.items():
        if f"sha256:{hashlib.sha256(bundle.read(name)).hexdigest()}" != digest:
            raise BundleError(f"{name} is not the file that the manifest names: its digest is another")
    bundle.manifest = manifest
    return f"{len(listed)} files"


def _keys(bundle: Bundle) -> str:
    try:
        bundle.keys = [VerifierKey.parse(line) for line in bundle.read(KEYS).decode().splitlines() if line.strip()]
    except (NoteError, UnicodeDecodeError) as error:
        raise BundleError(f"{KEYS}: {error}") from None
    if not bundle.keys:
        raise BundleError(f"{KEYS} holds no public key")
    ids = ", ".join(key.key_id.hex() for key in bundle.keys)
    if not bundle.pinned:
        return f"{ids}, as the bundle itself says: compare with a copy of your own (--key)"
    bundle.keys = [key for key in bundle.keys if key in bundle.pinned]
    if not bundle.keys:
        raise BundleError(f"none of the keys in the bundle ({ids}) is the one you gave")
    return f"{ids}; yours is among them, and only yours is trusted"


def _entries(bundle: Bundle) -> str:
    for number, line in enumerate(bundle.read(ENTRIES).splitlines(), start=1):
        entry = _entry(bundle, line, f"{ENTRIES} line {number}")
        bundle.entries[entry.leaf.index] = entry
    if bundle.head is None:
        raise BundleError("the bundle holds no entry of the ledger")
    found = f"{len(bundle.entries)} entries, in the log of {bundle.head.size} entries"
    return found + _own_checkpoint(bundle, bundle.head)


def _entry(bundle: Bundle, line: bytes, what: str) -> ProvenEntry:
    try:
        record: Any = loads(line)
        data, salt, payload = record["leaf"].encode(), unbase64(record["salt"]), record["payload"].encode()
        parsed = leaf.parse(data)
        content = loads(payload)
    except (CanonicalError, NoteError, leaf.LeafError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{what} cannot be read: {error}") from None
    if leaf.commitment(salt, payload) != parsed.commitment:
        raise BundleError(f"entry {parsed.index}: its payload is not the one that was recorded")
    try:
        proof = Proof.parse(bundle.read(f"ledger/{parsed.index}.tlog-proof").decode())
        if proof.index != parsed.index:
            raise BundleError(f"entry {parsed.index}: its leaf is proven at place {proof.index}, which is another")
        head = proof.verify(data, bundle.keys, bundle.manifest["origin"])
    except (NoteError, UnicodeDecodeError) as error:
        raise BundleError(f"entry {parsed.index}: {error}") from None
    if bundle.head not in (None, head):
        raise BundleError("the proofs lead to different checkpoints")
    bundle.head = head
    return ProvenEntry(parsed, content)


def _own_checkpoint(bundle: Bundle, head: TreeHead) -> str:
    """A head that the auditor kept: of the same size it must be the same; others are not compared."""
    if bundle.own_note is None:
        return ""
    try:
        own = verify(bundle.own_note, bundle.pinned or bundle.keys)
    except NoteError as error:
        raise BundleError(f"your checkpoint: {error}") from None
    if own.origin != head.origin:
        raise BundleError(f"your checkpoint is of another log: {own.origin}")
    if own.size == head.size and own.root != head.root:
        raise BundleError(f"your checkpoint of {own.size} entries has another root: you were shown another log")
    if own.size == head.size:
        return "; your checkpoint is the same"
    return f"; yours covers {own.size} entries: whether one continues the other is not shown by this bundle"


def _attestations(bundle: Bundle) -> str:
    for name in sorted(bundle.manifest["files"]):
        if name.startswith(ATTESTATIONS):
            try:
                bundle.statements[name.removeprefix(ATTESTATIONS)] = dsse.opened(bundle.read_json(name), bundle.keys)
            except EnvelopeError as error:
                raise BundleError(f"{name}: {error}") from None
    return ", ".join(bundle.statements) or "none"


def pack(files: dict[str, bytes], about: dict[str, Any], out: BinaryIO) -> None:
    """Writes the archive: sorted names, fixed times, so that the same content gives the same bytes."""
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        **about,
        "files": {name: f"sha256:{hashlib.sha256(data).hexdigest()}" for name, data in sorted(files.items())},
    }
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in [(MANIFEST, json.dumps(manifest, indent=2).encode()), *sorted(files.items())]:
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data, compresslevel=1)


def write_entry(leaf_text: str, salt: str, payload: str) -> bytes:
    """One line of entries.jsonl."""
    return dumps({"leaf": leaf_text, "salt": salt, "payload": payload}) + b"\n"
