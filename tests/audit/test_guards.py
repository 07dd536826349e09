"""Attacks on the ledger's tables, tried for real by each role, in a database of their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from psycopg import sql

from audit import grants, guards
from audit.actors import SYSTEM
from audit.ledger import append as record
from tests.audit.attacked import NOW

SQL = (Path(guards.__file__).parent / "migrations" / "0001_ledger.sql").read_text()
APPEND = (
    "SELECT index FROM audit_append('release.opened', 'user:1', '', 'release:1', 'bot', now(), '{}'::bytea,"
    " sha256(random()::text::bytea))"
)
ROLES = (grants.OWNER, grants.APP, grants.AUDITOR)
# name -> statements, run one after the other in one transaction
ATTACKS = {
    "update": ["UPDATE audit_entry SET actor_id = 'user:2' WHERE index = 1"],
    "delete": ["DELETE FROM audit_entry WHERE index = 1"],
    "delete the tail": ["DELETE FROM audit_entry WHERE index = (SELECT max(index) FROM audit_entry)"],
    "truncate": ["TRUNCATE audit_entry"],
    "truncate all": ["TRUNCATE audit_entry, audit_payload, audit_checkpoint, audit_head"],
    "upsert": [
        "INSERT INTO audit_entry SELECT * FROM audit_entry WHERE index = 1"
        " ON CONFLICT (index) DO UPDATE SET actor_id = 'user:2'"
    ],
    "merge": [
        "MERGE INTO audit_entry e USING (SELECT 1 AS n) s ON e.index = s.n WHEN MATCHED THEN UPDATE SET kind = 'a.b'"
    ],
    "insert with a number of one's own": [
        "INSERT INTO audit_entry (index, kind, actor_id, via, subject, system, at, commitment)"
        " VALUES (99, 'a.b', 'user:1', '', 's:1', '', now(), sha256('x'))"
    ],
    "insert with a hash of one's own": [
        "INSERT INTO audit_entry (kind, actor_id, via, subject, system, at, commitment, leaf_hash)"
        " VALUES ('a.b', 'user:1', '', 's:1', '', now(), sha256('x'), sha256('y'))"
    ],
    "insert with a time of one's own": [
        "INSERT INTO audit_entry (kind, actor_id, via, subject, system, at, commitment, recorded_at)"
        " VALUES ('a.b', 'user:1', '', 's:1', '', now(), sha256('x'), '2020-01-01')"
    ],
    "replication role": ["SET LOCAL session_replication_role = replica", "DELETE FROM audit_entry WHERE index = 1"],
    "disable trigger": ["ALTER TABLE audit_entry DISABLE TRIGGER ALL", "DELETE FROM audit_entry WHERE index = 1"],
    "replica-only trigger": ["ALTER TABLE audit_entry ENABLE REPLICA TRIGGER audit_entry_keep"],
    "drop trigger": ["DROP TRIGGER audit_entry_keep ON audit_entry", "DELETE FROM audit_entry WHERE index = 1"],
    "rename trigger": ["ALTER TRIGGER audit_entry_keep ON audit_entry RENAME TO harmless"],
    "trigger that swallows": [
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
        "CREATE TRIGGER a_first BEFORE INSERT ON audit_entry FOR EACH ROW EXECUTE FUNCTION swallow()",
    ],
    "rule that swallows": ["CREATE RULE nothing AS ON INSERT TO audit_entry DO INSTEAD NOTHING"],
    "drop table": ["DROP TABLE audit_entry CASCADE"],
    "rename table": ["ALTER TABLE audit_entry RENAME TO audit_entry_old"],
    "move table": ["CREATE SCHEMA elsewhere", "ALTER TABLE audit_entry SET SCHEMA elsewhere"],
    "rewrite a column": ["ALTER TABLE audit_entry ALTER actor_id TYPE text USING 'user:2'"],
    "drop a column": ["ALTER TABLE audit_entry DROP COLUMN via"],
    "replace the deny function": [
        "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
        "UPDATE audit_entry SET actor_id = 'user:2' WHERE index = 1",
    ],
    "drop the deny function": ["DROP FUNCTION audit_refuse() CASCADE"],
    "loosen the append function": ["ALTER FUNCTION audit_entry_seal() RESET search_path"],
    "cascade from a parent": [
        "CREATE TABLE parent (id bigint PRIMARY KEY)",
        "INSERT INTO parent SELECT index FROM audit_entry",
        "ALTER TABLE audit_entry ADD FOREIGN KEY (index) REFERENCES parent ON DELETE CASCADE",
        "DELETE FROM parent",
    ],
    "inherit": ["CREATE TABLE child () INHERITS (audit_entry)"],
    # Without the right to grant, PostgreSQL only warns that nothing was granted.
    "grant oneself": ["GRANT ALL ON audit_entry TO PUBLIC", "DELETE FROM audit_entry WHERE index = 1"],
    "row security": ["ALTER TABLE audit_entry ENABLE ROW LEVEL SECURITY"],
    "head back": ["UPDATE audit_head SET size = size - 1"],
    "head on": ["UPDATE audit_head SET size = size + 1"],
    "another origin": ["UPDATE audit_head SET origin = 'readiness/other/decisions'"],
    "second head": ["INSERT INTO audit_head (log, origin, size) VALUES ('other', 'x', 0)"],
    "no head": ["DELETE FROM audit_head"],
    "payload edited": ["UPDATE audit_payload SET payload = '{}' WHERE index = 1"],
    "payload deleted": ["DELETE FROM audit_payload WHERE index = 1"],
    "payload replaced": [
        "INSERT INTO audit_payload (index, salt, payload) VALUES (7, sha256('x'), '{}') ON CONFLICT DO NOTHING"
    ],
    "payloads truncated": ["TRUNCATE audit_payload"],
    "checkpoint edited": ["UPDATE audit_checkpoint SET note = 'x'"],
    "checkpoint deleted": ["DELETE FROM audit_checkpoint"],
    "checkpoint again": ["SELECT audit_publish(2, sha256('x'), 'note', 'key', '')"],
    "checkpoint of the future": ["SELECT audit_publish(1000, sha256('x'), 'note', 'key', '')"],
    "erase what is not there": ["SELECT audit_erase(1000, 'user:1', '', '', now(), '{}', sha256('x'))"],
}
# A single role owns everything and may be superuser: what it can do to its own tables only event triggers refuse.
NEEDS_WATCH = {
    "disable trigger",
    "replica-only trigger",
    "drop trigger",
    "rename trigger",
    "trigger that swallows",
    "rule that swallows",
    "drop table",
    "rename table",
    "move table",
    "rewrite a column",
    "drop a column",
    "replace the deny function",
    "drop the deny function",
    "loosen the append function",
    "inherit",
    "row security",
}
UNNOTICED = {"rewrite a column", "drop a column", "inherit"}  # `manage.py verify` sees the first two


def admin(database: str) -> psycopg.Connection:
    default = settings.DATABASES["default"]
    return psycopg.connect(
        host=default["HOST"],
        port=default["PORT"] or 5432,
        user=default["USER"],
        password=default["PASSWORD"],
        dbname=database,
        autocommit=True,
    )


@contextmanager
def made(name: str) -> Iterator[psycopg.Connection]:
    """A database with a ledger of four entries and one checkpoint, and nothing else."""
    with admin("postgres") as server:
        if not server.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()[0]:
            pytest.skip("making roles takes a superuser")
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            with admin(name) as connection:
                connection.execute(SQL)
                for _ in range(4):
                    connection.execute(APPEND)
                connection.execute("SELECT audit_publish(3, sha256('x'), 'note', 'key', '')")
                yield connection
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def single() -> Iterator[psycopg.Connection]:
    """One role for everything, as in development: only triggers."""
    with made("readiness_test_guards_single") as connection:
        yield connection


@pytest.fixture(scope="module")
def watched() -> Iterator[psycopg.Connection]:
    """One superuser role, with event triggers."""
    with made("readiness_test_guards_watched") as connection:
        with connection.cursor() as cursor:
            cursor.execute((Path(guards.__file__).parent / "guard.sql").read_text())
        yield connection


@pytest.fixture(scope="module")
def locked() -> Iterator[psycopg.Connection]:
    """As a server should be: four roles, `manage.py guard` done."""
    with made("readiness_test_guards_locked") as connection:
        for role in ROLES:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
        connection.execute("GRANT ALL ON SCHEMA public TO readiness_owner")
        connection.execute("CREATE TABLE business (id int)")
        connection.execute("ALTER TABLE business OWNER TO readiness_owner")
        with connection.cursor() as cursor:
            grants.lock(cursor)
        yield connection


@contextmanager
def acting_as(connection: psycopg.Connection, role: str) -> Iterator[psycopg.Connection]:
    if role:
        connection.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(role)))
    try:
        yield connection
    finally:
        connection.execute("RESET SESSION AUTHORIZATION")


def content(connection: psycopg.Connection) -> list[tuple]:
    rows: list[tuple] = []
    for table in grants.TABLES:
        rows += connection.execute(sql.SQL("SELECT * FROM {} ORDER BY 1").format(sql.Identifier(table))).fetchall()
    return rows


def together(connection: psycopg.Connection, statements: list[str]) -> None:
    with connection.transaction():
        for statement in statements:
            connection.execute(statement)


def attack(connection: psycopg.Connection, role: str, name: str) -> None:
    before = content(connection)
    with acting_as(connection, role):
        with pytest.raises(psycopg.Error) as refused:
            together(connection, ATTACKS[name])
        assert refused.value.sqlstate in ("42501", "RD003"), refused.value
    assert content(connection) == before
    assert guards.missing(connection) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize("role", ["", *ROLES])
def test_with_roles_every_attack_is_refused_for_everybody(locked, role, name):
    """The empty role is the superuser."""
    attack(locked, role, name)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_single_superuser_role_with_event_triggers_is_refused_as_well(watched, name):
    attack(watched, "", name)


@pytest.mark.parametrize("name", sorted(set(ATTACKS) - NEEDS_WATCH))
def test_triggers_alone_refuse_all_that_is_no_ddl(single, name):
    attack(single, "", name)


@pytest.mark.parametrize("name", sorted(NEEDS_WATCH - UNNOTICED))
def test_what_ddl_can_do_without_event_triggers_is_noticed(single, name):
    """Triggers do not refuse it, so the start-up check has to see it."""
    with single.transaction(force_rollback=True):
        for statement in ATTACKS[name]:
            if not statement.startswith(("DELETE", "UPDATE")):
                single.execute(statement)
        assert guards.missing(single)


def test_the_roles_can_do_their_work(locked):
    with acting_as(locked, grants.APP), locked.transaction(force_rollback=True):
        size = locked.execute("SELECT size FROM audit_head").fetchone()[0]
        assert locked.execute(APPEND).fetchone() == (size,)
        locked.execute("SELECT audit_erase(1, 'user:1', '', '', now(), '{}', sha256('y'))")
        assert locked.execute("SELECT count(*) FROM audit_payload WHERE index = 1").fetchone() == (0,)
        locked.execute("SELECT audit_publish(4, sha256('x'), 'note', 'key', '')")
        locked.execute("INSERT INTO business VALUES (1)")
    with acting_as(locked, grants.AUDITOR):
        assert locked.execute("SELECT count(*) FROM audit_entry").fetchone() == (4,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            locked.execute("SELECT * FROM business")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            locked.execute(APPEND)
    with acting_as(locked, grants.OWNER), locked.transaction(force_rollback=True):
        locked.execute("CREATE TABLE more (id int)")  # other migrations go on
        locked.execute("ALTER TABLE business ADD COLUMN name text")
        locked.execute("SELECT audit_stop('a reason')")
        locked.execute("SELECT audit_resume()")
        assert locked.execute(APPEND).fetchone()


def test_the_application_may_stop_the_log_but_not_start_it(locked):
    with acting_as(locked, grants.APP), locked.transaction(force_rollback=True):
        locked.execute("SELECT audit_stop('found wrong')")
        with pytest.raises(psycopg.Error, match="read-only: found wrong") as refused, locked.transaction():
            locked.execute(APPEND)
        assert refused.value.sqlstate == "RD002"
        with pytest.raises(psycopg.errors.InsufficientPrivilege), locked.transaction():
            locked.execute("SELECT audit_resume()")


def test_a_search_path_of_ones_own_changes_nothing(locked):
    """Security definer functions are taken in by tables and functions that lie earlier on the path."""
    with acting_as(locked, grants.APP), locked.transaction(force_rollback=True):
        locked.execute("CREATE TEMP TABLE audit_entry (index int)")
        locked.execute("CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'")
        locked.execute("SET LOCAL search_path = pg_temp, public, pg_catalog")
        size = locked.execute("SELECT size FROM public.audit_head").fetchone()[0]
        index = locked.execute(APPEND.replace("audit_append", "public.audit_append")).fetchone()[0]
        assert index == size
        row = locked.execute(
            "SELECT pg_catalog.sha256('\\x00'::bytea || convert_to(leaf, 'UTF8')) = leaf_hash FROM public.audit_entry"
            " WHERE index = %s",
            [index],
        ).fetchone()
        assert row == (True,)


def test_missing_guards_are_named(single):
    def after(*statements: str) -> list[str]:
        with single.transaction(force_rollback=True):
            for statement in statements:
                single.execute(statement)
            return guards.missing(single)

    assert after() == []
    assert after("DROP TRIGGER audit_entry_keep ON audit_entry") == [
        "the trigger audit_entry_keep on audit_entry is missing"
    ]
    assert after("ALTER TABLE audit_head ENABLE TRIGGER audit_head_check") == [
        "the trigger audit_head_check on audit_head does not fire always"
    ]
    assert after("CREATE RULE nothing AS ON INSERT TO audit_entry DO INSTEAD NOTHING") == [
        "the rule nothing on audit_entry does not belong there"
    ]
    weakened = "CREATE OR REPLACE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"
    assert "the function audit_refuse was replaced" in after(weakened)
    assert after("ALTER FUNCTION audit_append RESET search_path") == [
        "the function audit_append has no fixed search_path"
    ]
    assert after(
        "DROP TRIGGER audit_entry_keep ON audit_entry",
        "CREATE TRIGGER audit_entry_keep BEFORE UPDATE ON audit_entry FOR EACH ROW EXECUTE FUNCTION audit_refuse()",
        "ALTER TABLE audit_entry ENABLE ALWAYS TRIGGER audit_entry_keep",
    ) == ["the trigger audit_entry_keep on audit_entry does something else"]
    assert after("DROP TABLE audit_entry CASCADE") == ["the table audit_entry is not there"]


def test_what_the_application_may_do_beyond_its_functions_is_named(locked):
    assert guards.missing(locked) == []
    with acting_as(locked, grants.APP):
        assert guards.missing(locked) == []
        assert guards.advice(locked) == []
    assert guards.advice(locked)  # the superuser
    with locked.cursor() as cursor:
        grants.unlock(cursor)
        locked.execute("GRANT DELETE ON audit_entry TO readiness_app")
        locked.execute("REVOKE EXECUTE ON FUNCTION audit_append FROM readiness_app")
        with acting_as(locked, grants.APP):
            assert guards.missing(locked) == [
                "readiness_app may DELETE on audit_entry",
                "readiness_app may not call audit_append, so it cannot record anything",
            ]
            assert "no event trigger" in " ".join(guards.advice(locked))
        grants.lock(cursor)
    with acting_as(locked, grants.APP):
        assert guards.missing(locked) == []


@pytest.mark.usefixtures("ledger")
def test_the_command_locks_the_ledger_and_gives_it_back_for_a_migration():
    out = StringIO()
    call_command("guard", stdout=out)
    assert out.getvalue() == "The ledger is guarded.\n"
    assert guards.missing(connection) == []
    with connection.cursor() as cursor:
        assert grants.is_watched(cursor)
        grants.after_migrate(using="default")  # what follows every migration changes nothing
        assert grants.is_watched(cursor)
        cursor.execute("CREATE TABLE of_a_migration (id int)")
    with transaction.atomic():
        record(kind="test.written", by=SYSTEM, subject="t:1", now=NOW, payload={})
    call_command("guard", "--off", stdout=out)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_entry ADD COLUMN more text")
        assert not grants.is_watched(cursor)


@pytest.mark.usefixtures("ledger")
def test_after_a_migration_the_watch_is_there_where_it_can_be():
    with connection.cursor() as cursor:
        assert not grants.is_watched(cursor)  # the fixture lifted it
        grants.after_migrate(using="default")
        assert grants.is_watched(cursor)


@pytest.mark.usefixtures("ledger")
def test_the_command_needs_a_superuser(monkeypatch):
    monkeypatch.setattr(grants, "is_superuser", lambda cursor: False)
    with pytest.raises(CommandError, match="superuser"):
        call_command("guard")
