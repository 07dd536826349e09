"""Who may do what to the ledger's tables in PostgreSQL, beyond the triggers that hold for everybody.

Two steps, both repeatable. `after_migrate` runs after every migration: the application may read the ledger and call its
functions, nothing else. `lock` needs a superuser (`manage.py guard`): the tables and functions go to `readiness_guard`,
a role that nobody signs in as, so that not even the owner of the other tables can disable a trigger or replace a
function; and event triggers refuse, for superusers too, any DDL that changes a guard. `unlock` undoes that for a
migration of the ledger. Roles that do not exist are left out: in a database with one role the triggers stand alone.
"""

from pathlib import Path

from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper

APP, OWNER, AUDITOR, GUARD = "readiness_app", "readiness_owner", "readiness_auditor", "readiness_guard"
TABLES = ("audit_head", "audit_entry", "audit_payload", "audit_checkpoint")
# Functions by signature, and whether the application calls them.
FUNCTIONS = {
    "audit_append(text, text, text, text, text, timestamptz, bytea, bytea)": True,
    "audit_erase(bigint, text, text, text, timestamptz, bytea, bytea)": True,
    "audit_publish(bigint, bytea, text, text, bytea)": True,
    "audit_stop(text)": True,
    "audit_resume()": False,
    "audit_through_function()": False,
    "audit_refuse()": False,
    "audit_entry_seal()": False,
    "audit_head_check()": False,
    "audit_payload_check()": False,
    "audit_checkpoint_check()": False,
}
WRITES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
WATCH = ("audit_guard_ddl", "audit_guard_rewrite")

_tables = ", ".join(f"public.{name}" for name in TABLES)
_called = ", ".join(f"public.{name}" for name, called in FUNCTIONS.items() if called)
_GUARD_SQL = Path(__file__).parent / "guard.sql"
_UNWATCH = "DROP EVENT TRIGGER IF EXISTS audit_guard_ddl; DROP EVENT TRIGGER IF EXISTS audit_guard_rewrite"


def after_migrate(*, using: str, **_: object) -> None:
    """Django's post_migrate: what was just made gets its grants, and its watch where we may set one."""
    connection = connections[using]
    with connection.cursor() as cursor, transaction.atomic(using=using):
        if not _exists(cursor):
            return
        _grant_tables(cursor)
        superuser = is_superuser(cursor)
        if _owns(cursor) and not _granted(cursor) and (superuser or not is_watched(cursor)):
            if superuser:
                cursor.execute(_UNWATCH)
            _grant_ledger(cursor)
        if superuser and not is_watched(cursor):
            _watch(cursor)


def lock(cursor: CursorWrapper) -> None:
    """As a superuser: the ledger out of everybody's hands, and any DDL against it refused. Repeatable."""
    cursor.execute(_UNWATCH)
    if OWNER in _roles(cursor):
        cursor.execute(f"DO $$ BEGIN CREATE ROLE {GUARD} NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
        _give(cursor, GUARD)
    _grant_tables(cursor)
    _grant_ledger(cursor)
    _watch(cursor)


def unlock(cursor: CursorWrapper) -> None:
    """As a superuser, before a migration that changes the ledger itself. `lock` afterwards."""
    cursor.execute(_UNWATCH)
    if OWNER in _roles(cursor):
        _give(cursor, OWNER)


def is_superuser(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    return bool(cursor.fetchone()[0])


def is_watched(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT count(*) FROM pg_event_trigger WHERE evtname = ANY(%s) AND evtenabled = 'A'", [list(WATCH)])
    return bool(cursor.fetchone()[0] == len(WATCH))


def _watch(cursor: CursorWrapper) -> None:
    cursor.execute(_GUARD_SQL.read_text())


def _give(cursor: CursorWrapper, role: str) -> None:
    for table in TABLES:
        cursor.execute(f"ALTER TABLE public.{table} OWNER TO {role}")
    for function in FUNCTIONS:
        cursor.execute(f"ALTER FUNCTION public.{function} OWNER TO {role}")


def _grant_tables(cursor: CursorWrapper) -> None:
    """All other tables: to the application, which changes them, unless it was told already what it may do there."""
    for role in {APP, OWNER} & _roles(cursor):
        cursor.execute(
            "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
            " AND pg_has_role(current_user, relowner, 'USAGE') AND NOT has_table_privilege(%s, oid, 'SELECT')"
            " AND relname <> ALL(%s)",
            [role, list(TABLES)],
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {role}")


def _grant_ledger(cursor: CursorWrapper) -> None:
    for role in {APP, AUDITOR, OWNER} & _roles(cursor):
        cursor.execute("SELECT relowner::regrole::text FROM pg_class WHERE oid = 'public.audit_entry'::regclass")
        if cursor.fetchone()[0] == role:
            continue
        cursor.execute(f"REVOKE ALL ON {_tables} FROM {role}")
        cursor.execute(f"GRANT SELECT ON {_tables} TO {role}")
        if role != AUDITOR:
            cursor.execute(f"GRANT EXECUTE ON FUNCTION {_called} TO {role}")
        if role == OWNER:
            cursor.execute(f"GRANT EXECUTE ON FUNCTION public.audit_resume() TO {role}")


def _granted(cursor: CursorWrapper) -> bool:
    roles = sorted({APP, AUDITOR} & _roles(cursor))
    cursor.execute(
        "SELECT bool_and(has_table_privilege(role, 'public.' || name, 'SELECT')"
        " AND NOT has_table_privilege(role, 'public.' || name, %s))"
        " FROM unnest(%s::text[]) role, unnest(%s::text[]) name",
        [", ".join(WRITES), roles, list(TABLES)],
    )
    return cursor.fetchone()[0] is not False


def _exists(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT to_regclass('public.audit_entry') IS NOT NULL")
    return bool(cursor.fetchone()[0])


def _owns(cursor: CursorWrapper) -> bool:
    cursor.execute(
        "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class WHERE oid = 'public.audit_entry'::regclass"
    )
    return bool(cursor.fetchone()[0])


def _roles(cursor: CursorWrapper) -> set[str]:
    cursor.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'readiness\\_%'")
    return {row[0] for row in cursor.fetchall()}
