"""The data folder: what is in it, who holds it, and the environment that it gives to every process."""

import fcntl
import os
import shlex
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from readiness.up.errors import UpError

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def data_dir(demo: bool = False) -> Path:
    """A demo has a folder of its own: it never mixes with a real record, and removing it is removing that folder."""
    return Path(os.environ.get("READINESS_DATA_DIR") or CHECKOUT / (".data-demo" if demo else ".data")).absolute()


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys = path / "keys"
        self.log = path / "log"
        self.environment = path / "environment"
        self._lock = -1

    def open(self) -> None:
        """Make the folder. Root's may be walked through (not listed), since its PostgreSQL is another user's."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            for private in (self.keys, self.log):
                private.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise UpError(
                f"The data folder {self.path} cannot be used ({error.strerror}). "
                "Start as the user that it belongs to, or name another one in READINESS_DATA_DIR."
            ) from error

    def hold(self, wait: Callable[[float], None], patience: float = 60) -> int:
        """Take the folder for this run and return the lock, which every child inherits.

        So the lock is free exactly when the last process of a run is gone. Where only its supervisor is gone (killed),
        the others are on their way out: wait for them.
        """
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        began = time.monotonic()
        waited = 0.0
        while True:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                holder = os.pread(self._lock, 200, 0).decode().partition("\n")[0]
                if _is_running(holder):
                    raise UpError(f"Readiness is already running on {self.path} (process {holder}).") from None
                if waited > patience:
                    raise UpError(f"Processes of an earlier run still use {self.path}; end them first.") from None
                wait(waited)
                waited = time.monotonic() - began
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)
        return self._lock

    def let_go(self) -> None:
        """Forget who held the folder. The lock itself falls with the last process that has it."""
        os.ftruncate(self._lock, 0)
        self.environment.unlink(missing_ok=True)

    def publish(self, variables: Mapping[str, str]) -> None:
        """Leave the environment of this run for commands beside it (`manage.py verify` in another terminal)."""
        text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()))
        write_private(self.environment, text)


def adopt(path: Path) -> None:
    """Take over the environment of the run on this data folder, except where a variable is set already."""
    try:
        lines = (path / "environment").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        name, _, value = line.partition("=")
        os.environ.setdefault(name, "".join(shlex.split(value)))


def write_private(path: Path, text: str) -> None:
    """Write whole or not at all, readable by us alone from the first byte on."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _is_running(pid: str) -> bool:
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
