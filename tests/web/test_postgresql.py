"""The database backend: a connection that lost its server is noticed before it is used, without asking the server."""

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext


def pid() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.fixture
def begun(transactional_db):
    """A request begins, on a connection that an earlier one left open."""
    connection.health_check_enabled = connection.settings_dict["CONN_HEALTH_CHECKS"]
    connection.health_check_done = False
    before = pid()
    connection.health_check_done = False
    return before


def test_a_connection_that_works_is_kept_without_a_question(begun):
    with CaptureQueriesContext(connection) as asked:
        assert pid() == begun
    assert len(asked) == 1


def test_a_connection_whose_server_process_has_gone_is_made_anew(begun):
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": psycopg.Cursor}) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [begun])
    assert connection.is_usable() is False
    assert pid() != begun
    assert connection.is_usable() is True


def test_an_aborted_transaction_is_of_no_use(transactional_db):
    connection.set_autocommit(False)
    try:
        with pytest.raises(Exception, match="division by zero"), connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")
        assert connection.is_usable() is False
    finally:
        connection.rollback()
        connection.set_autocommit(True)
    assert connection.is_usable() is True


def test_a_closed_connection_is_of_no_use(transactional_db):
    pid()
    connection.connection.close()
    assert connection.is_usable() is False
    with pytest.raises(OperationalError):
        connection.bound_cursor().execute("SELECT 1")
    connection.close()
    with connection.bound_cursor() as cursor:
        cursor.execute("SELECT %s::int + 1", [1])
        assert cursor.fetchone() == (2,)
