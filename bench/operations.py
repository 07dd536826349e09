"""What applications and people wait for: `.venv/bin/python -m bench.operations`.

How fast the budget API answers while requests come in, and how long an alarm takes from the request whose cost crossed
the budget until a receiver on this machine has it. Everything as an installation runs it; fresh connections.
"""

import argparse
import json
import os
import tempfile
import threading
import time
import urllib.request
from collections.abc import Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from bench.trail.server import database, processes

PORT = 8766


class Receiver:
    """Takes webhooks, and notes when."""

    def __init__(self) -> None:
        self.arrived: dict[str, float] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.arrived.setdefault(f"{said['data']['system']} {said['type']}", time.time())
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def send(token: str, spans: list[dict[str, Any]]) -> None:
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    _ask("/v1/traces", token, body)


def call(cost: str) -> dict[str, Any]:
    """One model call of now that its application priced."""
    start = time.time_ns()
    facts = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "in-house", "readiness.cost_usd": cost}
    facts |= {"gen_ai.usage.input_tokens": "1000", "gen_ai.usage.output_tokens": "100"}
    return {
        "traceId": os.urandom(16).hex(),
        "spanId": os.urandom(8).hex(),
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + 10**6),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in facts.items()],
    }


def _ask(path: str, token: str, body: bytes | None = None) -> bytes:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bytes(answer.read())


def budget_api(slug: str, ingest: str, reader: str, *, times: int) -> None:
    """Asked again and again: while nothing else happens, then while the application spends."""
    done = threading.Event()

    def spend() -> None:
        while not done.wait(0.05):
            send(ingest, [call("0.0001") for _ in range(20)])

    _report("nothing else going on", slug, reader, times)
    threading.Thread(target=spend, daemon=True).start()
    _report("400 calls a second coming in", slug, reader, times)
    done.set()


def _report(what: str, slug: str, reader: str, times: int) -> None:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        _ask(f"/api/systems/{slug}/budget", reader)
        took.append((time.perf_counter() - began) * 1000)
    print(
        f"budget API, {times} times, {what}: p50 {quantile(took, 0.5):.1f} ms, p95 {quantile(took, 0.95):.1f} ms "
        f"(goal 10), p99 {quantile(took, 0.99):.1f} ms; load of the machine {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def alarm_delays(tokens: dict[str, str], receiver: Receiver) -> None:
    delays = []
    for slug, token in tokens.items():
        for cost, topic in (("46", "operations.budget-alert"), ("6", "operations.budget-exceeded")):
            began, key = time.time(), f"{slug} {topic}"
            send(token, [call(cost)])
            until = began + 300
            while key not in receiver.arrived and time.time() < until:
                time.sleep(0.05)
            if key not in receiver.arrived:
                raise SystemExit(f"{key} did not arrive in five minutes.")
            delays.append(receiver.arrived[key] - began)
    print(
        f"alarm, {len(delays)} times, from the request to the receiver: median {quantile(delays, 0.5):.1f} s, "
        f"longest {max(delays):.1f} s (typical 30, bound 300)",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.operations", description=__doc__)
    parser.add_argument("--times", type=int, default=2000, help="how often the budget is asked for")
    parser.add_argument("--systems", type=int, default=5, help="whose budgets are crossed")
    options = parser.parse_args()
    os.environ |= {"READINESS_EGRESS_ALLOW": "127.0.0.0/8", "READINESS_REQUIRE_MFA": "0"}
    with tempfile.TemporaryDirectory(prefix="bench-operations-") as folder:
        Path(folder).chmod(0o711)  # as root, PostgreSQL runs as somebody else
        with database(Path(folder) / "data"):
            measure(options.times, options.systems)


def measure(times: int, systems: int) -> None:
    from bench.trail import people
    from operations.actions.channels import create_channel
    from systems.actions import create_system

    admin, receiver = people.admin(), Receiver()
    now = datetime.now(UTC)
    create_channel(system=None, name="Bench", kind="webhook", target=receiver.url, by=admin, now=now)
    ingest = {}
    for number in range(systems + 1):
        slug = f"bench-{number}"
        create_system(slug=slug, name=slug, by=admin, now=now)
        ingest[slug] = people.token(slug, "ingest")
    asked = ingest.popitem()
    reader = people.token(asked[0], "status:read", environment="")
    with processes("web", "worker", "beat", port=PORT):
        time.sleep(10)  # the first ticks do what a fresh installation owes
        budget_api(asked[0], asked[1], reader, times=times)
        alarm_delays(ingest, receiver)


if __name__ == "__main__":
    main()
