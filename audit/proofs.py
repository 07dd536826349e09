"""Inclusion and consistency proofs of the decision log, from the database, in milliseconds at a million entries.

A proof asks for hashes of whole subtrees. The roots of complete subtrees of 256, 65,536, ... entries are kept as nodes
when the log is signed, so that each range is put together from at most 256 hashes a level. Nodes are a cache: a proof
is verified against the signed head before it is given out, and where that fails it is made again from the leaves.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from django.db import connection

from audit import merkle
from audit.canonical import plain
from audit.checkpoint import Proof
from audit.leaf import Leaf, commitment
from audit.merkle import ProofError, RangeHash
from audit.models import Checkpoint, Entry, Node, Payload

# 2**8 children below each kept node.
SPAN = 8


def inclusion(index: int, checkpoint: Checkpoint) -> Proof:
    """That entry `index` is in the tree of `checkpoint`; ProofError where the stored entries do not lead there."""
    size = checkpoint.size
    ranges = merkle.inclusion_ranges(index, size)
    leaf = bytes(Entry.objects.values_list("leaf_hash", flat=True).get(pk=index))

    def attempt(hash_of: RangeHash) -> list[bytes]:
        hashes = [hash_of(lo, hi) for lo, hi in ranges]
        merkle.verify_inclusion(leaf, index, size, hashes, bytes(checkpoint.root))
        return hashes

    return Proof(index, tuple(_first_that_holds(ranges, attempt)), checkpoint.note)


def consistency(old: Checkpoint, new: Checkpoint) -> list[bytes]:
    """That the log of `new` continues the log of `old`."""
    ranges = merkle.consistency_ranges(old.size, new.size)

    def attempt(hash_of: RangeHash) -> list[bytes]:
        hashes = [hash_of(lo, hi) for lo, hi in ranges]
        merkle.verify_consistency(old.size, new.size, bytes(old.root), bytes(new.root), hashes)
        return hashes

    return _first_that_holds(ranges, attempt)


def covering(index: int) -> Checkpoint | None:
    """The latest checkpoint, if it covers the entry; None while it waits for the next one."""
    return Checkpoint.objects.filter(size__gt=index).order_by("size").last()


def check(entry: Entry) -> tuple[bool | None, str]:
    """Whether this entry is what was signed: (holds, a sentence). None: nothing is wrong, and it is not signed yet."""
    leaf = Leaf(
        index=entry.index,
        kind=entry.kind,
        actor=entry.actor_id,
        via=entry.via,
        subject=entry.subject,
        system=entry.system,
        at=str(plain(entry.at)),
        recorded_at=str(plain(entry.recorded_at)),
        commitment=bytes(entry.commitment),
    )
    if leaf.encode() != entry.leaf.encode() or merkle.leaf_hash(entry.leaf.encode()) != bytes(entry.leaf_hash):
        return False, "The entry was altered after it was recorded: its columns, leaf and hash disagree."
    payload = Payload.objects.filter(pk=entry.pk).first()
    if payload and commitment(bytes(payload.salt), bytes(payload.payload)) != leaf.commitment:
        return False, "The payload was altered after it was recorded: it is not the one that the leaf commits to."
    checkpoint = covering(entry.pk)
    if checkpoint is None:
        return None, "The entry is as it was recorded, and waits for the next signed checkpoint."
    try:
        inclusion(entry.pk, checkpoint)
    except ProofError as error:
        return False, f"The entry does not lead to the signed root of {checkpoint.size:,} entries: {error}."
    return True, f"The entry is in the signed log of {checkpoint.size:,} entries, at its place."


def keep_nodes(size: int) -> None:
    """After signing: the roots of the subtrees that are complete now and not kept yet, level by level."""
    level = 0
    while complete := size >> (level + SPAN):
        last = Node.objects.filter(level=level + SPAN).order_by("index").last()
        kept = last.index + 1 if last else 0
        below = _read(level, [(kept << SPAN, complete << SPAN)])
        level += SPAN
        Node.objects.bulk_create(
            [
                Node(
                    level=level,
                    index=at,
                    hash=merkle.root(below[child] for child in range(at << SPAN, (at + 1) << SPAN)),
                )
                for at in range(kept, complete)
            ],
            ignore_conflicts=True,
            batch_size=1000,
        )


def _first_that_holds(ranges: list[tuple[int, int]], attempt: Callable[[RangeHash], list[bytes]]) -> list[bytes]:
    try:
        return attempt(_hashes(ranges, from_leaves=False))
    except (ProofError, KeyError):
        pass
    try:
        return attempt(_hashes(ranges, from_leaves=True))
    except KeyError as error:
        raise ProofError(f"entry {error} is missing") from None


def _hashes(ranges: list[tuple[int, int]], *, from_leaves: bool) -> RangeHash:
    """Reads what all ranges need, with one query a level; the result puts the hash of each together."""
    wanted: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for lo, hi in ranges:
        for level, first, last in _pieces(lo, hi, from_leaves):
            wanted[level].append((first, last))
    known = {level: _read(level, spans) for level, spans in wanted.items()}

    def hash_of(lo: int, hi: int) -> bytes:
        peaks = [
            merkle.root(known[level][at] for at in range(first, last))
            for level, first, last in _pieces(lo, hi, from_leaves)
        ]
        result = peaks.pop()
        while peaks:
            result = merkle.node_hash(peaks.pop(), result)
        return result

    return hash_of


def _pieces(lo: int, hi: int, from_leaves: bool) -> Iterator[tuple[int, int, int]]:
    """A range as complete subtrees, largest first, each as (level kept, first, last) of the hashes it is made of."""
    while lo < hi:
        height = (hi - lo).bit_length() - 1
        if lo:
            height = min(height, (lo & -lo).bit_length() - 1)
        level = 0 if from_leaves else height - height % SPAN
        yield level, lo >> level, (lo + (1 << height)) >> level
        lo += 1 << height


def _read(level: int, spans: Iterable[tuple[int, int]]) -> dict[int, bytes]:
    """Index -> hash: of leaves (level 0) or kept nodes."""
    starts, ends = zip(*spans, strict=True)
    with connection.cursor() as cursor:
        if level:
            cursor.execute(
                "SELECT n.index, n.hash FROM unnest(%s::bigint[], %s::bigint[]) AS span(lo, hi)"
                " JOIN audit_node n ON n.level = %s AND n.index >= span.lo AND n.index < span.hi",
                [list(starts), list(ends), level],
            )
        else:
            cursor.execute(
                "SELECT e.index, e.leaf_hash FROM unnest(%s::bigint[], %s::bigint[]) AS span(lo, hi)"
                " JOIN audit_entry e ON e.index >= span.lo AND e.index < span.hi",
                [list(starts), list(ends)],
            )
        return {index: bytes(value) for index, value in cursor.fetchall()}
