"""Section 2.1 of RFC 9162, as it is written, to compare with. It shares nothing with audit/merkle.py.

Trees and proofs are the recursive definitions. A proof is checked in two ways: by the RFC's algorithms, step by step,
and by the definitions read backwards, which compute from a proof what root it speaks of.
"""

from collections.abc import Sequence
from hashlib import sha256

type Hashes = Sequence[bytes]


def HASH(data: bytes) -> bytes:
    return sha256(data).digest()


def largest_power_of_two_smaller_than(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


# --- 2.1.1: the tree. D[n] is the tuple of its leaves. ---


class Tree:
    """Merkle trees over the first leaves of one list. MTH of the same leaves is computed once."""

    def __init__(self, D: Sequence[bytes]) -> None:
        self.D = D
        self._known: dict[tuple[int, int], bytes] = {}

    def MTH(self, lo: int, hi: int) -> bytes:
        """MTH(D[lo:hi])."""
        if (lo, hi) not in self._known:
            self._known[lo, hi] = self._mth(lo, hi)
        return self._known[lo, hi]

    def _mth(self, lo: int, hi: int) -> bytes:
        n = hi - lo
        if n == 0:
            return HASH(b"")
        if n == 1:
            return HASH(b"\x00" + self.D[lo])
        k = largest_power_of_two_smaller_than(n)
        return HASH(b"\x01" + self.MTH(lo, lo + k) + self.MTH(lo + k, hi))

    # --- 2.1.3.1: the path of a leaf ---

    def PATH(self, m: int, lo: int, hi: int) -> list[bytes]:
        """PATH(m, D[lo:hi])."""
        n = hi - lo
        if n == 1:
            return []
        k = largest_power_of_two_smaller_than(n)
        if m < k:
            return [*self.PATH(m, lo, lo + k), self.MTH(lo + k, hi)]
        return [*self.PATH(m - k, lo + k, hi), self.MTH(lo, lo + k)]

    # --- 2.1.4.1: the proof that an older tree is the beginning ---

    def PROOF(self, m: int, n: int) -> list[bytes]:
        """PROOF(m, D[n]) for 0 < m < n; for m = n it is empty, by the first line of SUBPROOF."""
        return self.SUBPROOF(m, 0, n, b=True)

    def SUBPROOF(self, m: int, lo: int, hi: int, *, b: bool) -> list[bytes]:
        n = hi - lo
        if m == n:
            return [] if b else [self.MTH(lo, hi)]
        k = largest_power_of_two_smaller_than(n)
        if m <= k:
            return [*self.SUBPROOF(m, lo, lo + k, b=b), self.MTH(lo + k, hi)]
        return [*self.SUBPROOF(m - k, lo + k, hi, b=False), self.MTH(lo, lo + k)]


# --- 2.1.3.2 and 2.1.4.2: the algorithms, step by step ---


def includes(leaf: bytes, leaf_index: int, tree_size: int, inclusion_path: Hashes, root_hash: bytes) -> bool:
    """2.1.3.2, for a leaf that is given by its hash."""
    if leaf_index >= tree_size:  # 1
        return False
    fn, sn = leaf_index, tree_size - 1  # 2
    r = leaf  # 3
    for p in inclusion_path:  # 4
        if sn == 0:  # a
            return False
        if fn & 1 == 1 or fn == sn:  # b
            r = HASH(b"\x01" + p + r)
            if fn & 1 == 0:
                while True:
                    fn, sn = fn >> 1, sn >> 1
                    if fn & 1 == 1 or fn == 0:
                        break
        else:
            r = HASH(b"\x01" + r + p)
        fn, sn = fn >> 1, sn >> 1  # c
    return sn == 0 and r == root_hash  # 5


def continues(first: int, second: int, first_hash: bytes, second_hash: bytes, consistency_path: Hashes) -> bool:
    """2.1.4.2, for 0 < first < second."""
    path = list(consistency_path)
    if not path:  # 1
        return False
    if bin(first).count("1") == 1:  # 2
        path = [first_hash, *path]
    fn, sn = first - 1, second - 1  # 3
    while fn & 1 == 1:  # 4
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]  # 5
    for c in path[1:]:  # 6
        if sn == 0:  # a
            return False
        if fn & 1 == 1 or fn == sn:  # b
            fr, sr = HASH(b"\x01" + c + fr), HASH(b"\x01" + c + sr)
            if fn & 1 == 0:
                while True:
                    fn, sn = fn >> 1, sn >> 1
                    if fn & 1 == 1 or fn == 0:
                        break
        else:
            sr = HASH(b"\x01" + sr + c)
        fn, sn = fn >> 1, sn >> 1  # c
    return fr == first_hash and sr == second_hash and sn == 0  # 7


# --- The definitions read backwards: which root does this proof speak of? None: it has not the form of one. ---


def root_by_path(leaf: bytes, m: int, n: int, path: Hashes) -> bytes | None:
    """The MTH(D[n]) for which `path` is PATH(m, D[n])."""
    if n == 1 or not path:
        return leaf if n == 1 and not path else None
    k = largest_power_of_two_smaller_than(n)
    *inner, last = path
    if m < k:
        left = root_by_path(leaf, m, k, inner)
        return left and HASH(b"\x01" + left + last)
    right = root_by_path(leaf, m - k, n - k, inner)
    return right and HASH(b"\x01" + last + right)


def roots_by_proof(m: int, n: int, old: bytes, proof: Hashes, *, b: bool = True) -> tuple[bytes, bytes] | None:
    """The MTH(D[m]) and MTH(D[n]) for which `proof` is SUBPROOF(m, D[n], b); `old` is what b = true leaves out."""
    if m == n:
        if len(proof) != (0 if b else 1):
            return None
        return (old, old) if b else (proof[0], proof[0])
    if not proof:
        return None
    k = largest_power_of_two_smaller_than(n)
    *inner, last = proof
    if m <= k:
        both = roots_by_proof(m, k, old, inner, b=b)
        return both and (both[0], HASH(b"\x01" + both[1] + last))
    both = roots_by_proof(m - k, n - k, old, inner, b=False)
    return both and (HASH(b"\x01" + last + both[0]), HASH(b"\x01" + last + both[1]))
