"""Inclusion proofs of the request log, in a handful of index look-ups whatever the length of the log.

A proof of RFC 6962 asks for the hashes of whole subtrees. Those of 256 leaves (tiles) are stored when the log is
signed, and above them every level up to the root: one more hash for each tile. What lies below a tile comes from the
packed leaves of its batches. Stored hashes are a cache that nobody has to trust: a proof counts only if it leads to a
signed head, and `manage.py trail verify` compares each of them with what the leaves make.
"""

from collections.abc import Callable, Iterable
from functools import cache

from django.db import connection

from audit.merkle import (
    ProofError,
    RangeHash,
    hashes_of,
    inclusion_proof,
    inclusion_ranges,
    node_hash,
    root,
    subtrees,
)
from web.prepared import fetched

TILE_LEVEL = 8
TILE = 1 << TILE_LEVEL
# Nodes of one level made by one statement.
BLOCK = 1 << 16
_TOP = 48  # levels, more than a log will ever have

_LAST = """
    SELECT level, (SELECT index FROM public.audit_span_node n WHERE n.level = all_of.level ORDER BY index DESC LIMIT 1)
      FROM generate_series(%s, %s) AS all_of (level)
"""
_WRONG = """
    SELECT l.index / 2
      FROM public.{below} l
      LEFT JOIN public.{below} r ON r.index = l.index + 1 {and_level}
      LEFT JOIN public.audit_span_node n ON n.level = %(level)s AND n.index = l.index / 2
     WHERE l.index %% 2 = 0 AND l.index / 2 < %(complete)s {where_level}
       AND n.hash IS DISTINCT FROM sha256('\\x01'::bytea || l.{hash} || r.{hash})
     ORDER BY 1 LIMIT 1
"""
# sha256(1 || left || right): RFC 6962, 2.1.
_MAKE = """
    INSERT INTO public.audit_span_node (level, index, hash)
    SELECT %(level)s, l.index / 2, sha256('\\x01'::bytea || l.{hash} || r.{hash})
      FROM public.{below} l JOIN public.{below} r ON r.index = l.index + 1 {and_level}
     WHERE l.index >= %(lo)s * 2 AND l.index < %(hi)s * 2 AND l.index %% 2 = 0 {where_level}
    ON CONFLICT DO NOTHING
"""


def keep_levels(tiles: int, *, report: Callable[[int, int], None] = lambda done, whole: None) -> int:
    """The nodes above the first `tiles` tiles that are complete and not stored yet. Returns how many were made.

    Begins where it ended the last time, level by level, so whoever wrote tiles only is caught up with.
    """
    wanted = {TILE_LEVEL + up: tiles >> up for up in range(1, tiles.bit_length())}
    with connection.cursor() as cursor:
        cursor.execute(_LAST, [TILE_LEVEL + 1, _TOP])
        kept = {level: -1 if last is None else last for level, last in cursor.fetchall()}
        missing = {level: complete - kept[level] - 1 for level, complete in wanted.items()}
        made, whole = 0, sum(count for count in missing.values() if count > 0)
        for level, complete in wanted.items():
            below = _BELOW["tiles" if level == TILE_LEVEL + 1 else "nodes"]
            for lo in range(kept[level] + 1, complete, BLOCK):
                hi = min(lo + BLOCK, complete)
                cursor.execute(_MAKE.format(**below), {"level": level, "under": level - 1, "lo": lo, "hi": hi})
                made += hi - lo
                report(made, whole)
    return made


def wrong_node(tiles: int) -> str | None:
    """The first stored node above these tiles that is missing or is not the hash of the two below it, in words."""
    with connection.cursor() as cursor:
        for level in range(TILE_LEVEL + 1, TILE_LEVEL + tiles.bit_length()):
            below = _BELOW["tiles" if level == TILE_LEVEL + 1 else "nodes"]
            complete = tiles >> (level - TILE_LEVEL)
            cursor.execute(_WRONG.format(**below), {"level": level, "under": level - 1, "complete": complete})
            if found := cursor.fetchone():
                return f"{1 << level} spans from span {found[0] << level}"
    return None


_BELOW = {
    "tiles": {"below": "audit_span_tile", "hash": "root", "and_level": "", "where_level": ""},
    "nodes": {
        "below": "audit_span_node",
        "hash": "hash",
        "and_level": "AND r.level = l.level",
        "where_level": "AND l.level = %(under)s",
    },
}


def proofs(indexes: Iterable[int], size: int, peaks: bytes = b"") -> dict[int, list[bytes]]:
    """The inclusion proof of each leaf in the tree of `size`: one query for all of them together.

    `peaks`: the packed roots of that tree's perfect subtrees, as they are kept with its head; what they tell is not
    asked again. ProofError where something that the proofs need is not stored.
    """
    asked = sorted(set(indexes))
    ranges = {piece for index in asked for piece in inclusion_ranges(index, size)}
    hash_of = _reader(ranges, dict(zip(subtrees(0, size), hashes_of(peaks), strict=False)))
    return {index: inclusion_proof(index, size, hash_of) for index in asked}


def _reader(ranges: set[tuple[int, int]], known: dict[tuple[int, int], bytes]) -> RangeHash:
    """`known`: hashes of perfect subtrees, by level and index."""
    pieces = {one: list(subtrees(*one)) for one in ranges}
    nodes, tiles = set(), set()
    for level, index in {piece for found in pieces.values() for piece in found} - known.keys():
        if level >= TILE_LEVEL:
            nodes.add((level, index))
        else:
            tiles.add((index << level) // TILE)
    known = known | _stored(nodes, tiles)

    @cache  # the spans of a request lie side by side: most of what one needs, the next needs too
    def hash_of(lo: int, hi: int) -> bytes:
        try:
            peaks = [
                known[level, index]
                if (level, index) in known or level >= TILE_LEVEL
                else root(known[0, leaf] for leaf in range(index << level, (index + 1) << level))
                for level, index in pieces[lo, hi]
            ]
        except KeyError as error:
            raise ProofError(f"hashes between {lo} and {hi} are missing") from error
        result = peaks.pop()
        while peaks:
            result = node_hash(peaks.pop(), result)
        return result

    return hash_of


# Nodes, tiles, and as level 0 runs of leaves: the parts of batches that lie in the tiles asked for. The batch that
# holds a tile's first leaf may begin well before it. No more batches than leaves can lie in a tile: saying so keeps
# PostgreSQL from reading all batches once for all tiles.
_STORED = """
    SELECT n.level, n.index, n.hash FROM unnest(%(levels)s::int[], %(indexes)s::bigint[]) AS w (level, index)
      JOIN public.audit_span_node n ON n.level = w.level AND n.index = w.index
    UNION ALL
    SELECT %(tile_level)s, t.index, t.root FROM unnest(%(levels)s::int[], %(indexes)s::bigint[]) AS w (level, index)
      JOIN public.audit_span_tile t ON w.level = %(tile_level)s AND t.index = w.index
    UNION ALL
    SELECT 0, greatest(b.first_index, w.lo),
           substring(b.leaves FROM (greatest(w.lo - b.first_index, 0) * 32 + 1)::int FOR (%(tile)s * 32)::int)
      FROM unnest(%(starts)s::bigint[]) AS w (lo)
     CROSS JOIN LATERAL (
         SELECT first_index, leaves FROM public.audit_span_batch
          WHERE first_index < w.lo + %(tile)s AND first_index >= (
                SELECT coalesce(max(first_index), 0) FROM public.audit_span_batch WHERE first_index <= w.lo)
          ORDER BY first_index LIMIT %(tile)s + 1
     ) AS b
"""


def _stored(nodes: set[tuple[int, int]], tiles: set[int]) -> dict[tuple[int, int], bytes]:
    """(level, index) -> hash, of these nodes, all leaves of these tiles and some after them: what is there."""
    asked = {
        "levels": [level for level, _ in nodes],
        "indexes": [index for _, index in nodes],
        "starts": [tile * TILE for tile in tiles],
        "tile_level": TILE_LEVEL,
        "tile": TILE,
    }
    found: dict[tuple[int, int], bytes] = {}
    for level, begin, data in fetched(connection, _STORED, asked, binary=True):
        if level:
            found[level, begin] = data
            continue
        found |= {(0, begin + number): leaf for number, leaf in enumerate(hashes_of(data))}
    return found
