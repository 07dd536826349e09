"""Are the ledger's guards in place? Asked when a process starts, by /readyz and by `manage.py verify`.

The answer is read from PostgreSQL's catalogue and compared with the migration as shipped, function bodies included: a
guard that was replaced by one that lets everything pass is as absent as one that was dropped.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from audit.grants import FUNCTIONS, TABLES, WRITES, is_watched

_SQL = Path(__file__).parent / "migrations" / "0001_ledger.sql"
# Bits of pg_trigger.tgtype; all of ours are BEFORE triggers.
_BEFORE, _EACH_ROW = 2, 1
_EVENTS = {"INSERT": 4, "DELETE": 8, "UPDATE": 16, "TRUNCATE": 32}


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """A sentence for each guard that is absent. Empty: the ledger is guarded as far as this role can be held back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) name WHERE to_regclass('public.' || name) IS NULL", [list(TABLES)]
        )
        if absent := [row[0] for row in cursor.fetchall()]:
            return [f"the table {name} is not there" for name in absent]
        return [*_triggers(cursor), *_functions(cursor), *_rights(cursor)]


def advice(connection: BaseDatabaseWrapper) -> list[str]:
    """What would hold back more than `missing` asks for: a database with a single role works without."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT r.rolname, r.rolsuper, pg_has_role(r.oid, t.relowner, 'USAGE'), o.rolname, o.rolcanlogin"
            " FROM pg_roles r, pg_class t JOIN pg_roles o ON o.oid = t.relowner"
            " WHERE r.rolname = current_user AND t.oid = 'public.audit_entry'::regclass"
        )
        role, is_superuser, owns, owner, signs_in = cursor.fetchone()
        if is_superuser:
            found.append(f"{role} is a superuser and can lift every guard")
        elif owns:
            found.append(f"{role} owns the ledger and can lift its guards")
        if signs_in:
            found.append(f"the ledger belongs to {owner}, who can sign in; manage.py guard gives it to nobody")
        if not is_watched(cursor):
            found.append("no event trigger refuses DDL against the ledger; manage.py guard sets it, as a superuser")
    return found


def _triggers(cursor: CursorWrapper) -> Iterator[str]:
    """Each trigger as shipped, and firing always; none besides, and no rule, which could swallow rows."""
    cursor.execute(
        "SELECT c.relname, t.tgname, t.tgtype, p.proname, t.tgenabled, t.tgqual IS NULL AND t.tgattr = ''"
        " FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid"
        " WHERE NOT t.tgisinternal AND c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)",
        [list(TABLES)],
    )
    there = {(row[0], row[1]): row[2:] for row in cursor.fetchall()}
    for (table, name), (kind, function) in shipped_triggers().items():
        found = there.pop((table, name), None)
        if found is None:
            yield f"the trigger {name} on {table} is missing"
        elif found[:2] != (kind, function) or not found[3]:
            yield f"the trigger {name} on {table} does something else"
        elif found[2] != "A":
            yield f"the trigger {name} on {table} does not fire always"
    for table, name in there:
        yield f"the trigger {name} on {table} does not belong there"
    cursor.execute(
        "SELECT rulename, tablename FROM pg_rules WHERE schemaname = 'public' AND tablename = ANY(%s)", [list(TABLES)]
    )
    for name, table in cursor.fetchall():
        yield f"the rule {name} on {table} does not belong there"
    cursor.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND rowsecurity AND tablename = ANY(%s)",
        [list(TABLES)],
    )
    for (table,) in cursor.fetchall():
        yield f"row security is on for {table}, so some entries may not be seen"


def _functions(cursor: CursorWrapper) -> Iterator[str]:
    cursor.execute(
        "SELECT proname, prosrc, prosecdef, coalesce(array_to_string(proconfig, ';'), '') FROM pg_proc"
        " WHERE pronamespace = 'public'::regnamespace AND proname = ANY(%s)",
        [sorted(shipped_functions())],
    )
    there: dict[str, list[tuple[str, bool, str]]] = {}
    for name, *rest in cursor.fetchall():
        there.setdefault(name, []).append((rest[0], rest[1], rest[2]))
    for name, (body, is_definer) in shipped_functions().items():
        found = there.get(name, [])
        if len(found) != 1:
            yield f"the function {name} is there {len(found)} times, not once"
        elif found[0][:2] != (body, is_definer):
            yield f"the function {name} was replaced"
        elif found[0][2] != "search_path=pg_catalog, pg_temp":
            yield f"the function {name} has no fixed search_path"


def _rights(cursor: CursorWrapper) -> Iterator[str]:
    """A role that is neither superuser nor owner writes through the functions, and in no other way."""
    cursor.execute(
        "SELECT current_user, name, privilege FROM unnest(%s::text[]) name, unnest(%s::text[]) privilege, pg_class c"
        " WHERE c.oid = to_regclass('public.' || name) AND NOT pg_has_role(current_user, c.relowner, 'USAGE')"
        " AND has_table_privilege('public.' || name, privilege)",
        [list(TABLES), list(WRITES)],
    )
    for role, table, privilege in cursor.fetchall():
        yield f"{role} may {privilege} on {table}"
    cursor.execute(
        "SELECT current_user, f FROM unnest(%s::text[]) f WHERE NOT has_function_privilege('public.' || f, 'EXECUTE')",
        [[name for name, called in FUNCTIONS.items() if called]],
    )
    for role, function in cursor.fetchall():
        yield f"{role} may not call {function.partition('(')[0]}, so it cannot record anything"


@cache
def shipped_triggers() -> dict[tuple[str, str], tuple[int, str]]:
    """(table, trigger) -> (tgtype, function), as the migration creates them."""
    pattern = re.compile(
        r"CREATE TRIGGER (\w+) BEFORE ([A-Z ]+) ON public\.(\w+)"
        r"\s+FOR EACH (ROW|STATEMENT) EXECUTE FUNCTION public\.(\w+)"
    )
    found = {}
    for name, events, table, each, function in pattern.findall(_SQL.read_text()):
        kind = _BEFORE + (_EACH_ROW if each == "ROW" else 0) + sum(_EVENTS[event] for event in events.split(" OR "))
        found[table, name] = (kind, function)
    return found


@cache
def shipped_functions() -> dict[str, tuple[str, bool]]:
    """Function -> (body, runs as its owner), as the migration creates them."""
    pattern = re.compile(r"CREATE FUNCTION public\.(\w+)\((?:.*?)\) RETURNS (.*?) AS \$\$(.*?)\$\$;", re.DOTALL)
    return {name: (body, "SECURITY DEFINER" in head) for name, head, body in pattern.findall(_SQL.read_text())}
