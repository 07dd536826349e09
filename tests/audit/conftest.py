from pathlib import Path

import pytest
from django.db import connection

from audit.grants import TABLES
from audit.guards import shipped_triggers


@pytest.fixture
def ledger(db, settings, tmp_path: Path) -> None:
    """An empty ledger with keys and checkpoints of its own, whatever earlier tests recorded. Takes a superuser."""
    settings.DATA_DIR = tmp_path
    settings.LEDGER_KEYS = []
    with connection.cursor() as cursor:
        lift_guards()
        for table in TABLES[1:]:
            cursor.execute(f"DELETE FROM {table}")
        cursor.execute("UPDATE audit_head SET size = 0, read_only = ''")
        restore_guards()


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
