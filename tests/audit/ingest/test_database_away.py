"""The real web server in front of a database that goes away: nothing is acknowledged that is not stored."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from audit.models import Span
from tests.audit.sending import chat_trace, ingest_token, request_json

ROOT = Path(__file__).resolve().parents[3]


def _connect(host, port):
    """To the database: by TCP, or by its socket where the host is a folder."""
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    far = socket.socket(socket.AF_UNIX)
    far.connect(f"{host}/.s.PGSQL.{port}")
    return far


class Cable:
    """A TCP proxy that can be cut, and plugged in again."""

    def __init__(self, host, port):
        self.target, self.open, self.pairs = (host, port), True, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if not self.open:
                near.close()
                continue
            far = _connect(*self.target)
            self.pairs.append((near, far))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(a, b), daemon=True).start()

    @staticmethod
    def _pump(source, sink):
        try:
            with contextlib.suppress(OSError):
                while data := source.recv(65536):
                    sink.sendall(data)
        finally:
            _unplug(source, sink)
            source.close()  # the other direction closes the other end

    def cut(self):
        self.open = False
        for pair in self.pairs:
            _unplug(*pair)
        self.pairs = []

    def plug_in(self):
        self.open = True

    def close(self):
        self.cut()
        self.listener.close()


def _unplug(*ends):
    for end in ends:
        with contextlib.suppress(OSError):  # the other side was first
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def cable(transactional_db):
    connection.ensure_connection()
    server = connection.connection.info
    cable = Cable(server.host, server.port)
    yield cable
    cable.close()
    for _ in range(100):  # PostgreSQL notices in its own time, and drops no database before
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            if not cursor.fetchone()[0]:
                return
        time.sleep(0.1)


@pytest.fixture
def server(cable):
    database = connection.settings_dict
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"postgres://{database['USER']}:{database['PASSWORD']}@127.0.0.1:{cable.port}/{database['NAME']}"
    folder = str(settings.DATA_DIR)
    environment = {**os.environ, "DATABASE_URL": url, "READINESS_DEBUG": "1", "READINESS_DATA_DIR": folder}
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "readiness.wsgi:application", "-b", f"127.0.0.1:{port}", "--threads", "4",
         "--no-control-socket", "--log-level", "warning"],
        cwd=ROOT, env=environment,
    )  # fmt: skip
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait(20)


def post(port, token, body, *, chunked=False):
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    parts = (body[at : at + 700] for at in range(0, len(body), 700)) if chunked else body
    if chunked:
        headers["Transfer-Encoding"] = "chunked"
    link.request("POST", "/v1/traces", parts, headers, encode_chunked=chunked)
    response = link.getresponse()
    answer = response.status, response.headers.get("Retry-After"), response.read()
    link.close()
    return answer


def stored(trace):
    return Span.objects.filter(trace_id=trace[0]["traceId"]).count()


def test_a_lost_database_is_503_and_the_retry_is_stored_once(server, cable):
    token = ingest_token()
    before, during = chat_trace(), chat_trace()
    assert post(server, token, request_json(*before))[0] == 200

    cable.cut()
    status, retry_after, body = post(server, token, request_json(*during))
    assert (status, retry_after) == (503, "5"), body
    assert b"Nothing was stored" in body
    assert stored(during) == 0

    cable.plug_in()
    assert post(server, token, request_json(*during))[0] == 200
    assert (stored(before), stored(during)) == (3, 3)


def test_accepted_is_a_subset_of_stored_when_the_cable_is_cut_under_load(server, cable):
    token = ingest_token()
    sent = [chat_trace() for _ in range(60)]
    accepted = []

    def exporter(mine):
        for trace in mine:
            with contextlib.suppress(OSError, http.client.HTTPException):  # no answer is no acknowledgement
                if post(server, token, request_json(*trace))[0] == 200:
                    accepted.append(trace)

    threads = [threading.Thread(target=exporter, args=(sent[number::3],)) for number in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(4):
        time.sleep(0.4)
        cable.cut()
        time.sleep(0.1)
        cable.plug_in()
    for thread in threads:
        thread.join()
    assert accepted
    assert all(stored(trace) == 3 for trace in accepted)
    assert all(stored(trace) in (0, 3) for trace in sent)


def test_a_chunked_body_without_a_length_is_read_whole(server):
    token = ingest_token()
    trace = chat_trace(note="x" * 3000)
    assert post(server, token, request_json(*trace), chunked=True)[0] == 200
    assert stored(trace) == 3
