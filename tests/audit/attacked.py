"""A ledger of one's own to attack, and the attacker: a superuser who lifts the guards and puts them back."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import connection, transaction

from audit import leaf, ledger, merkle, sealing
from audit.actors import SYSTEM
from audit.grants import TABLES
from audit.guards import shipped_triggers
from audit.models import Entry, Head
from audit.verification import Step, verify_log

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def append(count: int = 1) -> None:
    for _ in range(count):
        with transaction.atomic():
            number = Head.objects.get().size
            ledger.append(
                kind="test.written", by=SYSTEM, subject=f"test:{number}", now=NOW, system="bot", payload={"n": number}
            )


def seal() -> int | None:
    head = sealing.seal(now=NOW)
    return head and head.size


def lift_guards() -> None:
    """What a superuser can do who wants to rewrite history."""
    with connection.cursor() as cursor:
        cursor.execute("DROP EVENT TRIGGER IF EXISTS audit_guard_ddl")
        cursor.execute("DROP EVENT TRIGGER IF EXISTS audit_guard_rewrite")
        for table in TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")


def restore_guards() -> None:
    with connection.cursor() as cursor:
        for table, trigger in shipped_triggers():
            cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


@contextmanager
def attacker() -> Iterator[Any]:
    """A superuser who lifts the guards and puts them back."""
    lift_guards()
    with connection.cursor() as cursor:
        yield cursor
    restore_guards()


def failing(**options: Any) -> list[Step]:
    return [step for step in verify_log(**options) if not step.ok]


def bad_index(**options: Any) -> int | None:
    [step] = failing(**options)
    return step.index


def rewrite(index: int, actor: str) -> None:
    """The whole chain of one entry recomputed: nothing inside the database disagrees any more."""
    entry = Entry.objects.get(pk=index)
    forged = leaf.parse(entry.leaf.encode())
    text = leaf.Leaf(
        forged.index, forged.kind, actor, forged.via, forged.subject, forged.system, forged.at, forged.recorded_at,
        forged.commitment,
    ).encode()  # fmt: skip
    with attacker() as cursor:
        cursor.execute(
            "UPDATE audit_entry SET actor_id = %s, leaf = %s, leaf_hash = %s WHERE index = %s",
            [actor, text.decode(), merkle.leaf_hash(text), index],
        )


def run(command: str, *arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command(command, *arguments, stdout=out, stderr=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()
