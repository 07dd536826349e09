"""Is the decision log what was signed? The steps of `manage.py verify`, and of the daily check.

Reads only. Each step says what it looked at, so that the answer means something to somebody who doubts it.
"""

from collections.abc import Callable, Iterator

from django.db import connection

from audit import guards, rows
from audit.checkpoint import NoteError, TreeHead, VerifierKey, verify
from audit.merkle import Frontier
from audit.models import Checkpoint, Head
from audit.outside import Outside
from audit.sealing import LOG, check_last, read_anchor, tree_of
from audit.signing import public_keys
from audit.steps import Step
from audit.walk import LogError, Walk


def verify_log(*, since_checkpoint: bool = False, report: Callable[[int], None] = lambda count: None) -> Iterator[Step]:
    """Full: every entry from the first. Incremental: what came after the anchor, on the tree that was signed then."""
    yield _guards()
    head = Head.objects.get(log=LOG)
    keys = public_keys(head.origin)
    try:
        anchor = read_anchor(Outside.of(LOG), head, keys)
    except (LogError, NoteError) as error:
        yield Step("Checkpoint outside the database", False, str(error), getattr(error, "index", None))
        anchor = None
    else:
        yield _anchor_step(anchor, keys)
    inside, findings = _inside(head, keys, only_last=since_checkpoint)
    yield findings
    yield _entries(head, anchor, inside, since_checkpoint=since_checkpoint, report=report)


def _guards() -> Step:
    absent = guards.missing(connection)
    if absent:
        return Step("Guards in the database", False, "; ".join(absent))
    weak = guards.advice(connection)
    return Step("Guards in the database", True, "in place" + (f", though {'; '.join(weak)}" if weak else ""))


def _anchor_step(anchor: TreeHead | None, keys: list[VerifierKey]) -> Step:
    if anchor is None:
        return Step("Checkpoint outside the database", True, "none yet: nothing was signed")
    names = ", ".join(key.key_id.hex() for key in keys)
    return Step("Checkpoint outside the database", True, f"{anchor.size} entries, signed by key {names}")


def _inside(head: Head, keys: list[VerifierKey], *, only_last: bool) -> tuple[list[TreeHead], Step]:
    """Published heads. A key that is not in use any more is taken from the row, and said to be: the anchor, signed by
    a key of today, covers the entry that announced it."""
    name = "Checkpoints in the database"
    found = Checkpoint.objects.order_by("size")
    published = list(found.reverse()[:1] if only_last else found)
    heads: list[TreeHead] = []
    trusted, former = set(keys), set[VerifierKey]()
    for row in published:
        known = [VerifierKey.parse(line) for line in row.keys.splitlines()]
        former |= set(known) - trusted
        try:
            signed = verify(row.note, known)
        except NoteError as error:
            return heads, Step(name, False, f"the checkpoint of {row.size} entries: {error}")
        if (signed.origin, signed.size, signed.root) != (head.origin, row.size, bytes(row.root)):
            return heads, Step(name, False, f"the checkpoint of {row.size} entries says something else than its row")
        heads.append(signed)
    detail = f"{len(heads)} verified" if heads else "none yet"
    if former:
        detail += "; former keys: " + ", ".join(sorted(key.key_id.hex() for key in former))
    return heads, Step(name, True, detail)


def _entries(
    head: Head,
    anchor: TreeHead | None,
    inside: list[TreeHead],
    *,
    since_checkpoint: bool,
    report: Callable[[int], None],
) -> Step:
    name = "Entries: payload, commitment, leaf, tree, checkpoints"
    start = tree_of(anchor) if since_checkpoint else Frontier()
    begin = start.size
    known = Outside.of(LOG).known(anchor) if anchor and not since_checkpoint else b""
    try:
        check_last(anchor if since_checkpoint else None)
        walk = Walk([*inside, *([anchor] if anchor else [])], start=start, known=known)
        rows.feed(walk, connection, report=report)
        tree = walk.finish()
        if tree.size < head.size:
            raise LogError(f"it is missing: the log counts {head.size} entries", index=tree.size)
    except LogError as error:
        return Step(name, False, str(error), error.index)
    sealed = anchor.size if anchor else 0
    return Step(name, True, f"{tree.size - begin} of {tree.size} verified, {tree.size - sealed} not yet signed")
