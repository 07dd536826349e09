"""The client that applications copy: against the real server, and against servers that misbehave."""

import ast
import importlib.util
import json
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from audit import trail as stored
from tests.audit.sending import ingest_token
from tests.audit.trailing import new_system, settle

SOURCE = Path(__file__).parents[2] / "clients" / "readiness_trail.py"
spec = importlib.util.spec_from_file_location("readiness_trail", SOURCE)
assert spec and spec.loader
readiness_trail: Any = importlib.util.module_from_spec(spec)
spec.loader.exec_module(readiness_trail)
Trail = readiness_trail.Trail


class Server(ThreadingHTTPServer):
    """Answers with the given statuses, one after another, the last one for ever."""

    def __init__(self, *statuses: int, retry_after: str = "0", most: int = 10**6) -> None:
        self.statuses, self.retry_after, self.most = list(statuses), retry_after, most
        self.taken: list[Any] = []
        self.asked = 0
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __exit__(self, *args: Any) -> None:
        self.shutdown()
        super().__exit__(*args)


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        spans = json.loads(zlib.decompress(self.rfile.read(int(self.headers["Content-Length"])), 31))
        self.server.asked += 1
        status = self.server.statuses.pop(0) if len(self.server.statuses) > 1 else self.server.statuses[0]
        if len(spans) > self.server.most:
            status = 413
        if status == 200:
            self.server.taken += spans
        body = json.dumps({"stored": len(spans), "refused": {}} if status == 200 else {"detail": "No."}).encode()
        self.send_response(status)
        self.send_header("Retry-After", self.server.retry_after)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@pytest.mark.django_db(transaction=True)
def test_a_request_told_by_the_client_is_found_by_its_id(live_server):
    system = new_system("client")
    settle()
    trail = Trail(live_server.url, token=ingest_token(system), release="2026.11.2", service="shop", every=0.05)
    with trail.request("POST /ask", request_id="req-client") as request:
        with request.step("retrieve", kind="retrieval") as step:
            step.set("readiness.source_ids", ["doc-1"])
        with request.step("answer", kind="model") as call:
            call.model("gpt-4.1-mini", tokens_in=1000, tokens_out=100, prompt_hash="sha256:" + "a" * 64)
        request.output({"answer": "Write to zoe@example.com."})
    assert trail.close(20)
    assert (trail.sent, trail.dropped) == (3, 0)
    settle()
    (found,) = stored.find("req-client", system=system)
    assert (found.release, found.tokens_in, found.cost_nanousd, found.source_ids) == (
        "2026.11.2", 1000, 560_000, ("doc-1",),
    )  # fmt: skip
    assert [span.kind for span in found.spans] == ["request", "retrieval", "model"]
    assert not found.failed and found.complete


def test_it_comes_back_until_it_is_taken():
    with Server(503, 429, 500, 200) as server:
        trail = Trail(server.url, token="t", every=0.01)
        with trail.request("one"):
            pass
        _until(lambda: server.taken)
        assert (server.asked, len(server.taken)) == (4, 1)
        assert trail.close(5) and trail.dropped == 0


def test_what_is_refused_for_good_is_dropped_and_counted():
    with Server(401) as server:
        trail = Trail(server.url, token="t", every=0.01)
        with trail.request("one"):
            pass
        _until(lambda: trail.dropped)
        assert trail.close(5)
        assert (server.asked, trail.dropped) == (1, 1)


def test_a_batch_that_is_too_large_is_sent_in_halves():
    with Server(200, most=2) as server:
        trail = Trail(server.url, token="t", every=5)
        for _ in range(5):
            with trail.request("one"):
                pass
        assert trail.close(5)
        assert (len(server.taken), trail.sent, trail.dropped) == (5, 5, 0)


def test_it_neither_blocks_nor_raises_while_nobody_listens():
    trail = Trail("http://127.0.0.1:1", token="t", every=0.01, capacity=10, batch=5)
    began = time.perf_counter()
    for _ in range(1000):
        with trail.request("one"):
            pass
    assert time.perf_counter() - began < 2
    assert trail.dropped >= 980, "what does not fit is counted"
    began = time.perf_counter()
    trail.close(1)
    assert time.perf_counter() - began < 3


def test_an_exception_marks_the_span_and_passes_on():
    with Server(200) as server:
        trail = Trail(server.url, token="t", every=0.01)
        with pytest.raises(ZeroDivisionError), trail.request("one") as request, request.step("two"):
            _ = 1 / 0
        assert trail.close(5)
        assert [(span["status"], span["attributes"]["error.type"]) for span in server.taken] == [
            ("error", "ZeroDivisionError")
        ] * 2


def test_an_unknown_kind_is_told_while_programming():
    with Server(200) as server:
        trail = Trail(server.url, token="t", every=0.01)
        with pytest.raises(ValueError, match="kind is one of"):
            trail.request("one").step("two", kind="llm")
        trail.close(5)


def test_it_needs_nothing_but_the_standard_library():
    tree = ast.parse(SOURCE.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names


def _until(said: Any) -> None:
    end = time.monotonic() + 10
    while not said():
        assert time.monotonic() < end
        time.sleep(0.01)
