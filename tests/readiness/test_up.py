"""`manage.py up` for real: processes, signals, ports, users. Few starts, each looked at from many sides."""

import fcntl
import http.client
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from readiness.up import keys, roles
from readiness.up.folder import Folder
from readiness.up.postgres import Postgres
from readiness.up.processes import Keeper
from tests.audit.sending import chat_trace, request_json
from tests.readiness.running import CHECKOUT, CLEAN, Up, until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def data() -> Iterator[Path]:
    """A data folder that PostgreSQL's user may walk to: pytest's own folders are closed to others."""
    with tempfile.TemporaryDirectory(prefix="up-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "data"


def is_unlocked(data: Path) -> bool:
    with (data / "lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def query(data: Path, sql: str) -> list[tuple[object, ...]]:
    """Ask the database of a run that is over, through a server of our own."""
    folder = Folder(data)
    keeper = Keeper(log=folder.log, say=print)
    keeper.inherited = folder.hold(keeper.pause)
    postgres = Postgres(data=data, secrets=folder.keys)
    try:
        postgres.start(keeper)
        with psycopg.connect(postgres.url("postgres")) as connection:
            return connection.execute(sql).fetchall()
    finally:
        keeper.stop_all()
        postgres.clean_up()
        folder.let_go()
        os.close(keeper.inherited)


def test_a_run_from_start_to_kill_and_back(data: Path) -> None:
    with Up(data) as up:
        up.ready()
        assert up.wait_for("Readiness runs at").strip().endswith(f"http://localhost:{up.port}")
        assert "/setup/" in up.wait_for(f"http://localhost:{up.port}/")

        # It serves, and every part is at work: the tick went through beat, broker, worker and database.
        until(lambda: json.loads(up.get("/readyz"))["status"] == "ready", 30, f"not ready: {up.get('/readyz')}")
        assert "Readiness" in up.get("/")

        # PostgreSQL is nobody's but its user's: no port, a closed folder, a user that is not root.
        postgres = up.part("postgres -D")
        assert not postgres.net_connections("inet")
        assert postgres.username() != "root"
        assert stat.S_IMODE((data / "postgres" / "socket").stat().st_mode) == 0o700
        for secret in [*(data / "keys").iterdir(), data / "environment"]:
            assert stat.S_IMODE(secret.stat().st_mode) == 0o600, secret

        # A second one on the same folder, or the same port, is refused in a sentence.
        with Up(data) as second:
            assert second.process.wait(30) == 1
            assert f"already running on {data} (process {up.process.pid})" in second.output
        with Up(data.with_name("other"), "--port", str(up.port)) as third:
            assert third.process.wait(30) == 1
            assert f"Port {up.port} is in use." in third.output
            assert "Traceback" not in third.output

        # A command beside it works on the same database, as the application's role.
        assert shell(data, WHOAMI) == "readiness_app"

        # A part that dies comes back, and its own children go with it.
        worker = up.part("celery -A readiness worker")
        pool = worker.children()
        assert pool
        worker.kill()
        assert "killed by SIGKILL" in up.wait_for("worker ended .* at once")
        until(lambda: not any(process.is_running() for process in pool), 5, "the pool outlived its worker")
        until(lambda: up.named("celery -A readiness worker"), 10, "no new worker")

        # While requests come in, a web process is killed, then the database, then the supervisor: nothing stays.
        with exporters(up.port, shell(data, TOKEN)) as accepted:
            wait_for_more(accepted)
            up.part("gunicorn").children()[0].kill()
            wait_for_more(accepted)
            postgres.kill()
            wait_for_more(accepted)
            up.stop(signal.SIGKILL)
        until(lambda: not up.alive(), 15, f"left running: {up.alive()}")
        assert is_unlocked(data)

    # What was accepted is there, and of no batch only a part.
    spans = dict(query(data, "SELECT trace_id, count(*) FROM audit_span GROUP BY trace_id"))
    assert accepted <= spans.keys()
    assert set(spans.values()) == {3}

    # The next start finds everything, and ends cleanly. (How long it takes is measured by bench/start.py.)
    with Up(data) as up:
        up.ready()
        assert "with a new database" not in up.output
        assert "0 migrations" in up.output
        assert up.stop(signal.SIGINT) == 0
        assert "Nothing is left running" in up.output
        assert not up.alive()
        assert is_unlocked(data)
        assert not (data / "environment").exists()


def shell(data: Path, program: str) -> str:
    """What a program says that runs beside, with the application's own settings."""
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", program],
        cwd=CHECKOUT,
        env={**CLEAN, "READINESS_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def exporters(port: int, token: str) -> Iterator[set[UUID]]:
    """Three applications that send all the time. The traces that were acknowledged are in the set."""
    accepted: set[UUID] = set()
    over = threading.Event()

    def export() -> None:
        while not over.wait(0.02):
            spans = chat_trace(trace=secrets.token_hex(16))
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            batch = urllib.request.Request(f"http://localhost:{port}/v1/traces", request_json(*spans), headers)
            with suppress(OSError, http.client.HTTPException):  # no answer is no acknowledgement
                with urllib.request.urlopen(batch, timeout=30) as answer:
                    assert answer.status == 200
                accepted.add(UUID(spans[0]["traceId"]))

    threads = [threading.Thread(target=export) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield accepted
    finally:
        over.set()
        for thread in threads:
            thread.join()


def wait_for_more(accepted: set[UUID]) -> None:
    enough = len(accepted) + 20
    until(lambda: len(accepted) >= enough, 60, "nothing more is accepted")


TOKEN = """
from tests.audit.sending import ingest_token
print(ingest_token())
"""
WHOAMI = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT current_user")
    print(cursor.fetchone()[0])
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user already runs this: the other tests show it")
def test_an_ordinary_user_with_a_long_path(data: Path) -> None:
    """Interpreter and data are the user's; the path is too long for a socket; the checkout is only read."""
    account = pwd.getpwnam("nobody")
    python = readable_python(data.parent)
    long = data / ("a-folder-with-a-long-name-" * 4) / "data"
    long.mkdir(parents=True)
    os.chown(long, account.pw_uid, account.pw_gid)
    packages = str(Path(keys.__file__).parents[2]) + ":" + str(Path(psycopg.__file__).parents[1])
    env = {
        "PYTHONPATH": packages,
        "LD_LIBRARY_PATH": str(python.parent.parent / "lib"),
        "HOME": str(long),
    }
    as_user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": [], "cwd": "/"}
    with Up(long, python=python, env=env, **as_user) as up:
        up.ready()
        assert up.users() == {account.pw_uid}
        socket_folder = Path((long / "postgres" / "socket.path").read_text())
        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
        assert up.stop() == 0
        assert not up.alive()
        assert not socket_folder.exists()


def readable_python(folder: Path) -> Path:
    """Root's interpreter may lie in root's home: a copy that others can run, without what it does not need."""
    base = Path(sys.base_prefix)
    leave_out = shutil.ignore_patterns("test", "tests", "site-packages", "idlelib", "*.a", "share")
    copy = shutil.copytree(base, folder / "python", symlinks=True, ignore=leave_out)
    return copy / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL is somebody else's")
def test_a_folder_that_the_database_user_cannot_enter(tmp_path: Path) -> None:
    """As in root's home: the data folder links to where the database is."""
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    folder = Folder(closed / "data")
    folder.open()
    home = None
    try:
        postgres = Postgres(data=folder.path, secrets=folder.keys)
        home = postgres.home
        assert (folder.path / "postgres").is_symlink()
        assert home.parent == Path("/var/lib/readiness")
        assert Postgres(data=folder.path, secrets=folder.keys).home == home
    finally:
        if home:
            shutil.rmtree(home)


def test_a_broken_off_start_leaves_no_half_database(data: Path) -> None:
    with Up(data) as up:
        until(lambda: (data / "postgres" / "cluster.new").exists(), 20, "initdb never began")
        up.stop(signal.SIGTERM)
        assert not up.alive()
    assert not (data / "postgres" / "cluster").exists()
    assert query(data, "SELECT 1") == [(1,)]


def test_a_database_of_ones_own(data: Path, settings: object) -> None:
    """With DATABASE_URL and CELERY_BROKER_URL set, nothing is embedded; what does not answer is said."""
    nowhere = "postgres://readiness_app:x@127.0.0.1:1/readiness"
    with Up(data, env={"DATABASE_URL": nowhere, "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"}) as up:
        assert up.process.wait(60) == 1
        assert "PostgreSQL is up" not in up.output
        assert "The step “prepare” failed" in up.output
        assert "Connection refused" in up.output
    assert not (data / "postgres").exists()
    assert not (data / "broker").exists()


def test_the_first_free_port_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    from readiness.up import supervisor

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(supervisor, "FIRST_PORT", port)
        monkeypatch.setattr(supervisor, "LAST_PORT", port + 5)
        assert port < supervisor.Supervisor(port=None, demo=False).choose_port() <= port + 5


def test_roles_are_held_to_what_they_may(data: Path) -> None:
    folder = Folder(data)
    folder.open()
    keeper = Keeper(log=folder.log, say=print)
    keeper.inherited = folder.hold(keeper.pause)
    postgres = Postgres(data=data, secrets=folder.keys, durable=False)
    try:
        assert postgres.start(keeper) is True
        with psycopg.connect(postgres.url(roles.OWNER)) as owner:
            owner.execute("CREATE TABLE things (id int)")
        for role in (roles.APP, roles.AUDITOR):
            with psycopg.connect(postgres.url(role)) as connection:
                for statement in ("SELECT * FROM things", "CREATE TABLE mine (id int)", "CREATE ROLE other"):
                    with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                        connection.execute(statement)
        wrong = postgres.url(roles.APP).replace(postgres.password(roles.APP), "wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
        with psycopg.connect(postgres.url("postgres")) as connection:
            for setting, value in {"data_checksums": "on", "listen_addresses": "", "server_encoding": "UTF8"}.items():
                assert connection.execute(f"SHOW {setting}").fetchone() == (value,)
            row = connection.execute("SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'readiness'")
            assert row.fetchone() == ("b", "C.UTF-8")
    finally:
        keeper.stop_all()
        os.close(keeper.inherited)
