"""Verify an exported decision log, without Django, without a network and without trusting who exported it.

    python -m audit.verify ledger.zip [--key PUBLIC_KEY] [--checkpoint FILE]
    python -m audit.verify request.proof.json [--key PUBLIC_KEY]     one request, from its page

Given a release's bundle, it checks the bundle's files, signatures and proofs; `python -m releases.verify` checks what
the bundle means besides.

Needs Python, `cryptography`, and the modules beside this one. The steps are numbered in the order in which trust is
built: files, keys, checkpoints, entries; the first bad entry is named. Exit code 0: verified, 1: not, 2: usage.

What `--key` and `--checkpoint` add: an export is consistent with its own keys even where somebody made it up whole, and
a beginning of a log is a valid log. A public key and a head from another source (the auditor's own file, an e-mail, a
release bundle) close both gaps.
"""

import argparse
import hashlib
import json
import sys
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from audit import bundle, leaf, requestproof
from audit.archive import ArchiveError, member, opened
from audit.canonical import CanonicalError, loads
from audit.checkpoint import NoteError, TreeHead, VerifierKey, unbase64, verify
from audit.walk import LogError, Walk

FORMAT = "readiness-ledger-export"
VERSION = 1
MANIFEST = "manifest.json"
ENTRIES = "entries.jsonl"
CHECKPOINTS = "checkpoints.jsonl"
KEYS = "keys.txt"
README = "README.txt"
FILES = {ENTRIES, CHECKPOINTS, KEYS, README}
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
MAX_LINE_BYTES = 4 * 1024 * 1024  # a payload of 1 MiB, escaped, with its leaf


class ExportError(ValueError):
    """The export does not verify. `index` is the first entry that is wrong, where one can be named."""

    def __init__(self, reason: str, *, index: int | None = None) -> None:
        super().__init__(reason)
        self.index = index


@dataclass
class Export:
    """An opened export, and what the steps have established about it so far."""

    archive: zipfile.ZipFile
    pinned: Sequence[VerifierKey] = ()
    own_note: str | None = None
    manifest: dict[str, Any] = field(default_factory=dict)
    keys: list[VerifierKey] = field(default_factory=list)
    heads: list[TreeHead] = field(default_factory=list)


def steps(export: Export) -> Iterator[tuple[str, str]]:
    """Each step as (what was checked, what was found).

    Raises ExportError at the first that fails, or ArchiveError where a file cannot be unpacked.
    """
    yield "The archive holds the files that its manifest names", _files(export)
    yield "The public keys", _keys(export)
    yield "The checkpoints are signed, for this log", _checkpoints(export)
    yield "Entries: payload, commitment, leaf, tree, every checkpoint", _entries(export)


def _files(export: Export) -> str:
    names = [info.filename for info in export.archive.infolist()]
    if len(names) != len(set(names)):
        raise ExportError("the archive holds a file twice")
    if MANIFEST not in names:
        raise ExportError("the archive has no manifest.json")
    manifest = _read_json(_small(export, MANIFEST), MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or manifest.get("version") != VERSION:
        raise ExportError(f"manifest.json does not say {FORMAT}, version {VERSION}")
    listed = manifest.get("files")
    if not isinstance(listed, dict) or set(listed) != FILES or set(names) != FILES | {MANIFEST}:
        raise ExportError(f"the archive does not hold exactly {', '.join(sorted(FILES))}")
    for name, digest in listed.items():
        found = hashlib.sha256()
        with opened(export.archive, name) as file:
            while block := file.read(1 << 20):
                found.update(block)
        if f"sha256:{found.hexdigest()}" != digest:
            raise ExportError(f"{name} is not the file that the manifest names: its digest is another")
    if not isinstance(manifest.get("origin"), str) or type(manifest.get("size")) is not int:
        raise ExportError("the manifest names no origin and size")
    export.manifest = manifest
    return f"{len(listed)} files, log {manifest['origin']}, {manifest['size']} entries"


def _keys(export: Export) -> str:
    try:
        export.keys = [VerifierKey.parse(line) for line in _small(export, KEYS).decode().splitlines() if line.strip()]
    except (NoteError, UnicodeDecodeError) as error:
        raise ExportError(f"keys.txt: {error}") from None
    if not export.keys:
        raise ExportError("keys.txt holds no public key")
    ids = ", ".join(key.key_id.hex() for key in export.keys)
    if export.pinned:
        if not set(export.pinned) & set(export.keys):
            raise ExportError(f"none of the keys in the export ({ids}) is the one you gave")
        return f"{ids}; yours is among them"
    return f"{ids}, as the export itself says: compare with a copy of your own (--key)"


def _checkpoints(export: Export) -> str:
    origin = export.manifest["origin"]
    for number, line in enumerate(_lines(export, CHECKPOINTS), start=1):
        record = _read_json(line, f"{CHECKPOINTS} line {number}")
        if not isinstance(record, dict) or not isinstance(record.get("note"), str):
            raise ExportError(f"{CHECKPOINTS} line {number} holds no note")
        export.heads.append(_signed(record["note"], export.keys, origin, f"checkpoint {number}"))
        last_note = record["note"]
    if not export.heads:
        raise ExportError("the export holds no checkpoint")
    last = max(export.heads, key=lambda head: head.size)
    if export.heads[-1] != last or last.size != export.manifest["size"]:
        raise ExportError(f"the last checkpoint covers {export.heads[-1].size} entries, not all of them")
    if export.pinned:
        _signed(last_note, export.pinned, origin, "the last checkpoint, with your key")
    found = f"{len(export.heads)}, the last over {last.size} entries"
    if export.own_note is not None:
        own = _signed(export.own_note, export.pinned or export.keys, origin, "your checkpoint")
        if own.size > last.size:
            raise ExportError(
                f"your checkpoint covers {own.size} entries, the export has {last.size}: its end was cut off",
                index=last.size,
            )
        export.heads.append(own)
        found += f"; yours, over {own.size} entries, is compared too"
    return found


def _signed(note: str, keys: Sequence[VerifierKey], origin: str, what: str) -> TreeHead:
    try:
        head = verify(note, keys)
    except NoteError as error:
        raise ExportError(f"{what}: {error}") from None
    if head.origin != origin:
        raise ExportError(f"{what} is of another log: {head.origin}")
    return head


def _entries(export: Export) -> str:
    walk = Walk([])
    erased = 0
    try:
        walk = Walk(export.heads)
        for line in _lines(export, ENTRIES):
            index = walk.tree.size
            data, salt, payload = _entry(line, index)
            walk.add(leaf.parse(data), data, salt, payload)
            erased += payload is None
        tree = walk.finish()
    except leaf.LeafError as error:
        raise ExportError(f"entry {walk.tree.size}: {error}", index=walk.tree.size) from None
    except LogError as error:
        raise ExportError(str(error), index=error.index) from None
    if tree.size != export.manifest["size"]:
        size = export.manifest["size"]
        raise ExportError(f"entry {size}: no checkpoint covers it, nor any after it", index=size)
    return f"{tree.size} entries" + (f", {erased} with an erased payload" if erased else "")


def _entry(line: bytes, index: int) -> tuple[bytes, bytes | None, bytes | None]:
    """Leaf, salt and payload of one line. Only the canonical spelling counts: no key twice, so nobody reads another."""
    try:
        record = json.loads(line)
        text, salt, payload = record["leaf"], record["salt"], record["payload"]
        if write_line({"leaf": text, "payload": payload, "salt": salt}) != line:
            raise ValueError("it is not in canonical form")
        if payload is None and salt is None:
            return text.encode(), None, None
        decoded = unbase64(salt)
        if len(decoded) != leaf.SALT_SIZE:
            raise ValueError("the salt is not 32 bytes")
        return text.encode(), decoded, payload.encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ExportError(f"entry {index}: its line cannot be read: {error}", index=index) from None


def write_line(record: dict[str, str | None]) -> bytes:
    """One line of entries.jsonl; keys are given in order."""
    return _encode(record).encode() + b"\n"


def _lines(export: Export, name: str) -> Iterator[bytes]:
    with opened(export.archive, name) as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            if len(line) > MAX_LINE_BYTES:
                raise ExportError(f"{name} has a line of more than {MAX_LINE_BYTES} bytes")
            yield line


def _small(export: Export, name: str) -> bytes:
    return member(export.archive, name, most=MAX_LINE_BYTES)


def _read_json(data: bytes, what: str) -> Any:
    try:
        return loads(data)
    except CanonicalError as error:
        raise ExportError(f"{what}: {error}") from None


def open_export(file: Path | BinaryIO, *, keys: Sequence[str] = (), checkpoint: str | None = None) -> Export:
    try:
        return Export(zipfile.ZipFile(file), [VerifierKey.parse(key) for key in keys], checkpoint)
    except zipfile.BadZipFile:
        raise ExportError("this is not a zip archive") from None


def is_bundle(archive: zipfile.ZipFile) -> bool:
    """Which of the two kinds of archive this is, by the manifest's word; each kind's own steps then check it."""
    try:
        manifest = loads(member(archive, MANIFEST, most=MAX_LINE_BYTES))
    except (CanonicalError, ArchiveError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == bundle.FORMAT


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m audit.verify", description="Verify an exported decision log.")
    parser.add_argument("export", type=Path, help="the zip that manage.py export_ledger wrote")
    parser.add_argument("--key", action="append", default=[], help="a public key that you trust; may be given again")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint that you kept: the export must continue it")
    options = parser.parse_args(arguments)
    try:
        walked = _walk(options)
    except ExportError as error:
        print(f"NOT verified: {error}")
        return 1
    except (OSError, UnicodeDecodeError, NoteError) as error:
        print(f"Cannot begin: {error}", file=sys.stderr)
        return 2
    number = 0
    try:
        for number, (what, found) in enumerate(walked, start=1):
            print(f"{number}. ok   {what}: {found}")
    except (ExportError, ArchiveError, bundle.BundleError, requestproof.RequestProofError, OSError) as error:
        print(f"{number + 1}. FAIL {error}")
        index = getattr(error, "index", None)
        print("The export is NOT verified." + ("" if index is None else f" First bad entry: {index}."))
        return 1
    print("The export is verified.")
    if _is_bundle_file(options.export):
        print("Whether the verdict and the people's signatures hold is for `python -m releases.verify` to say.")
    return 0


def _walk(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """The steps that fit what kind of file this is."""
    with options.export.open("rb") as file:
        if file.read(1) == b"{":
            if options.checkpoint:
                raise NoteError("a request's proof continues no checkpoint; leave --checkpoint out")
            data = b"{" + file.read(requestproof.MAX_BYTES)
            return requestproof.steps(data, pinned=[VerifierKey.parse(key) for key in options.key])
    own = options.checkpoint.read_text(encoding="utf-8") if options.checkpoint else None
    return _closing(open_export(options.export, keys=options.key, checkpoint=own))


def _is_bundle_file(path: Path) -> bool:
    """Asked after its steps passed: a request's proof is no archive."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return is_bundle(archive)


def _closing(export: Export) -> Iterator[tuple[str, str]]:
    with export.archive:
        if is_bundle(export.archive):
            yield from bundle.steps(bundle.Bundle(export.archive, export.pinned, export.own_note))
        else:
            yield from steps(export)


if __name__ == "__main__":
    sys.exit(main())
