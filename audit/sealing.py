"""Signing the decision log: verify what is new, then sign, then keep the head outside, then publish it.

The order matters. Verified first, because a signature over something wrong cannot be taken back. Kept outside before it
is published, so that no head that anybody has seen is unknown here. What remains: whoever controls the database, the
key and the folder can still sign another history; only copies of heads that others hold show that.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection, transaction

from audit import ledger, proofs, rows
from audit.actors import SYSTEM
from audit.checkpoint import NoteError, Signer, TreeHead, VerifierKey, sign, verify
from audit.merkle import HASH_SIZE, Frontier, hashes_of
from audit.models import Checkpoint, Entry, Head
from audit.outside import Outside
from audit.signing import signers
from audit.walk import LogError, Walk
from jobs import outbox

log = logging.getLogger(__name__)

LOG = "decisions"
# One sealer at a time, over all machines: pg_try_advisory_xact_lock(class, object), "RD" and the log's number.
_LOCK = (0x5244, 1)


class SealRefused(Exception):
    """The log was not signed, and takes no entries until an operator has looked. Trying again would not help."""

    permanent = True


def seal(*, now: datetime) -> TreeHead | None:
    """Sign the log as it is now. Returns the new head; None where nothing is new or another process is at it.

    Where the log is wrong, it becomes read-only, everybody who listens is told, and SealRefused is raised. Where only
    this process lacks what it needs (the anchor or a key), it refuses as well, and the log goes on unsigned.
    """
    try:
        with transaction.atomic(), _alone() as mine:
            if mine:
                _announce_keys(now)
        # Only what is committed is signed: a head kept outside over entries that are then rolled back would say that
        # the database was set back. So the announcement above has a transaction of its own.
        with transaction.atomic(), _alone() as mine:
            return _seal(now) if mine else None
    except NoteError as error:
        log.critical("The ledger is not signed: %s", error)
        raise SealRefused(str(error)) from error
    except LogError as error:
        reason = str(error)
    stop(reason, now=now)
    raise SealRefused(reason)


def stop(reason: str, *, now: datetime) -> None:
    """Make the log read-only. Nothing can be decided from now on: an unverifiable record counts as none."""
    with transaction.atomic(), connection.cursor() as cursor:
        head = Head.objects.get(log=LOG)
        if head.read_only == reason:
            return
        cursor.execute("SELECT audit_stop(%s)", [reason])
        outbox.emit(
            "audit.ledger-stopped", subject=f"log:{LOG}", payload={"reason": reason, "size": head.size}, now=now
        )
    log.critical("The ledger is read-only: %s", reason)


def _seal(now: datetime) -> TreeHead | None:
    head = Head.objects.get(log=LOG)
    if head.read_only:
        return None
    keys = signers(head.origin, create=True)
    outside = Outside.of(LOG)
    # 1. The anchor outside: ours, and not ahead of the database.
    anchor = read_anchor(outside, head, [key.public for key in keys])
    if head.size == (anchor.size if anchor else 0):
        return None
    # 2. From the tree of the anchor over every new entry: payload, commitment, leaf, hash.
    start = tree_of(anchor)
    known = b"" if start.size else outside.known(anchor) if anchor else b""
    check_last(anchor)
    walk = Walk([anchor] if anchor else [], start=start, known=known)
    hashes = rows.feed(walk, connection)
    tree = walk.finish()
    if tree.size < head.size:
        raise LogError(f"it is missing: the log counts {head.size} entries", index=tree.size)
    # 3. Sign, keep outside, publish.
    new = TreeHead(head.origin, tree.size, tree.root())
    note = sign(new, keys)
    size = anchor.size if anchor else 0
    outside.keep(note, hashes=hashes[(size - start.size) * HASH_SIZE :], start=size)
    publish(new, note, keys, tree)
    proofs.keep_nodes(new.size)
    return new


def read_anchor(outside: Outside, head: Head, keys: list[VerifierKey]) -> TreeHead | None:
    """The head kept outside, verified; None on the very first start. A database that is behind it is refused.

    Another process may sign while this one looks. So the database's checkpoint is read before the file and its size
    after it: what was signed in between must not look like a loss.
    """
    last = Checkpoint.objects.order_by("size").last()
    note = outside.note()
    head.refresh_from_db(fields=["size"])
    if note is None:
        if last is not None:
            raise NoteError(
                f"the database holds a signed checkpoint of {last.size} entries, and {outside.checkpoint} "
                "is not there: the data folder is another one, or was lost"
            )
        return None
    origin = note.partition("\n")[0]
    if origin != head.origin:  # before the signature: a key is named after its log, so it would be an unknown one
        raise NoteError(
            f"{outside.checkpoint} belongs to the log {origin}, the database to {head.origin}: "
            "another database, or another data folder"
        )
    anchor = verify(note, keys)
    if anchor.size > head.size:
        raise LogError(
            f"the database was set back: it has {head.size} entries, the last signed checkpoint has {anchor.size}",
            index=head.size,
        )
    return anchor


def check_last(anchor: TreeHead | None) -> None:
    """The cheap part of the past: the last entry under the anchor, or a tail that was cut would be grown over."""
    if anchor and anchor.size and not Entry.objects.filter(pk=anchor.size - 1).exists():
        raise LogError(f"it is missing: a signed checkpoint covers {anchor.size} entries", index=anchor.size - 1)


def publish(head: TreeHead, note: str, keys: list[Signer], tree: Frontier) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit_publish(%s, %s, %s, %s, %s)",
            [head.size, head.root, note, _written(keys), b"".join(tree.peaks)],
        )


def tree_of(anchor: TreeHead | None) -> Frontier:
    """The tree under the anchor, from the peaks published with it. They count only if their root is the signed one;
    otherwise (a crash between keeping and publishing) the walk starts at the first entry."""
    if anchor is not None:
        row = Checkpoint.objects.filter(size=anchor.size).first()
        if row is not None:
            peaks = hashes_of(bytes(row.peaks))
            if len(peaks) == anchor.size.bit_count():
                tree = Frontier(anchor.size, peaks)
                if tree.root() == anchor.root:
                    return tree
    return Frontier()


def _announce_keys(now: datetime) -> None:
    """A change of keys is an act like any other: it stands in the log, before the first head that a new key signs."""
    head = Head.objects.get(log=LOG)
    if head.read_only or not head.size:
        return
    keys = signers(head.origin, create=True)
    last = Checkpoint.objects.order_by("size").last()
    if last is None or last.keys != _written(keys):
        payload = {"keys": [str(key.public) for key in keys]}
        ledger.append(kind="ledger.keys-set", by=SYSTEM, subject=f"log:{LOG}", now=now, payload=payload)


def _written(keys: list[Signer]) -> str:
    return "\n".join(str(key.public) for key in keys)


@contextmanager
def _alone() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", list(_LOCK))
        yield bool(cursor.fetchone()[0])
