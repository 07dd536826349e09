"""The decision log: one entry for each act, in the transaction of the act, so that neither is there without the other.

    entry = ledger.append(kind="release.opened", by=user, subject=f"release:{release.pk}", now=now,
                          system="support-bot", payload={"label": "2026.11.2"})

The entry takes the next number under a lock that lasts until the transaction ends. Append as late as the act allows:
everybody else's appends wait meanwhile.
"""

import re
import secrets
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from audit import canonical, proofs
from audit.actors import Actor
from audit.leaf import SALT_SIZE
from audit.models import Checkpoint, Entry, Payload
from web.prepared import fetched
from web.problems import Problem, Unavailable

MAX_PAYLOAD_BYTES = 1_048_576
_KIND = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+")
# Ids only: an address in a leaf could never be erased.
_ID = re.compile(r"[^\s\x00-\x1f\x7f@]{1,200}")
_COLUMNS = [field.attname for field in Entry._meta.concrete_fields]


class LedgerError(Problem):
    code = "ledger"


class ReadOnly(Unavailable):
    code = "ledger-read-only"


def append(
    *,
    kind: str,
    by: Actor,
    subject: str,
    now: datetime,
    system: str = "",
    payload: Mapping[str, Any],
    via: str = "",
) -> Entry:
    """Record an act. `via` is how it came (a token's id); by default what the actor says itself."""
    _within_the_act()
    return _append(kind=kind, by=by, subject=subject, now=now, system=system, payload=payload, via=via)


def append_alone(
    *, kind: str, by: Actor, subject: str, now: datetime, system: str = "", payload: Mapping[str, Any]
) -> Entry:
    """The same for an act that changes nothing else, such as reading: one statement, which commits by itself."""
    with transaction.atomic() if connection.in_atomic_block else nullcontext():
        return _append(kind=kind, by=by, subject=subject, now=now, system=system, payload=payload)


def _append(
    *, kind: str, by: Actor, subject: str, now: datetime, system: str, payload: Mapping[str, Any], via: str = ""
) -> Entry:
    via = via or getattr(by, "via", "")
    if not _KIND.fullmatch(kind) or len(kind) > 80:
        raise ValueError(f"{kind!r} is not a kind of entry: write noun.verb")
    for name, value in (("subject", subject), ("actor", by.actor_id), ("system", system or "-"), ("via", via or "-")):
        if not _ID.fullmatch(value):
            raise ValueError(f"{value!r} cannot stand in the record as {name}: ids only")
    body = canonical.dumps(payload)
    if len(body) > MAX_PAYLOAD_BYTES:
        raise ValueError(f"the payload of {kind} has {len(body)} bytes: keep large content in the vault, by digest")
    return _call("audit_append", kind, by.actor_id, via, subject, system, now, body, secrets.token_bytes(SALT_SIZE))


def erase(*, index: int, reason: str, by: Actor, now: datetime) -> Entry:
    """Destroy what an entry says in detail, and record that. Its place and its proofs stay; nothing brings it back."""
    _within_the_act()
    if not reason.strip():
        raise LedgerError("Say why this is erased: the record keeps the reason.")
    entry = Entry.objects.filter(pk=index).first()
    if entry is None or not Payload.objects.filter(pk=index).exists():
        raise LedgerError(f"Entry {index} has no payload to erase.")
    body = canonical.dumps({"index": index, "reason": reason})
    salt = secrets.token_bytes(SALT_SIZE)
    return _call("audit_erase", index, by.actor_id, getattr(by, "via", ""), entry.system, now, body, salt)


def entries(*, subject: str | None = None, system: str | None = None) -> QuerySet[Entry]:
    """Entries in their order, oldest first."""
    found = Entry.objects.order_by("index")
    if subject is not None:
        found = found.filter(subject=subject)
    if system is not None:
        found = found.filter(system=system)
    return found


def last_checkpoint() -> dict[str, Any] | None:
    """The last signed head, for what refers to it: size, root (hex), the note itself."""
    last = Checkpoint.objects.order_by("size").last()
    return None if last is None else {"size": last.size, "root": bytes(last.root).hex(), "note": last.note}


def check(entry: Entry) -> tuple[bool | None, str]:
    """Whether an entry is what was signed, and a sentence about it. None: as recorded, but not signed yet."""
    return proofs.check(entry)


def _within_the_act() -> None:
    if not connection.in_atomic_block:
        raise RuntimeError("an entry is appended in the transaction of the act that it records; there is none")


def _call(function: str, *values: Any) -> Entry:
    slots = ", ".join(["%s"] * len(values))
    try:
        (row,) = fetched(connection, f"SELECT {', '.join(_COLUMNS)} FROM {function}({slots})", values)  # noqa: S608  names of ours
        return Entry.from_db(connection.alias, _COLUMNS, row)
    except DatabaseError as error:
        match getattr(error.__cause__, "sqlstate", ""):
            case "RD002":
                raise ReadOnly(
                    "The ledger takes no entries, so nothing can be decided now. An operator finds the reason with "
                    "`manage.py verify`."
                ) from error
            case "RD003":
                raise LedgerError("This payload has been erased meanwhile.") from error
        raise
