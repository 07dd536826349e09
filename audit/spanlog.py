"""The request log: every stored span gets a number, and the numbers are signed.

Batches come in as they commit, in no order. One sequencer gives each its place; then the tree over all leaves is
signed. Two steps and two transactions: a span's number stands before a signature covers it, so the head that is kept
outside the database (audit.outside) is never ahead of it after a crash, and a database behind that head was set back.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from audit.checkpoint import NoteError, TreeHead, sign, verify
from audit.merkle import HASH_SIZE, Frontier, ProofError, inclusion_proof, root, verify_inclusion
from audit.models import SpanBatch, SpanCheckpoint, SpanLog, SpanTile
from audit.outside import Outside
from audit.signing import public_keys, signers

LOG = "requests"
TILE = 256
# pg_try_advisory_xact_lock(class, object): "RD" and a number of our own; the decision log has 1.
_LOCK = (0x5244, 2)
# Batches per transaction: the locks and the walk stay short, the job comes back for the rest.
_AT_ONCE = 500


class NotSigned(Exception):
    """The request log is not signed any further until an operator has looked. Trying again would not help."""

    permanent = True


def sequence(*, now: datetime) -> int:
    """Gives every waiting batch its place, in order of arrival. Returns how many spans were numbered."""
    numbered = 0
    while True:
        with transaction.atomic(), _alone() as mine:
            if not mine:
                return numbered
            log = SpanLog.objects.get()
            size = log.size
            for batch in SpanBatch.objects.filter(first_index=None).order_by("received_at", "id")[:_AT_ONCE]:
                SpanBatch.objects.filter(pk=batch.pk).update(first_index=size, sequenced_at=now)
                size += batch.count
            if size == log.size:
                return numbered
            SpanLog.objects.filter(pk=log.pk).update(size=size)
            numbered += size - log.size


def sign_head(*, now: datetime) -> TreeHead | None:
    """Signs the log as it is; None where nothing is new. What was signed before is never signed over."""
    try:
        with transaction.atomic(), _alone() as mine:
            return _sign(now) if mine else None
    except NoteError as error:
        raise NotSigned(str(error)) from error


def _sign(now: datetime) -> TreeHead | None:
    log, last = SpanLog.objects.get(), SpanCheckpoint.objects.order_by("size").last()
    keys = signers(log.origin, create=True)
    outside = Outside.of(LOG)
    # 1. The anchor outside: of this log, by our key, and not ahead of the database.
    anchor = _anchor(outside, log, last)
    if log.size == (last.size if last else 0):
        return None
    # 2. From the last signed tree over every new leaf; on the way it must agree with the anchor.
    growing = _Tree(last)
    for batch in SpanBatch.objects.filter(first_index__gte=growing.size).order_by("first_index").iterator():
        if batch.first_index != growing.size:
            raise NoteError(f"the batch that begins with span {growing.size} is missing")
        growing.extend(bytes(batch.leaves))
        if anchor and growing.size == anchor.size and growing.root() != anchor.root:
            raise NoteError(f"a span below {anchor.size} was changed: the head kept outside has another root")
    if growing.size != log.size:
        raise NoteError(f"the log counts {log.size} spans, its batches {growing.size}")
    # 3. Sign, keep outside, publish.
    head = TreeHead(log.origin, growing.size, growing.root())
    note = sign(head, keys)
    outside.keep(note, hashes=b"", start=0)
    SpanTile.objects.bulk_create(growing.tiles)
    SpanCheckpoint.objects.create(
        size=head.size, root=head.root, note=note, peaks=b"".join(growing.peaks()), signed_at=now
    )
    return head


def _anchor(outside: Outside, log: SpanLog, last: SpanCheckpoint | None) -> TreeHead | None:
    note = outside.note()
    if note is None:
        if last is not None:
            raise NoteError(f"{outside.checkpoint} is not there, though the log was signed up to span {last.size}")
        return None
    anchor = verify(note, public_keys(log.origin))
    if anchor.origin != log.origin:
        raise NoteError(f"{outside.checkpoint} belongs to the log {anchor.origin}, the database to {log.origin}")
    if anchor.size > log.size or (last and last.size > anchor.size):
        raise NoteError(f"the database has {log.size} spans, the last signed head kept outside has {anchor.size}")
    if last and last.size == anchor.size and bytes(last.root) != anchor.root:
        raise NoteError(f"the head of {last.size} spans in the database is not the one that is kept outside")
    return anchor


class _Tree:
    """The growing tree in two storeys: the tile that is being filled, and the tree over the full ones."""

    def __init__(self, last: SpanCheckpoint | None) -> None:
        size = last.size if last else 0
        peaks = _hashes(bytes(last.peaks)) if last else []
        above = (size // TILE).bit_count()
        self.upper = Frontier(size // TILE, peaks[:above])
        self.tile = Frontier(size % TILE, peaks[above:])
        self.tiles: list[SpanTile] = []
        if last and self.root() != bytes(last.root):
            raise NoteError(f"the tree of {size} spans has another root than was signed")

    @property
    def size(self) -> int:
        return self.upper.size * TILE + self.tile.size

    def extend(self, leaves: bytes) -> None:
        for leaf in _hashes(leaves):
            self.tile.append(leaf)
            if self.tile.size == TILE:
                self.tiles.append(SpanTile(index=self.upper.size, root=self.tile.root()))
                self.upper.append(self.tile.root())
                self.tile = Frontier()

    def peaks(self) -> list[bytes]:
        return self.upper.peaks + self.tile.peaks

    def root(self) -> bytes:
        return Frontier(self.size, self.peaks()).root()


def range_root(lo: int, hi: int) -> bytes:
    """The root over leaves lo..hi-1, from full tiles and single leaves: see audit.merkle.RangeHash."""
    if hi - lo < TILE:
        return root(_leaves(lo, hi))
    tiles = SpanTile.objects.filter(index__gte=lo // TILE, index__lt=hi // TILE).order_by("index")
    nodes = [bytes(tile.root) for tile in tiles]
    if len(nodes) != hi // TILE - lo // TILE:
        raise ProofError(f"tiles between {lo} and {hi} are missing")
    return root([*nodes, root(_leaves(hi - hi % TILE, hi))] if hi % TILE else nodes)


def _leaves(lo: int, hi: int) -> list[bytes]:
    found: list[bytes] = []
    # The batch that holds `lo` may begin well before it.
    first = SpanBatch.objects.filter(first_index__lte=lo).order_by("-first_index").first()
    start = lo if first is None or first.first_index is None else first.first_index
    for batch in SpanBatch.objects.filter(first_index__gte=start, first_index__lt=hi).order_by("first_index"):
        begin = batch.first_index or 0
        found += _hashes(bytes(batch.leaves)[max(lo - begin, 0) * HASH_SIZE : (hi - begin) * HASH_SIZE])
    if len(found) != hi - lo:
        raise ProofError(f"leaves between {lo} and {hi} are missing")
    return found


def check_sealed(leaves: Sequence[tuple[int, bytes]], *, waiting: int) -> tuple[bool | None, str]:
    """Do these leaves (index, hash) lead to the root of the newest signed head? `waiting`: spans without an index."""
    log, last = SpanLog.objects.get(), SpanCheckpoint.objects.order_by("size").last()
    sealed = [] if last is None else [(index, leaf) for index, leaf in leaves if index < last.size]
    if last is not None:
        try:
            head = verify(last.note, public_keys(log.origin))
            for index, leaf in sealed:
                verify_inclusion(leaf, index, head.size, inclusion_proof(index, head.size, range_root), head.root)
        except (NoteError, ProofError) as error:
            return False, f"The stored spans do not lead to the signed head of the request log: {error}."
    unsealed = len(leaves) - len(sealed) + waiting
    if unsealed or last is None:
        return None, f"The spans are as they were received; {unsealed} of them wait for the next signed head."
    return True, f"All {len(sealed)} spans are as they were received, in the signed log of {last.size:,} spans."


def last_checkpoint() -> dict[str, Any] | None:
    last = SpanCheckpoint.objects.order_by("size").last()
    if last is None:
        return None
    return {"size": last.size, "root": bytes(last.root).hex(), "note": last.note}


def _hashes(packed: bytes) -> list[bytes]:
    return [packed[at : at + HASH_SIZE] for at in range(0, len(packed), HASH_SIZE)]


@contextmanager
def _alone() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", list(_LOCK))
        yield bool(cursor.fetchone()[0])


def verify_heads(*, report: Callable[[int, int], None] = lambda done, size: None) -> tuple[int, int]:
    """Every head that was ever signed, against the tree over all leaves. Returns how many heads, and how many spans.

    NoteError names the first head, or the first batch, that is not as it was signed.
    """
    log = SpanLog.objects.get()
    keys = public_keys(log.origin)
    waiting = {row.size: row for row in SpanCheckpoint.objects.order_by("size")}
    heads, size = len(waiting), 0
    batches = SpanBatch.objects.filter(first_index__isnull=False).order_by("first_index")
    for size, root_here in verify_batches(batches.iterator(chunk_size=200)):
        report(size, log.size)
        if row := waiting.pop(size, None):
            signed = verify(row.note, keys)
            if (signed.size, signed.root) != (size, root_here) or bytes(row.root) != root_here:
                raise NoteError(f"the head of {size} spans is not what was signed: a span below it was changed")
    if waiting:
        raise NoteError(f"the log ends at {size} spans; a head of {min(waiting)} was signed")
    return heads, size


def verify_batches(batches: Iterable[SpanBatch]) -> Iterator[tuple[int, bytes]]:
    """(size, root) of the tree after each batch: for whoever checks every head that was ever signed."""
    tree = Frontier()
    for batch in batches:
        if batch.first_index != tree.size:
            raise NoteError(f"the batch that begins with span {tree.size} is missing")
        for leaf in _hashes(bytes(batch.leaves)):
            tree.append(leaf)
        yield tree.size, tree.root()
