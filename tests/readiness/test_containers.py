"""The image and docker-compose.yml: read closely, and their processes run against the servers of a distribution.

No Docker engine is needed: what the containers would run is started here with the environment that the file gives them,
against PostgreSQL and Redis as Debian packages them.
"""

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from dockerfile_parse import DockerfileParser

from readiness.up.broker import free_port
from tests.readiness.running import CHECKOUT, CLEAN, until

OURS = ("migrate", "web", "worker", "beat")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())


@pytest.fixture(scope="module")
def secrets() -> dict[str, str]:
    printed = subprocess.run([CHECKOUT / "bin" / "secrets"], capture_output=True, text=True, check=True).stdout
    return dict(line.split("=", 1) for line in printed.splitlines())


def interpolate(text: str, secrets: dict[str, str]) -> str:
    """What compose makes of `${NAME:-default}` and `${NAME:?message}`."""

    def value(found: re.Match[str]) -> str:
        name, kind, rest = found.groups()
        if name in secrets:
            return secrets[name]
        assert kind == ":-", f"{name} is asked for, and bin/secrets does not print it"
        return rest

    return re.sub(r"\$\{(\w+)(:-|:\?)([^}]*)\}", value, text)


def test_the_services_are_those_that_we_promise(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"postgres", "valkey", *OURS, "prometheus"}
    assert compose["services"]["prometheus"]["profiles"] == ["prometheus"]
    for name in OURS:
        service = compose["services"][name]
        assert service["command"] == [name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["image"] == "readiness"
    for service in compose["services"].values():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), "a port is open to the network by default"


def test_only_the_migration_sees_the_owner(compose: dict[str, Any]) -> None:
    for name in OURS:
        variables = compose["services"][name]["environment"]
        assert ("DATABASE_OWNER_URL" in variables) == (name == "migrate")
        assert ("DATABASE_ADMIN_URL" in variables) == (name == "migrate")
        assert variables["DATABASE_URL"].startswith("postgres://readiness_app:")


def test_no_secret_is_written_down(compose: dict[str, Any], secrets: dict[str, str]) -> None:
    text = (CHECKOUT / "docker-compose.yml").read_text()
    interpolate(text, secrets)  # every variable is printed by bin/secrets, or has a default
    for line in text.splitlines():
        if re.match(r"\s+\w*(PASSWORD|SECRET|KEY|TOKEN)\w*:", line):
            assert "${" in line, line
    ignored = (CHECKOUT / ".dockerignore").read_text().split()
    assert {".env", ".data", ".git"} <= set(ignored)
    assert ".env" in (CHECKOUT / ".gitignore").read_text()


def test_the_image_runs_as_an_ordinary_user() -> None:
    with tempfile.TemporaryDirectory() as folder:  # the parser would write beside the file it reads
        parser = DockerfileParser(path=folder)
        parser.content = (CHECKOUT / "Dockerfile").read_text()
        steps = parser.structure
    last = max(number for number, step in enumerate(steps) if step["instruction"] == "FROM")
    final = {step["instruction"]: step["value"] for step in steps[last:]}
    assert final["USER"].split(":")[0] not in ("0", "root")
    assert json.loads(final["ENTRYPOINT"]) == ["/app/bin/entrypoint"]
    assert json.loads(final["CMD"]) == ["web"]
    assert "ADD" not in {step["instruction"] for step in steps}
    wanted = (CHECKOUT / ".python-version").read_text().strip()
    assert all(step["value"].startswith(f"python:{wanted}-slim") for step in steps if step["instruction"] == "FROM")
    installs = next(step["value"] for step in steps if "pip install" in step["value"])
    assert installs.count("--require-hashes") == 2


# --- The same processes, the same environment ---


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="compose-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def postgres(folder: Path, secrets: dict[str, str]) -> Iterator[int]:
    """A cluster of the distribution's PostgreSQL, on a loopback port."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL of the distribution is not installed (bin/test does that)")
    programs, data, port = found[-1].parent, folder / "cluster", free_port()
    account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    data.mkdir(mode=0o700)
    password = folder / "password"
    password.write_text(secrets["ADMIN_PASSWORD"])
    for path in (data, password):
        os.chown(path, account.pw_uid, account.pw_gid)
    who: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid} if os.geteuid() == 0 else {}
    subprocess.run(
        [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            f"--pwfile={password}",
            "-E",
            "UTF8",
        ],
        check=True,
        capture_output=True,
        cwd=folder,
        **who,
    )
    options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    server = subprocess.Popen(
        [programs / "postgres", "-D", data, *(f"--{name}={value}" for name, value in options.items())],
        stderr=subprocess.DEVNULL,
        cwd=folder,
        **who,
    )
    url = f"postgres://postgres:{secrets['ADMIN_PASSWORD']}@127.0.0.1:{port}/postgres"
    until(lambda: _connects(url), 20, "PostgreSQL did not start")
    yield port
    server.send_signal(signal.SIGINT)
    server.wait(20)


def _connects(url: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url):
        return True
    return False


@pytest.fixture
def redis(folder: Path, secrets: dict[str, str]) -> Iterator[int]:
    program = shutil.which("redis-server")
    if not program:
        pytest.skip("redis-server is not installed (bin/test does that)")
    port = free_port()
    server = subprocess.Popen([program, "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=folder, text=True)
    assert server.stdin
    with server.stdin as config:
        config.write(f"bind 127.0.0.1\nport {port}\nrequirepass {secrets['BROKER_PASSWORD']}\nsave ''\n")
    yield port
    server.terminate()
    server.wait(10)


@pytest.mark.timeout(600)
def test_the_same_processes_on_a_distributions_servers(
    folder: Path, compose: dict[str, Any], secrets: dict[str, str], postgres: int, redis: int
) -> None:
    port = free_port()
    (folder / "data").mkdir()

    def environment(name: str) -> dict[str, str]:
        given = {key: interpolate(value, secrets) for key, value in compose["services"][name]["environment"].items()}
        there = {"@postgres:5432": f"@127.0.0.1:{postgres}", "@valkey:6379": f"@127.0.0.1:{redis}"}
        for key, value in given.items():
            for ours, theirs in there.items():
                value = value.replace(ours, theirs)
            given[key] = value
        of_the_image = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "READINESS_MANIFEST_STATIC": "1",
            "READINESS_STATIC_ROOT": str(folder / "static"),
            "READINESS_DATA_DIR": str(folder / "data"),
            "READINESS_BIND": f"127.0.0.1:{port}",
        }
        return {**CLEAN, **given, **of_the_image}

    def run(name: str, *command: str) -> str:
        done = subprocess.run(
            [CHECKOUT / "bin" / "entrypoint", *command], env=environment(name), capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "static files copied" in run("web", "python", "manage.py", "collectstatic", "--noinput")
    printed = run("migrate", "migrate")
    assert "Roles are set" in printed
    assert "The ledger is guarded." in printed
    assert "Roles are set" in run("migrate", "migrate"), "it cannot be run twice"

    def ask(path: str, **headers: str) -> str:
        question = urllib.request.Request(f"http://localhost:{port}{path}", headers=headers)
        with urllib.request.urlopen(question, timeout=10) as answer:
            return str(answer.read().decode())

    def is_ready() -> bool:
        with contextlib.suppress(OSError):
            return bool(json.loads(ask("/readyz"))["status"] == "ready")
        return False

    logs = {name: (folder / f"{name}.log").open("w+") for name in OURS[1:]}
    processes = {
        name: subprocess.Popen([CHECKOUT / "bin" / "entrypoint", name], env=environment(name), stdout=log, stderr=log)
        for name, log in logs.items()
    }
    try:
        deadline = time.monotonic() + 90
        while not is_ready():
            said = {name: (folder / f"{name}.log").read_text()[-1500:] for name in logs}
            assert all(process.poll() is None for process in processes.values()), said
            assert time.monotonic() < deadline, said
            time.sleep(0.3)
        page = ask("/")
        stylesheet = re.search(r'href="(/static/[^"]+\.[0-9a-f]{12}\.css)"', page)
        assert stylesheet, "the page does not use the collected files"
        assert "{" in ask(stylesheet[1])
        scraped = ask("/metrics", Authorization=f"Bearer {secrets['READINESS_METRICS_TOKEN']}")
        assert 'readiness_check_ok{check="tick"} 1.0' in scraped
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            ask("/metrics")
        refused.value.close()
    finally:
        for process in processes.values():
            process.terminate()
        codes = {name: process.wait(40) for name, process in processes.items()}
        for log in logs.values():
            log.close()
    assert codes == {"web": 0, "worker": 0, "beat": 0}
