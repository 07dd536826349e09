"""The database as it was before the first test, for tests that count what is in it.

A test that commits leaves rows in tables that refuse to be emptied (the ledger, the trail), which a later test would
count, or a later worker stumble over. So what follows such a module starts from a copy made at the beginning.
"""

import shutil
from pathlib import Path

from django.db import connection
from pytest_django.plugin import DjangoDbBlocker


class Pristine:
    """The copy, and the folder of keys and signed heads that belongs to the database."""

    def __init__(self, blocker: DjangoDbBlocker, folder: Path) -> None:
        self.blocker = blocker
        self.folder = folder
        self.name = connection.settings_dict["NAME"]
        self.copy = f"{self.name}_pristine"
        self.spoiled_by: Path | None = None  # the module whose tests committed
        self._replace(self.copy, self.name)

    def restore(self) -> None:
        """Everything that was committed is gone; who still holds a connection loses it."""
        self._replace(self.name, self.copy)
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def drop(self) -> None:
        """Servers that tests started and stopped may hold a connection a moment longer than the database lives."""
        with self.blocker.unblock():
            connection.close()
            with connection._nodb_cursor() as cursor:
                cursor.execute(f'DROP DATABASE "{self.copy}" WITH (FORCE)')
                self._disconnect(cursor, self.name)

    def _replace(self, target: str, template: str) -> None:
        with self.blocker.unblock():
            connection.close()
            with connection._nodb_cursor() as cursor:
                cursor.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
                self._disconnect(cursor, template)
                cursor.execute(f'CREATE DATABASE "{target}" TEMPLATE "{template}"')

    def _disconnect(self, cursor, name: str) -> None:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
