"""The request log: every stored span gets a number, and the numbers are signed.

Batches come in as they commit, in no order. One sequencer gives each its place; then the tree over all leaves is
signed. Two steps and two transactions: a span's number stands before a signature covers it, so the head that is kept
outside the database (audit.outside) is never ahead of it after a crash, and a database behind that head was set back.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from audit import spantree
from audit.checkpoint import NoteError, Proof, TreeHead, sign, verify
from audit.merkle import Frontier, ProofError, hashes_of, verify_inclusion
from audit.models import SpanBatch, SpanCheckpoint, SpanLog, SpanTile
from audit.outside import Outside
from audit.signing import public_keys, signers
from audit.spantree import TILE
from web.prepared import fetched

LOG = "requests"
# pg_try_advisory_xact_lock(class, object): "RD" and a number of our own; the decision log has 1.
_LOCK = (0x5244, 2)
# Batches per transaction: the locks and the walk stay short, the job comes back for the rest.
_AT_ONCE = 500


class NotSigned(Exception):
    """The request log is not signed any further until an operator has looked. Trying again would not help."""

    permanent = True


def sequence(*, now: datetime, report: Callable[[int], None] = lambda numbered: None) -> int:
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
        report(numbered)


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
    new: Any = SpanBatch.objects.filter(first_index__gte=growing.size).order_by("first_index")
    with closing(new.iterator()) as batches:  # the cursor does not wait for the error to be forgotten
        for batch in batches:
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
    SpanTile.objects.bulk_create(growing.tiles, batch_size=1000)
    spantree.keep_levels(growing.upper.size)
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
        peaks = hashes_of(bytes(last.peaks)) if last else []
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
        for leaf in hashes_of(leaves):
            self.tile.append(leaf)
            if self.tile.size == TILE:
                self.tiles.append(SpanTile(index=self.upper.size, root=self.tile.root()))
                self.upper.append(self.tile.root())
                self.tile = Frontier()

    def peaks(self) -> list[bytes]:
        return self.upper.peaks + self.tile.peaks

    def root(self) -> bytes:
        return Frontier(self.size, self.peaks()).root()


class Signed(NamedTuple):
    """A head of the log as it is stored."""

    origin: str
    note: str
    peaks: bytes


type Places = dict[tuple[UUID, int], tuple[int | None, bytes]]


def places_of(spans: Sequence[tuple[UUID, int]]) -> tuple[Places, Signed | None]:
    """(batch, position) of spans -> the batch's first index in the log, and the leaf hash that it holds there.

    And the newest head, which whoever asks for places looks at next: one question for both.
    """
    batches, positions = zip(*spans, strict=True)
    places: Places = {}
    signed = None
    for batch, at, first, leaf, *head in fetched(connection, _PLACES, [list(batches), list(positions)], binary=True):
        if batch is None:
            signed = Signed(*head)
        else:
            places[batch, at] = first, leaf
    return places, signed


_PLACES = """
    SELECT b.id, w.position, b.first_index, substring(b.leaves FROM w.position * 32 + 1 FOR 32), NULL, NULL, NULL
      FROM unnest(%s::uuid[], %s::int[]) AS w (id, position) JOIN public.audit_span_batch b ON b.id = w.id
    UNION ALL
    (SELECT NULL, NULL, NULL, NULL, l.origin, c.note, c.peaks
       FROM public.audit_span_log l CROSS JOIN public.audit_span_checkpoint c ORDER BY c.size DESC LIMIT 1)
"""
# Every request that is looked at is compared with the newest head: its signature is checked once.
_head_of = lru_cache(maxsize=16)(verify)


def check_sealed(
    leaves: Sequence[tuple[int, bytes]], signed: Signed | None, *, waiting: int
) -> tuple[bool | None, str]:
    """Do these leaves (index, hash) lead to the root of the signed head? `waiting`: spans without an index."""
    size, sealed = 0, []
    if signed is not None:
        origin, note, peaks = signed
        try:
            head = _head_of(note, tuple(public_keys(origin)))
            size, sealed = head.size, [(index, leaf) for index, leaf in leaves if index < head.size]
            paths = spantree.proofs((index for index, _ in sealed), size, peaks)
            for index, leaf in sealed:
                verify_inclusion(leaf, index, size, paths[index], head.root)
        except (NoteError, ProofError) as error:
            return False, f"The stored spans do not lead to the signed head of the request log: {error}."
    unsealed = len(leaves) - len(sealed) + waiting
    if unsealed or not size:
        return None, f"The spans are as they were received; {unsealed} of them wait for the next signed head."
    return True, f"All {len(sealed)} spans are as they were received, in the signed log of {size:,} spans."


def inclusions(indexes: Sequence[int]) -> tuple[dict[int, Proof], str, list[str]]:
    """Proofs of these leaves under the newest signed head; the log's origin; and the public keys, as text."""
    log, last = SpanLog.objects.get(), SpanCheckpoint.objects.latest("size")
    paths = spantree.proofs(indexes, last.size, bytes(last.peaks))
    proofs = {index: Proof(index, tuple(path), last.note) for index, path in paths.items()}
    return proofs, log.origin, [str(key) for key in public_keys(log.origin)]


def last_checkpoint() -> dict[str, Any] | None:
    last = SpanCheckpoint.objects.order_by("size").last()
    if last is None:
        return None
    return {"size": last.size, "root": bytes(last.root).hex(), "note": last.note}


@contextmanager
def _alone() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", list(_LOCK))
        yield bool(cursor.fetchone()[0])


def verify_heads(*, report: Callable[[int, int], None] = lambda done, size: None) -> tuple[int, int]:
    """Every head that was ever signed, against the tree over all leaves. Returns how many heads, and how many spans.

    The stored hashes of the tree are compared on the way: a proof is made from them. NoteError names the first head,
    batch or hash that is not as it was signed.
    """
    log = SpanLog.objects.get()
    keys = public_keys(log.origin)
    waiting = {row.size: row for row in SpanCheckpoint.objects.order_by("size")}
    heads, last, tree = len(waiting), max(waiting, default=0), _Tree(None)
    numbered: Any = SpanBatch.objects.filter(first_index__isnull=False).order_by("first_index")
    with closing(numbered.only("first_index", "leaves").iterator(chunk_size=200)) as batches:
        for batch in batches:
            if batch.first_index != tree.size:
                raise NoteError(f"the batch that begins with span {tree.size} is missing")
            tree.extend(bytes(batch.leaves))
            report(tree.size, log.size)
            if row := waiting.pop(tree.size, None):
                signed = verify(row.note, keys)
                if (signed.size, signed.root) != (tree.size, tree.root()) or bytes(row.root) != signed.root:
                    raise NoteError(f"the head of {tree.size} spans is not what was signed: a span of it was changed")
                if bytes(row.peaks) != b"".join(tree.peaks()):
                    raise NoteError(f"the hashes kept with the head of {tree.size} spans are not the ones of its tree")
            if len(tree.tiles) >= _AT_ONCE:
                _compare(tree.tiles, last)
                tree.tiles.clear()
    _compare(tree.tiles, last)
    if waiting:
        raise NoteError(f"the log ends at {tree.size} spans; a head of {min(waiting)} was signed")
    if wrong := spantree.wrong_node(last // TILE):
        raise NoteError(f"the stored hash of {wrong} is not the one over its leaves")
    return heads, tree.size


def _compare(tiles: Sequence[SpanTile], signed: int) -> None:
    """The tiles that were stored when `signed` spans were signed are the ones that the leaves make."""
    made = {tile.index: tile.root for tile in tiles if (tile.index + 1) * TILE <= signed}
    stored = dict(SpanTile.objects.filter(index__in=made).values_list("index", "root"))
    for index, expected in made.items():
        if index not in stored or bytes(stored[index]) != expected:
            raise NoteError(f"the stored hash of spans {index * TILE} to {index * TILE + TILE - 1} is not theirs")
