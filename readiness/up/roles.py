"""The three database roles, so that the application cannot rewrite what it recorded.

`readiness_owner` owns the tables and migrates; `readiness_app` is what web and workers are; `readiness_auditor` may
look at the record and at nothing else. What each may do with a table is granted after the migrations (audit/grants.py).
Run it again at any time: it only adds what is missing and sets the passwords.
"""

import argparse
import sys
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

from readiness import environment as env

OWNER, APP, AUDITOR = "readiness_owner", "readiness_app", "readiness_auditor"

_IN_DATABASE = """
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    GRANT USAGE, CREATE ON SCHEMA public TO readiness_owner;
    GRANT USAGE ON SCHEMA public TO readiness_app, readiness_auditor;
"""


def ensure(superuser_dsn: str, *, database: str, passwords: Mapping[str, str]) -> bool:
    """Make roles and database; return whether the database is new. A role without a password here cannot sign in."""
    with psycopg.connect(superuser_dsn, dbname="postgres", autocommit=True) as connection:
        for role in (OWNER, APP, AUDITOR):
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
            if role in passwords:
                change = sql.SQL("ALTER ROLE {} PASSWORD {}")
                connection.execute(change.format(sql.Identifier(role), sql.Literal(passwords[role])))
        is_new = not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
        name = sql.Identifier(database)
        if is_new:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER readiness_owner").format(name))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        connection.execute(sql.SQL("GRANT ALL ON DATABASE {} TO readiness_owner").format(name))
        connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO readiness_app, readiness_auditor").format(name))
    with psycopg.connect(superuser_dsn, dbname=database, autocommit=True) as connection:
        connection.execute(_IN_DATABASE)
    return is_new


def main() -> None:
    """On a server: `python -m readiness.up.roles`, with the URLs that the processes will use, and the superuser's."""
    argparse.ArgumentParser(description=main.__doc__).parse_args()
    admin = env.text("DATABASE_ADMIN_URL")
    urls = {OWNER: env.text("DATABASE_OWNER_URL"), APP: env.text("DATABASE_URL")}
    if not admin or not all(urls.values()):
        sys.exit("Set DATABASE_ADMIN_URL (a superuser's), DATABASE_OWNER_URL and DATABASE_URL.")
    passwords = {}
    for role, url in urls.items():
        parts = urlsplit(url)
        if parts.username != role:
            sys.exit(f"A URL names {parts.username} where it must name {role}: what each may do is granted by name.")
        passwords[role] = unquote(parts.password or "")
    database = urlsplit(urls[APP]).path.lstrip("/")
    is_new = ensure(admin, database=database, passwords=passwords)
    print(f"Roles are set; database {database} {'made' if is_new else 'was there'}.")


if __name__ == "__main__":
    main()
