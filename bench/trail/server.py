"""The bench's own installation: a data folder that is kept, PostgreSQL with fsync on, and the product's processes."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
KEPT = CHECKOUT / ".data-bench"


@contextmanager
def database(folder: Path, *, as_superuser: bool = False) -> Iterator[str]:
    """PostgreSQL and broker over `folder`, brought to this version, and Django set up on it. Yields a superuser's URL.

    Django works as the application's role, or as the superuser (temporary tables, VACUUM). The same code that `bin/up`
    runs, without its web and worker: what is measured starts what it needs.
    """
    from readiness.up import keys, roles
    from readiness.up.broker import Broker
    from readiness.up.folder import Folder
    from readiness.up.postgres import Postgres
    from readiness.up.processes import Keeper

    kept = Folder(folder)
    kept.open()
    keeper = Keeper(log=kept.log, say=lambda event: None)
    keeper.inherited = kept.hold(keeper.pause)
    for request in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request, lambda *_: sys.exit(130))
    postgres = Postgres(data=kept.path, secrets=kept.keys)
    try:
        postgres.start(keeper)
        broker = Broker(data=kept.path, secrets=kept.keys)
        broker.start(keeper)
        os.environ |= {
            "READINESS_DATA_DIR": str(kept.path),
            "READINESS_BASE_URL": "http://localhost:8765",
            "READINESS_ALLOWED_HOSTS": "localhost,127.0.0.1",
            "CELERY_BROKER_URL": broker.url(),
            "DATABASE_URL": postgres.url(roles.APP),
            "DJANGO_SETTINGS_MODULE": "readiness.settings",
            **keys.of_the_application(kept.keys),
        }
        _run("prepare", postgres.url(roles.OWNER))
        _run("guard", postgres.url("postgres"))
        if as_superuser:
            os.environ["DATABASE_URL"] = postgres.url("postgres")
        import django

        django.setup()
        yield postgres.url("postgres")
    finally:
        keeper.stop_all()
        postgres.clean_up()
        kept.let_go()


def _run(command: str, url: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", command],
        env={**os.environ, "DATABASE_URL": url},
        cwd=CHECKOUT,
        check=True,
        stdout=subprocess.DEVNULL,
    )


@contextmanager
def processes(*names: str, port: int = 8765, web: int = 2) -> Iterator[list[subprocess.Popen[bytes]]]:
    """`web`, `worker`, `beat` as an installation runs them. Each is ended at the end, and whatever it started."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "READINESS_BIND": f"127.0.0.1:{port}",
        "READINESS_WEB_PROCESSES": str(web),
        "READINESS_LOG_LEVEL": "WARNING",
        "READINESS_DEBUG": "0",  # with it, Django writes down every query
    }
    folder = Path(os.environ["READINESS_DATA_DIR"]) / "log"
    started = []
    try:
        for name in names:
            with (folder / f"bench-{name}.log").open("ab") as log:
                started.append(
                    subprocess.Popen(
                        [CHECKOUT / "bin" / "entrypoint", name],
                        env=environment, cwd=CHECKOUT, stdout=log, stderr=log, start_new_session=True,
                    )
                )  # fmt: skip
        if "web" in names:
            wait_for(f"http://127.0.0.1:{port}/healthz")
        yield started
    finally:
        for process in started:
            process.terminate()
        for process in started:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_for(url: str, *, seconds: int = 90) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SystemExit(f"{url} did not answer.")


def settled() -> None:
    """Until the worker has nothing left to number, sign and sum up."""
    from audit import trail

    until = time.monotonic() + 600
    while trail.waiting_since() is not None:
        if time.monotonic() > until:
            raise SystemExit("The worker did not catch up in ten minutes.")
        time.sleep(1)
