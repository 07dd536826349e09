"""A log of our own making, outside of any database: for the tests of the walk, the verifier and the forged exports."""

import base64
import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field, replace

from audit import canonical, leaf, merkle, verify
from audit.checkpoint import Signer, TreeHead, sign
from audit.leaf import Leaf

ORIGIN = "readiness/00000000-0000-4000-8000-000000000000/decisions"
KEY = Signer(ORIGIN, bytes(range(32)))
STRANGER = Signer(ORIGIN, bytes(range(1, 33)))


@dataclass(frozen=True)
class Item:
    leaf: Leaf
    salt: bytes | None
    payload: bytes | None

    @property
    def data(self) -> bytes:
        return self.leaf.encode()


def item(index: int, *, kind: str = "release.opened", subject: str = "", note: str = "") -> Item:
    salt = hashlib.sha256(f"salt {index}".encode()).digest()
    payload = canonical.dumps({"number": index, "note": note})
    made = Leaf(
        index=index,
        kind=kind,
        actor="user:1",
        via="",
        subject=subject or f"release:{index}",
        system="bot",
        at="2026-01-01T00:00:00.000000Z",
        recorded_at="2026-01-01T00:00:00.000001Z",
        commitment=leaf.commitment(salt, payload),
    )
    return Item(made, salt, payload)


def log(size: int) -> list[Item]:
    return [item(index) for index in range(size)]


def erased(one: Item) -> Item:
    return replace(one, salt=None, payload=None)


def head(items: list[Item], size: int | None = None) -> TreeHead:
    covered = items[:size]
    return TreeHead(ORIGIN, len(covered), merkle.root(merkle.leaf_hash(one.data) for one in covered))


def line(one: Item) -> bytes:
    salt = None if one.salt is None else base64.b64encode(one.salt).decode()
    payload = None if one.payload is None else one.payload.decode()
    return verify.write_line({"leaf": one.data.decode(), "payload": payload, "salt": salt})


@dataclass
class Archive:
    """An export that can be forged file by file; `zip` writes a manifest that fits, unless told otherwise."""

    items: list[Item]
    sizes: tuple[int, ...] = ()
    signer: Signer = KEY
    files: dict[str, bytes] = field(default_factory=dict)
    manifest: dict[str, object] = field(default_factory=dict)
    extra: list[tuple[str, bytes]] = field(default_factory=list)

    def notes(self) -> list[str]:
        return [sign(head(self.items, size), [self.signer]) for size in self.sizes or (len(self.items),)]

    def zip(self) -> io.BytesIO:
        files = {
            verify.ENTRIES: b"".join(line(one) for one in self.items),
            verify.CHECKPOINTS: b"".join(canonical.dumps({"note": note}) + b"\n" for note in self.notes()),
            verify.KEYS: f"{self.signer.public}\n".encode(),
            verify.README: b"An export.\n",
            **self.files,
        }
        manifest = {
            "format": verify.FORMAT,
            "version": verify.VERSION,
            "origin": ORIGIN,
            "size": len(self.items),
            "files": {name: f"sha256:{hashlib.sha256(data).hexdigest()}" for name, data in files.items()},
            **self.manifest,
        }
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
            archive.writestr(verify.MANIFEST, json.dumps(manifest))
            for name, data in self.extra:
                archive.writestr(name, data)
        written.seek(0)
        return written
