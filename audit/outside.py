"""What is kept of a log outside of PostgreSQL, so that the database cannot be rewritten or set back unnoticed.

`<log>.checkpoint` is the last signed head. It is the anchor: nothing is signed that does not continue it, and a
database behind it is refused. `<log>.leaves` holds the leaf hashes it was made of, 32 bytes each; it proves nothing by
itself (its root must equal the head's), but after an attack that rewrote everything consistently it names the first
entry that was rewritten. Both are written so that a crash at any moment leaves the old or the new state.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from audit import merkle
from audit.checkpoint import TreeHead


@dataclass(frozen=True)
class Outside:
    folder: Path
    log: str

    @classmethod
    def of(cls, log: str) -> "Outside":
        return cls(Path(settings.DATA_DIR) / "checkpoints", log)

    @property
    def checkpoint(self) -> Path:
        return self.folder / f"{self.log}.checkpoint"

    @property
    def leaves(self) -> Path:
        return self.folder / f"{self.log}.leaves"

    def note(self) -> str | None:
        try:
            return self.checkpoint.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def known(self, head: TreeHead) -> bytes:
        """The leaf hashes under `head`, or nothing where the file is not the one that head was made of."""
        try:
            data = self.leaves.read_bytes()[: head.size * merkle.HASH_SIZE]
        except FileNotFoundError:
            return b""
        parts = merkle.hashes_of(data)
        return data if len(parts) == head.size and merkle.root(parts) == head.root else b""

    def keep(self, note: str, *, hashes: bytes, start: int) -> None:
        """Make `note` the anchor. `hashes` are the leaves from entry `start` on."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Leaves first: too many of them are cut at the next start, too few would be a head without its leaves.
        with open(os.open(self.leaves, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            file.seek(start * merkle.HASH_SIZE)
            file.write(hashes)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        temporary = self.checkpoint.with_suffix(".new")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as text:
            text.write(note)
            text.flush()
            os.fsync(text.fileno())
        temporary.replace(self.checkpoint)
        self._sync_folder()

    def _sync_folder(self) -> None:
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
