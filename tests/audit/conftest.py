from pathlib import Path

import pytest
from django.db import connection

from audit.grants import TABLES
from tests.audit.attacked import append, lift_guards, restore_guards, seal


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


@pytest.fixture
def sealed(ledger) -> None:
    """Ten entries and the announcement of the key, sealed twice."""
    append(5)
    assert seal() == 6
    append(5)
    assert seal() == 11
