"""Walking a log from its beginning (or from a signed head): payload -> commitment -> leaf -> tree -> checkpoint.

One walk serves the signer before it signs, `manage.py verify`, and the offline verifier, so they cannot differ in what
they accept. It stops at the first entry that is wrong, and names it. Pure: no Django.
"""

import hashlib
from collections.abc import Iterable

from audit.checkpoint import TreeHead
from audit.leaf import COMMITMENT_TAG, ERASED, Leaf
from audit.merkle import HASH_SIZE, Frontier


class LogError(ValueError):
    """The log is not what was signed. `index` is the first entry that is wrong, where one can be named."""

    def __init__(self, reason: str, *, index: int | None = None) -> None:
        super().__init__(reason if index is None else f"entry {index}: {reason}")
        self.reason = reason
        self.index = index


class Walk:
    """Feed it every entry in order with `add`, then call `finish`. Either raises LogError at what is wrong.

    `heads`: tree heads whose signatures were verified; each is compared when the walk reaches its size.
    `start`: the tree of a verified head, to walk only what came after it.
    `known`: leaf hashes kept elsewhere (32 bytes each, from entry 0). They sign nothing, but where somebody rewrote an
    entry and all hashes after it, they name the first one rewritten; a root alone only says that something was.
    """

    def __init__(self, heads: Iterable[TreeHead], *, start: Frontier | None = None, known: bytes = b"") -> None:
        self.tree = start or Frontier()
        self.start = self.tree.size
        self.known = known
        self._known_end = len(known) // HASH_SIZE
        self._heads = sorted((head for head in heads if head.size >= self.start), key=lambda head: head.size)
        self._agreed = self.start
        self._without_payload: set[int] = set()
        self._compare_heads()

    def add(
        self, leaf: Leaf, data: bytes, salt: bytes | None, payload: bytes | None, stored_hash: bytes | None = None
    ) -> bytes:
        """One entry: `leaf` as read, `data` its bytes. Returns its leaf hash (RFC 6962, 2.1)."""
        index = self.tree.size
        if leaf.index != index:
            raise LogError(f"its leaf says it is entry {leaf.index}", index=index)
        if payload is None or salt is None:
            self._without_payload.add(index)
        elif hashlib.sha256(COMMITMENT_TAG + salt + payload).digest() != leaf.commitment:
            raise LogError("its payload is not the one that was recorded", index=index)
        hashed = hashlib.sha256(b"\x00" + data).digest()
        if stored_hash is not None and stored_hash != hashed:
            raise LogError("its hash does not belong to its leaf", index=index)
        if index < self._known_end and self.known[index * HASH_SIZE : (index + 1) * HASH_SIZE] != hashed:
            raise LogError("it was rewritten: the hash kept outside the database is another", index=index)
        if leaf.kind == ERASED:
            self._tombstone(leaf.subject)
        self.tree.append(hashed)
        if self._heads and self._heads[0].size <= self.tree.size:
            self._compare_heads()
        return hashed

    def finish(self) -> Frontier:
        """After the last entry: nothing that was signed is missing, and no payload went without a tombstone."""
        if self._heads:
            head = self._heads[0]
            raise LogError(f"it is missing: a signed checkpoint covers {head.size} entries", index=self.tree.size)
        if self._without_payload:
            raise LogError(
                "its payload is gone, and no entry says that it was erased", index=min(self._without_payload)
            )
        return self.tree

    def _tombstone(self, subject: str) -> None:
        _, _, erased = subject.partition("entry:")
        if erased.isascii() and erased.isdecimal():
            self._without_payload.discard(int(erased))

    def _compare_heads(self) -> None:
        while self._heads and self._heads[0].size == self.tree.size:
            head = self._heads.pop(0)
            if head.root != self.tree.root():
                last = head.size - 1
                if self._agreed > last:
                    raise LogError(
                        f"a checkpoint of {head.size} entries has another root than the tree that was signed before"
                    )
                where = f"entry {last}" if last == self._agreed else f"one of the entries {self._agreed} to {last}"
                raise LogError(
                    f"the checkpoint of {head.size} entries has another root: {where} was rewritten", index=self._agreed
                )
            self._agreed = head.size
