"""A witness of the ledger: keeps the signed heads where the ledger's operator cannot reach them, and compares.

    python -m audit.witness https://readiness.example --key PUBLIC_KEY --folder ~/heads [--token-file FILE]

Run it from a machine of your own, every day or every minute. Each run fetches the newest head, verifies its signature,
proves that it continues the head of the run before, and keeps it. What it finds:

    a head that is shorter than the one kept             the database was set back
    another root over the same number of entries         two histories were signed: a split view
    no proof that the newer log continues the older one  history was rewritten

    python -m audit.witness --compare THEIR_HEAD ...     the head that somebody else was given, instead of a new one

The head that contradicts is kept beside the other, with its signature: both together are the evidence, and nobody needs
to believe the witness. Exit codes: 0 it continues, 1 it does not, 2 usage, 3 nobody answered. Needs Python and the
package `cryptography`; no Django.
"""

import argparse
import fcntl
import http.client
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audit.checkpoint import NoteError, TreeHead, VerifierKey, unbase64, verify
from audit.merkle import ProofError, verify_consistency

TIMEOUT_SECONDS = 30
MOST_BYTES = 4 * 1024 * 1024
HOLDS, CONTRADICTS, USAGE, NO_ANSWER = 0, 1, 2, 3


class Contradiction(Exception):
    """Two signed heads cannot both be of one log that only grows."""


class NoAnswer(Exception):
    """Nobody answered, or not understandably. That proves nothing in either direction."""


# Asks the log for a proof that it leads from one size to another; Contradiction where it says that there is none.
ProofSource = Callable[[int, int], list[bytes]]


@dataclass(frozen=True)
class Seen:
    note: str
    head: TreeHead


def compare(kept: Seen | None, new: Seen, prove: ProofSource) -> str:
    """What the new head says beside the kept one. Raises Contradiction where both cannot be true."""
    if kept is None:
        return f"the first head that is kept: {new.head.size} entries"
    if kept.head.origin != new.head.origin:
        raise Contradiction(f"the head kept is of the log {kept.head.origin}, this one of {new.head.origin}")
    if new.head.size == kept.head.size:
        if new.head.root != kept.head.root:
            raise Contradiction(f"two different logs of {new.head.size} entries were signed: a split view")
        return f"as it was: {new.head.size} entries"
    if new.head.size < kept.head.size:
        raise Contradiction(f"the log was set back: it has {new.head.size} entries, the head kept has {kept.head.size}")
    _continues(kept.head, new.head, prove)
    return f"{new.head.size} entries, which continue the {kept.head.size} kept"


def _continues(old: TreeHead, new: TreeHead, prove: ProofSource) -> None:
    if not old.size:
        return  # every log continues the empty one
    try:
        verify_consistency(old.size, new.size, old.root, new.root, prove(old.size, new.size))
    except ProofError as error:
        raise Contradiction(f"the log of {new.size} entries does not continue that of {old.size}: {error}") from None


class Folder:
    """`head` is the newest head that held; a head that contradicts it is put beside it and never replaces it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Comparing and keeping are one act: two witnesses on one folder would each keep what they did not compare."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(self.path / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def kept(self, keys: Sequence[VerifierKey]) -> Seen | None:
        try:
            note = (self.path / "head").read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        return Seen(note, verify(note, keys))

    def keep(self, seen: Seen) -> None:
        """First into the history, then as the head: after a crash the old head or the new one stands, never half."""
        self._write(f"{seen.head.size:012}.checkpoint", seen.note)
        self._write("head", seen.note)

    def keep_contradiction(self, seen: Seen) -> Path:
        name = f"contradicts-{seen.head.size:012}-{seen.head.root.hex()[:16]}.checkpoint"
        return self._write(name, seen.note)

    def _write(self, name: str, text: str) -> Path:
        temporary, path = self.path / f"{name}.new", self.path / name
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(self.path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return path


class Server:
    def __init__(self, address: str, token: str) -> None:
        self.address, self.token = address.rstrip("/"), token

    def note(self) -> str:
        return str(self._get("/api/audit/checkpoint").get("note", ""))

    def prove(self, old: int, new: int) -> list[bytes]:
        body = self._get(f"/api/audit/consistency?old={old}&new={new}")
        try:
            hashes: Any = body["hashes"]
            return [unbase64(text) for text in hashes]
        except (KeyError, TypeError, NoteError) as error:
            raise NoAnswer(f"the proof cannot be read: {error}") from None

    def _get(self, path: str) -> dict[str, object]:
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.address + path, headers=headers)  # noqa: S310  http and https only: see main
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
                body = json.loads(answer.read(MOST_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(MOST_BYTES).decode(errors="replace")
            if any(f"/problems/{code}" in said for code in ("no-such-head", "log-not-consistent")):
                raise Contradiction(f"the log has no proof from the head kept to its own: {said[:300]}") from None
            raise NoAnswer(f"{self.address} answered {error.code}: {said[:200]}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NoAnswer(f"{self.address} did not answer: {error}") from None
        if not isinstance(body, dict):
            raise NoAnswer(f"{self.address} did not answer with an object")
        return body


def witness(folder: Folder, keys: Sequence[VerifierKey], fetch: Callable[[], str], prove: ProofSource) -> str:
    """Fetch, verify, compare, keep: under one lock."""
    with folder.alone():
        kept = folder.kept(keys)
        note = fetch()
        try:
            new = Seen(note, verify(note, keys))
        except NoteError as error:
            raise Contradiction(f"the head is not signed by your key: {error}") from None
        try:
            found = compare(kept, new, prove)
        except Contradiction as error:
            path = folder.keep_contradiction(new)
            raise Contradiction(f"{error}. Both heads are in {path.parent}: keep them") from None
        folder.keep(new)
        return found


def set_beside(folder: Folder, keys: Sequence[VerifierKey], other: str, prove: ProofSource) -> str:
    """The head that somebody else was given. It may be older or newer than ours: one of them continues the other."""
    with folder.alone():
        kept, theirs = folder.kept(keys), Seen(other, verify(other, keys))
        if kept is None:
            raise Contradiction("no head is kept yet, so there is nothing to compare with: run the witness first")
        older, newer = sorted((kept, theirs), key=lambda seen: seen.head.size)
        try:
            return compare(older, newer, prove)
        except Contradiction as error:
            path = folder.keep_contradiction(theirs)
            raise Contradiction(f"{error}. Both heads are in {path.parent}: keep them") from None


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m audit.witness", description="Keep and compare heads of the ledger."
    )
    parser.add_argument("server", help="where Readiness is, for example https://readiness.example")
    parser.add_argument(
        "--key", action="append", required=True, help="the ledger's public key, from a source you trust"
    )
    parser.add_argument("--folder", type=Path, required=True, help="where heads are kept: a place of your own")
    parser.add_argument("--token-file", type=Path, help="a token with trail:read; default: READINESS_TOKEN")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="a head that somebody else was given")
    options = parser.parse_args(given)
    if not options.server.startswith(("http://", "https://")):
        parser.error("the server is an address that begins with https://")
    try:
        keys = [VerifierKey.parse(key) for key in options.key]
        token = options.token_file.read_text() if options.token_file else os.environ.get("READINESS_TOKEN", "")
        server, folder = Server(options.server, token.strip()), Folder(options.folder)
        if options.compare:
            found = set_beside(folder, keys, options.compare.read_text(encoding="utf-8"), server.prove)
        else:
            found = witness(folder, keys, server.note, server.prove)
    except Contradiction as error:
        print(f"CONTRADICTION: {error}.")
        return CONTRADICTS
    except NoAnswer as error:
        print(f"Cannot decide: {error}.", file=sys.stderr)
        return NO_ANSWER
    except (OSError, NoteError, UnicodeDecodeError) as error:
        print(f"Cannot begin: {error}", file=sys.stderr)
        return USAGE
    print(f"The log holds: {found}.")
    return HOLDS


if __name__ == "__main__":
    sys.exit(main())
