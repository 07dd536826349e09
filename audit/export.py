"""The decision log as one file that anybody can verify without us (`python -m audit.verify`)."""

import base64
import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from django.db import connection

from audit import canonical, ledger
from audit.leaf import ERASED
from audit.models import Checkpoint, Head
from audit.rows import stream
from audit.sealing import LOG
from audit.verify import CHECKPOINTS, ENTRIES, FORMAT, KEYS, MANIFEST, README, VERSION, write_line
from web.problems import Problem

_ABOUT = """An export of the decision log {origin}: {size} entries.

entries.jsonl      one entry a line: leaf (what is hashed into the tree), salt and payload (what it says in detail;
                   null where it was erased)
checkpoints.jsonl  the signed tree heads (C2SP tlog-checkpoint), oldest first
keys.txt           the public keys of the signatures
manifest.json      the SHA-256 of these files

To verify it, without a network:   python -m audit.verify THIS_FILE.zip --key PUBLIC_KEY
Take the public key from a source of your own, not from this file.
"""


_ENTRIES = """
    SELECT e.index, e.kind, e.subject, e.leaf, p.salt, p.payload
    FROM audit_entry e LEFT JOIN audit_payload p ON p.index = e.index WHERE e.index < %s ORDER BY e.index
"""


class ExportRefused(Problem):
    code = "export-refused"


def write_export(path: Path, *, now: datetime) -> int:
    """Everything up to the last checkpoint; returns the number of entries. What is wrong in the log is exported as it
    is: the verifier shall see it."""
    checkpoints = list(Checkpoint.objects.order_by("size"))
    if not checkpoints:
        raise ExportRefused("Nothing was signed yet. The worker signs a few seconds after the first entry.")
    size = checkpoints[-1].size
    origin = Head.objects.get(log=LOG).origin
    keys = dict.fromkeys(key for row in reversed(checkpoints) for key in row.keys.splitlines())
    parts = {
        ENTRIES: _entries(size),
        CHECKPOINTS: (canonical.dumps({"note": row.note, "size": row.size}) + b"\n" for row in checkpoints),
        KEYS: (f"{key}\n".encode() for key in keys),
        README: [_ABOUT.format(origin=origin, size=size).encode()],
    }
    temporary = path.with_name(f"{path.name}.part")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "origin": origin,
            "size": size,
            "exported_at": canonical.plain(now),
            "files": {name: _write(archive, name, lines) for name, lines in parts.items()},
        }
        archive.writestr(MANIFEST, json.dumps(manifest, indent=2))
    temporary.replace(path)
    return size


def _write(archive: zipfile.ZipFile, name: str, lines: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    with archive.open(name, "w", force_zip64=True) as file:
        for line in lines:
            digest.update(line)
            file.write(line)
    return f"sha256:{digest.hexdigest()}"


def _entries(size: int) -> Iterator[bytes]:
    erased, tombstones = set(), set()
    for index, kind, subject, leaf, salt, payload in stream(connection, _ENTRIES, [size]):
        if payload is None:
            erased.add(f"entry:{index}")
            yield write_line({"leaf": leaf, "payload": None, "salt": None})
            continue
        if kind == ERASED:
            tombstones.add(subject)
        # Bytes that are not text any more become text that does not fit the commitment.
        text = payload.decode(errors="replace")
        yield write_line({"leaf": leaf, "payload": text, "salt": base64.b64encode(salt).decode()})
    if erased - tombstones and ledger.entries().filter(index__gte=size, kind=ERASED).exists():
        raise ExportRefused("A payload was erased just now, and that is not signed yet. Try again in some seconds.")
