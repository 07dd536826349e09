"""Who a process runs as, and with whom it dies."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from pathlib import Path

# Loaded before any fork: between fork and exec only simple calls are safe.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


def die_with_parent(sig: signal.Signals, *, parent: int) -> None:
    """Have the kernel send `sig` to this process when its parent ends, however it ends.

    Runs in the child after any change of user, since the kernel forgets the request at that change. A parent that ended
    before the request was made can no longer be noticed by it, so that is looked at last. (Linux only: elsewhere a
    supervisor that is killed outright leaves its children to the next start, which refuses until they are gone.)
    """
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(sig))
    if os.getppid() != parent:
        os._exit(1)


def service_account() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as when we are root, which it refuses to be. An ordinary user is good enough as it is."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def can_enter(folder: Path, account: pwd.struct_passwd | None) -> bool:
    """Whether the account may walk into the folder: every folder above it counts, and so do access lists."""
    if account is None:
        return os.access(folder, os.X_OK)
    probe = ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)]
    quiet = subprocess.DEVNULL
    done = subprocess.run(probe, user=account.pw_uid, group=account.pw_gid, extra_groups=[], cwd="/", stderr=quiet)
    return done.returncode == 0
