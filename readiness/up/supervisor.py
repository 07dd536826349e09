"""The start, in its order, and the end, in the opposite one."""

import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from demo.processes import children
from readiness import environment as env
from readiness.up import keys, roles
from readiness.up.broker import Broker
from readiness.up.errors import Stopped, UpError
from readiness.up.folder import CHECKOUT, Folder, data_dir
from readiness.up.postgres import Postgres
from readiness.up.processes import Child, Keeper

FIRST_PORT, LAST_PORT = 8000, 8019
ENTRYPOINT = str(CHECKOUT / "bin" / "entrypoint")


class Supervisor:
    def __init__(self, *, port: int | None, demo: bool) -> None:
        self.wanted_port = port
        self.demo = demo
        self.began = time.monotonic()
        self.folder = Folder(data_dir(demo))
        self.keeper = Keeper(log=self.folder.log, say=self.say)
        self.postgres: Postgres | None = None
        self.environment: dict[str, str] = {}  # what the processes get beside ours
        self.owner_url = self.admin_url = ""
        self.base_url = self.way_in = ""

    def run(self) -> None:
        self.folder.open()
        for request in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(request, self.keeper.ask_to_stop)
        self.keeper.inherited = self.folder.hold(self.wait_for_earlier_run)
        try:
            self.start()
            self.keeper.watch()
        except Stopped:
            self.say("Stopping ...")
        finally:
            self.keeper.stop_all()
            if self.postgres:
                self.postgres.clean_up()
            self.folder.let_go()
            self.say("Stopped. Nothing is left running.")

    def wait_for_earlier_run(self, seconds_waited: float) -> None:
        if not seconds_waited:
            self.say("An earlier run is still ending; waiting for it.")
        self.keeper.pause()

    def start(self) -> None:
        port = self.choose_port()
        self.base_url = os.environ.get("READINESS_BASE_URL") or f"http://localhost:{port}"
        self.environment = {
            "READINESS_DATA_DIR": str(self.folder.path),
            "READINESS_BASE_URL": self.base_url,
            **keys.of_the_application(self.folder.keys),
        }
        if self.demo:
            self.environment |= {
                "READINESS_EGRESS_ALLOW": "127.0.0.0/8",  # its application and its Prometheus are here
                "READINESS_EVALUATION_ROOTS": str(CHECKOUT / "demo" / "files"),
                "EMAIL_URL": f"filemail://{self.folder.path / 'mail'}",
            }
        self.start_database()
        self.start_broker()
        self.environment = {name: value for name, value in self.environment.items() if not is_set(name)}
        self.folder.publish(self.environment)
        self.prepare()
        self.start_processes(port)
        self.announce()

    def start_database(self) -> None:
        if is_set("DATABASE_URL"):
            self.owner_url = env.text("DATABASE_OWNER_URL")
            self.admin_url = env.text("DATABASE_ADMIN_URL")
            return
        self.postgres = Postgres(data=self.folder.path, secrets=self.folder.keys)
        is_new = self.postgres.start(self.keeper)
        self.owner_url = self.postgres.url(roles.OWNER)
        self.admin_url = self.postgres.url("postgres")
        self.environment["DATABASE_URL"] = self.postgres.url(roles.APP)
        self.say(f"PostgreSQL is up{', with a new database' if is_new else ''}.")

    def start_broker(self) -> None:
        if is_set("CELERY_BROKER_URL"):
            return
        broker = Broker(data=self.folder.path, secrets=self.folder.keys)
        broker.start(self.keeper)
        self.environment["CELERY_BROKER_URL"] = broker.url()
        self.say("The broker is up.")

    def prepare(self) -> None:
        """Bring the database to this version, as its owner, and learn the way in for the first administrator."""
        self.say("Bringing the database to this version ...")
        prepare = self.child("prepare", [sys.executable, "manage.py", "prepare"], database=self.owner_url)
        done = json.loads(self.keeper.run(prepare).splitlines()[-1])
        if done["guards"] and self.admin_url:
            self.keeper.run(self.child("guard", [sys.executable, "manage.py", "guard"], database=self.admin_url))
        self.say(f"The database is ready ({done['migrations']} migrations applied).")
        link = done["setup_link"]
        self.way_in = f"First administrator (this link works once):\n  {self.base_url}{link}" if link else ""

    def start_processes(self, port: int) -> None:
        web, worker, beat = (self.child(name, [ENTRYPOINT, name]) for name in ("web", "worker", "beat"))
        web.env = {**web.env, "READINESS_BIND": " ".join(listen_on(port))}
        worker.patience = 20  # its tasks may finish; what does not is queued again at the next start
        # When we are killed there is no warm shutdown: database and broker go at the same moment. A worker that finds
        # its broker gone hangs in its shutdown; killed, it loses nothing: what it did not finish is queued again.
        web.orphaned_with, worker.orphaned_with = signal.SIGQUIT, signal.SIGKILL
        self.say("Starting web, worker and beat ...")
        self.keeper.start(web)
        if not self.demo:
            self.keeper.start(worker)
        self.keeper.wait_until(lambda: self.answers(port), seconds=120, what="The web server")
        self.say("The web server answers.")
        if self.demo:
            self.fill_in_demo()
            self.keeper.start(worker)
        self.keeper.start(beat)  # the last: pages answer sooner when two programs load at once, not three

    def answers(self, port: int) -> bool:
        host = urlsplit(self.base_url).netloc
        question = urllib.request.Request(f"http://127.0.0.1:{port}/readyz", headers={"Host": host})
        try:
            with closing(urllib.request.urlopen(question, timeout=5)) as answer:  # noqa: S310  http, as written
                return bool(answer.status == 200)
        except urllib.error.HTTPError as refusal:
            refusal.close()
            if refusal.code == 503:
                return False
            raise UpError(
                f"{question.full_url} answers {refusal.code}; {self.folder.log}/web.log says why."
            ) from refusal
        except OSError:
            return False

    def fill_in_demo(self) -> None:
        """The demo project, and what it keeps running: its application and, where installed, a Prometheus.

        Its past two days are made before the worker starts, which would watch their canaries at today's time.
        """
        self.say("Filling in the demo project ...")
        printed = self.keeper.run(self.child("demo", [sys.executable, "manage.py", "demo"]))
        for part in children(self.folder.path, self.base_url):
            child = self.child(part.name, [])
            child.argv, child.env = part.argv, {**child.env, **part.env}
            self.keeper.start(child)
        self.way_in = printed.strip()

    def announce(self) -> None:
        self.say("Ready.")
        print(f"\n  Readiness runs at {self.base_url}", flush=True)
        for line in self.way_in.splitlines():
            print(f"  {line}", flush=True)
        print(f"  Data: {self.folder.path} (logs in {self.folder.log.name}/)\n  Stop: Ctrl-C\n", flush=True)

    def child(self, name: str, argv: list[str], database: str = "") -> Child:
        path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"  # our Python first
        variables = {**os.environ, **self.environment, "PATH": path, "PYTHONUNBUFFERED": "1"}
        if database:
            variables["DATABASE_URL"] = database
            variables.pop("DATABASE_URL_FILE", None)
        return Child(name=name, argv=argv, env=variables, cwd=CHECKOUT)

    def choose_port(self) -> int:
        if self.wanted_port is not None:
            if not is_free(self.wanted_port):
                raise UpError(f"Port {self.wanted_port} is in use. Choose another with --port.")
            return self.wanted_port
        for port in range(FIRST_PORT, LAST_PORT + 1):
            if is_free(port):
                return port
        raise UpError(f"Ports {FIRST_PORT} to {LAST_PORT} are all in use. Choose one with --port.")

    def say(self, event: str) -> None:
        print(f"[{time.monotonic() - self.began:6.1f} s] {event}", flush=True)


def is_set(name: str) -> bool:
    return bool(os.environ.get(name) or os.environ.get(f"{name}_FILE"))


def listen_on(port: int) -> list[str]:
    """Both addresses that “localhost” may mean, as far as this machine has them."""
    return [f"127.0.0.1:{port}", *([f"[::1]:{port}"] if _can_bind(socket.AF_INET6, "::1", 0) else [])]


def is_free(port: int) -> bool:
    if not _can_bind(socket.AF_INET, "127.0.0.1", port):
        return False
    return not _can_bind(socket.AF_INET6, "::1", 0) or _can_bind(socket.AF_INET6, "::1", port)


def _can_bind(family: socket.AddressFamily, address: str, port: int) -> bool:
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((address, port))
            return True
    except OSError:
        return False
