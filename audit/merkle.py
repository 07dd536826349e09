"""The Merkle tree of a log: RFC 6962, section 2.1 (hashing) and RFC 9162, sections 2.1.3 and 2.1.4 (checking proofs).

A tree of n leaves is written D[n]. Its root, MTH(D[n]), fixes every leaf and its place. An inclusion proof shows with
log2(n) hashes that a leaf is in the tree; a consistency proof shows that an older tree is the beginning of a newer one,
that is, that nothing was changed or removed in between. Pure, and bytes only: a hash is 32 bytes.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

HASH_SIZE = 32
# RFC 6962, 2.1: the hash of the empty tree is the hash of nothing.
EMPTY_ROOT = hashlib.sha256(b"").digest()

# Gives the root over leaves lo..hi-1. Proofs only ask for subtrees: `lo` is a multiple of hi - lo rounded up to a power
# of two, so perfect subtrees can be kept and the ragged one at the right edge is put together from them.
type RangeHash = Callable[[int, int], bytes]

_sha256 = hashlib.sha256


class ProofError(ValueError):
    """The proof does not show what it claims."""


def leaf_hash(data: bytes) -> bytes:
    """RFC 6962, 2.1: SHA-256(0x00 || leaf). The prefix keeps a leaf from being passed off as an inner node."""
    return _sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962, 2.1: SHA-256(0x01 || left || right)."""
    return _sha256(b"\x01" + left + right).digest()


def hashes_of(packed: bytes) -> list[bytes]:
    """Hashes that were written one after the other."""
    return [packed[at : at + HASH_SIZE] for at in range(0, len(packed), HASH_SIZE)]


def root(hashes: Iterable[bytes]) -> bytes:
    """MTH over leaf hashes, level by level.

    The last node of an odd level moves up unchanged, which gives the same tree as the recursive definition (split at
    the largest power of two smaller than n): the perfect subtrees are the same, and the rest hangs at the right.
    """
    level = list(hashes)
    if not level:
        return EMPTY_ROOT
    sha256 = _sha256
    while len(level) > 1:
        pairs = iter(level)
        up = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
        if len(level) % 2:
            up.append(level[-1])
        level = up
    return level[0]


class Frontier:
    """A tree that grows: only the roots of its perfect subtrees, one per set bit of the size, largest first.

    Enough to append and to know the root at each size, in 64 hashes at most. `peaks` can be kept and read back: they
    are worth nothing by themselves, but if their root equals a signed root, they are the right ones.
    """

    __slots__ = ("peaks", "size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        if size < 0 or len(peaks) != size.bit_count() or any(len(peak) != HASH_SIZE for peak in peaks):
            raise ValueError(f"a tree of {size} leaves has {max(size, 0).bit_count()} peaks of 32 bytes")
        self.size = size
        self.peaks = list(peaks)

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash: join as many perfect subtrees as the size has trailing one bits."""
        peaks, carry, sha256 = self.peaks, self.size, _sha256
        while carry & 1:
            leaf = sha256(b"\x01" + peaks.pop() + leaf).digest()
            carry >>= 1
        peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        if not self.peaks:
            return EMPTY_ROOT
        result = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            result = node_hash(peak, result)
        return result


def _split(size: int) -> int:
    """RFC 6962, 2.1: k, the largest power of two smaller than n."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """PATH(index, D[size]) of RFC 6962, 2.1.1, as the leaf ranges whose hashes it consists of, leaf side first."""
    if not 0 <= index < size:
        raise ProofError(f"no entry {index} in a tree of {size}")
    ranges: list[tuple[int, int]] = []
    lo, hi = 0, size
    while hi - lo > 1:
        middle = lo + _split(hi - lo)
        if index < middle:
            ranges.append((middle, hi))
            hi = middle
        else:
            ranges.append((lo, middle))
            lo = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[tuple[int, int]]:
    """PROOF(old, D[new]) of RFC 6962, 2.1.2, as leaf ranges, in the order of the proof."""
    if not 0 < old <= new:
        raise ProofError(f"no consistency proof from {old} to {new}")
    if old == new:
        return []
    ranges: list[tuple[int, int]] = []
    lo, hi = 0, new
    while old != hi:
        middle = lo + _split(hi - lo)
        if old <= middle:
            ranges.append((middle, hi))
            hi = middle
        else:
            ranges.append((lo, middle))
            lo = middle
    if lo > 0:  # otherwise the old tree is itself a perfect subtree of the new one, and the verifier has its root
        ranges.append((lo, hi))
    return ranges[::-1]


def inclusion_proof(index: int, size: int, hash_of: RangeHash) -> list[bytes]:
    return [hash_of(lo, hi) for lo, hi in inclusion_ranges(index, size)]


def consistency_proof(old: int, new: int, hash_of: RangeHash) -> list[bytes]:
    return [hash_of(lo, hi) for lo, hi in consistency_ranges(old, new)]


def subtrees(lo: int, hi: int) -> Iterator[tuple[int, int]]:
    """Leaves lo..hi-1 as the fewest perfect subtrees, in order, each as (level, index): 2**level leaves, the index-th
    of that size. A range that a proof asks for is one of them, or at the right edge a few that get smaller."""
    while lo < hi:
        level = (hi - lo).bit_length() - 1
        if lo:
            level = min(level, (lo & -lo).bit_length() - 1)
        yield level, lo >> level
        lo += 1 << level


def in_memory(hashes: Sequence[bytes]) -> RangeHash:
    """Ranges of a list of leaf hashes: for exports and tests."""
    return lambda lo, hi: root(hashes[lo:hi])


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> None:
    """RFC 9162, 2.1.3.2: raise unless `leaf` (a leaf hash) is entry `index` of the tree with that size and root."""
    if not 0 <= index < size:
        raise ProofError(f"no entry {index} in a tree of {size}")
    _check_hashes(leaf, expected_root, *proof)
    position, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if position & 1 or position == last:
            result = node_hash(sibling, result)
            while position and not position & 1:  # levels where this node moved up unchanged
                position >>= 1
                last >>= 1
        else:
            result = node_hash(result, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise ProofError("the proof is too short")
    if result != expected_root:
        raise ProofError("the proof leads to another root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """RFC 9162, 2.1.4.2: raise unless the tree (old, old_root) is the beginning of the tree (new, new_root).

    Every tree continues the empty one; that case needs no proof, and a proof given for it is refused.
    """
    if not 0 <= old <= new:
        raise ProofError(f"a tree of {new} cannot continue one of {old}")
    _check_hashes(old_root, new_root, *proof)
    if old == 0 or old == new:
        if proof:
            raise ProofError("the proof is too long")
        if old_root != (EMPTY_ROOT if old == 0 else new_root):
            raise ProofError("the old root is another one")
        if new == 0 and new_root != EMPTY_ROOT:
            raise ProofError("the empty tree has another root")
        return
    if not proof:
        raise ProofError("the proof is too short")
    path = list(proof)
    if old & (old - 1) == 0:  # step 2: a perfect old tree is a node of the new one
        path.insert(0, old_root)
    position, last = old - 1, new - 1
    while position & 1:
        position >>= 1
        last >>= 1
    was = now = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if position & 1 or position == last:
            was, now = node_hash(sibling, was), node_hash(sibling, now)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            now = node_hash(now, sibling)
        position >>= 1
        last >>= 1
    if last != 0:
        raise ProofError("the proof is too short")
    if was != old_root:
        raise ProofError("the proof leads to another old root")
    if now != new_root:
        raise ProofError("the proof leads to another new root")


def _check_hashes(*hashes: bytes) -> None:
    if any(len(item) != HASH_SIZE for item in hashes):
        raise ProofError("a hash is 32 bytes")
