"""The load: what runs in processes of its own, which know nothing of Django."""

import http.client
import time
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier

from bench.trail.traffic import SPANS, Traffic, otlp

PORT = 8765
BATCH = 1_000  # spans
RELEASE = 3  # of traffic.RELEASES: the one that serves
_ready: Barrier


def batch(traffic: Traffic, spans: int) -> bytes:
    now = datetime.now(UTC)
    return otlp([traffic.request(now, RELEASE) for _ in range(spans // SPANS)], RELEASE)


def meet(ready: Barrier) -> None:
    """At the start of each process that sends: where they wait for one another."""
    global _ready
    _ready = ready


def send(secret: str, seconds: int, seed: str) -> tuple[int, float]:
    """Posts until the time is over. Batches are made beforehand, by all before one begins: the load costs little."""
    traffic = Traffic(seed)
    batches = [batch(traffic, BATCH) for _ in range(max(8, seconds * 12))]
    _ready.wait()
    began, acknowledged = time.monotonic(), 0
    for body in batches:
        if time.monotonic() - began > seconds:
            break
        _post(secret, body)
        acknowledged += BATCH
    return acknowledged, time.monotonic() - began


def send_one(secret: str, spans: int) -> None:
    _post(secret, batch(Traffic(f"largest {time.time()}"), spans))


def _post(secret: str, body: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)  # a fresh one: see design/performance.md
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/x-protobuf"}
    connection.request("POST", "/v1/traces", body, headers)
    answer = connection.getresponse()
    told = answer.read()
    connection.close()
    # An empty message is full success: every span of it is committed.
    if answer.status != 200 or told:
        raise RuntimeError(f"{answer.status} {told[:300]!r}")  # SystemExit would end a process of the pool unheard
