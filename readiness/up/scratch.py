"""A server for the length of one command: `python -m readiness.up.scratch pytest ...`. What it holds is thrown away.

The tests run on the same PostgreSQL and the same broker as `bin/up`, started by the same code; only durability is off.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from readiness.up import keys
from readiness.up.broker import Broker, free_port
from readiness.up.errors import Stopped, UpError
from readiness.up.folder import Folder
from readiness.up.postgres import Postgres
from readiness.up.processes import Keeper
from readiness.up.supervisor import is_set


def main(command: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="readiness-scratch-") as temporary:
        folder = Folder(Path(temporary))
        folder.open()
        keeper = Keeper(log=folder.log, say=lambda event: print(event, file=sys.stderr, flush=True))
        keeper.inherited = folder.hold(keeper.pause)
        for request in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(request, keeper.ask_to_stop)
        postgres = None
        variables = {"READINESS_DATA_DIR": temporary, **keys.of_the_application(folder.keys)}
        try:
            if not is_set("DATABASE_URL"):
                postgres = Postgres(data=folder.path, secrets=folder.keys, durable=False, port=free_port())
                postgres.start(keeper)
                variables["DATABASE_URL"] = postgres.url("postgres")  # it makes the test database
            if not is_set("CELERY_BROKER_URL"):
                broker = Broker(data=folder.path, secrets=folder.keys)
                broker.start(keeper)
                variables["CELERY_BROKER_URL"] = broker.url()
            return _run(command, variables, keeper)
        except UpError as error:
            print(error, file=sys.stderr)
            return 1
        except Stopped:
            return 130
        finally:
            keeper.stop_all()
            if postgres:
                postgres.clean_up()


def _run(command: Sequence[str], variables: dict[str, str], keeper: Keeper) -> int:
    """In the foreground and in our process group: its output is ours, and Ctrl-C reaches it directly."""
    with subprocess.Popen(command, env={**os.environ, **variables}) as process:
        while process.poll() is None:
            if keeper.stop_wanted:
                process.terminate()
                process.wait()
            keeper.pause(0.1)
    return process.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
