"""Django's PostgreSQL backend (settings.DATABASES), cheaper in two things that every page and every question costs."""

import select
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus


class DatabaseWrapper(base.DatabaseWrapper):
    def is_usable(self) -> bool:
        """Asked before each request (CONN_HEALTH_CHECKS). A server that has gone closed its end, and the socket tells
        so at once: only where something waits there is the server asked a question."""
        if self.connection is None or self.connection.info.transaction_status in _BEYOND_USE:
            return False
        waiting = select.poll()
        waiting.register(self.connection.fileno(), select.POLLIN)
        return not waiting.poll(0) or super().is_usable()

    def bound_cursor(self) -> Any:
        """A cursor whose values travel beside the text, so that PostgreSQL can keep the plan (web.prepared).
        Django's own writes them into the text."""
        self.close_if_health_check_failed()
        self.ensure_connection()
        with self.wrap_database_errors:
            return self._prepare_cursor(psycopg.Cursor(self.connection))  # type: ignore[attr-defined]


# Failed, until it is rolled back; or without a connection.
_BEYOND_USE = (TransactionStatus.INERROR, TransactionStatus.UNKNOWN)
