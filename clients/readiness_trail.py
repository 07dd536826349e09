"""Reports an application's requests to Readiness. One file, the standard library only: copy it beside your code.

    trail = Trail("https://readiness.example.org", token=os.environ["READINESS_TOKEN"], release="2026.11.2")

    with trail.request("POST /ask", request_id="req-1") as request:
        with request.step("retrieve", kind="retrieval") as step:
            step.set("readiness.source_ids", ["doc-1", "doc-7"])
        with request.step("answer", kind="model") as call:
            call.model("gpt-4.1-mini", tokens_in=812, tokens_out=96, prompt_hash="sha256:...")
        request.output({"answer": "In two days."})

It never blocks and never raises into your request: spans go into a bounded queue, and a thread of its own sends them in
batches, again and again while the server is away or asks to come back later. What does not fit the queue, or what the
server refuses, is counted in `trail.dropped` and logged. Who has OpenTelemetry already needs none of this.
"""

import atexit
import gzip
import json
import logging
import os
import queue
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

log = logging.getLogger("readiness.trail")

KINDS = ("request", "model", "embedding", "retrieval", "tool", "agent", "chain", "validation", "other")
# Answers that a later try may change; any other 4xx would be the same again.
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_WAIT = 60.0


class Trail:
    """One per process. `release`, `tenant` and other attributes given here stand on every request."""

    def __init__(
        self,
        address: str,
        *,
        token: str,
        release: str = "",
        service: str = "",
        batch: int = 500,
        every: float = 2.0,
        capacity: int = 20_000,
        give_up_after: float = 600.0,
        timeout: float = 10.0,
        **attributes: Any,
    ) -> None:
        self.dropped = 0
        self.sent = 0
        self._url = address.rstrip("/") + "/api/audit/requests"
        self._token = token
        self._common = {**attributes, **({"readiness.release": release} if release else {})}
        self._resource = {"service.name": service} if service else {}
        self._batch, self._every, self._timeout, self._give_up_after = batch, every, timeout, give_up_after
        self._waiting: queue.Queue[dict[str, Any]] = queue.Queue(capacity)
        self._closing = threading.Event()
        self._wake = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="readiness-trail", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def request(self, name: str, *, request_id: str = "", **attributes: Any) -> "Span":
        span = Span(self._put, name, kind="request", trace_id=os.urandom(16).hex(), resource=self._resource)
        span.attributes.update(self._common)
        if request_id:
            span.set("readiness.request_id", request_id)
        span.attributes.update(attributes)
        return span

    def close(self, timeout: float = 5.0) -> bool:
        """Sends what waits, for at most `timeout` seconds. True: everything was sent."""
        self._closing.set()
        self._wake.set()
        self._thread.join(timeout)
        return self._waiting.empty() and not self._thread.is_alive()

    def _put(self, span: dict[str, Any]) -> None:
        try:
            self._waiting.put_nowait(span)
        except queue.Full:
            self._drop(1, "the queue is full")
        if self._waiting.qsize() >= self._batch:
            self._wake.set()

    def _drop(self, count: int, why: str) -> None:
        with self._lock:
            self.dropped += count
        log.warning("%d spans were dropped: %s", count, why)

    def _run(self) -> None:
        while True:
            self._wake.wait(self._every)
            self._wake.clear()
            while spans := self._take():
                try:
                    self._send(spans)
                except Exception as error:  # this thread is the only one that sends: it has to live on
                    self._drop(len(spans), f"they cannot be sent: {error!r}")
            if self._closing.is_set():
                return

    def _take(self) -> list[dict[str, Any]]:
        spans: list[dict[str, Any]] = []
        while len(spans) < self._batch:
            try:
                spans.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return spans

    def _send(self, spans: list[dict[str, Any]]) -> None:
        """Until it is taken or refused for good. The server keeps a span that comes twice once."""
        body = gzip.compress(json.dumps(spans, default=str).encode(), 5)
        until, tries = time.monotonic() + self._give_up_after, 0
        while True:
            status, retry_after, answer = self._post(body)
            if 200 <= status < 300:
                refused = sum(answer.get("refused", {}).values())
                self.sent += len(spans) - refused
                if refused:
                    self._drop(refused, "; ".join(answer["refused"]))
                return
            if status == 413 and len(spans) > 1:
                half = len(spans) // 2
                self._send(spans[:half])
                self._send(spans[half:])
                return
            tries += 1
            backoff = min(_LONGEST_WAIT, 0.5 * 2 ** min(tries, 8)) * random.uniform(0.5, 1.0)  # noqa: S311
            wait = backoff if retry_after is None else min(_LONGEST_WAIT, retry_after)
            if status and status not in _LATER:
                return self._drop(len(spans), f"the server answered {status}: {answer.get('detail', '')}")
            if time.monotonic() + wait > until or self._closing.wait(wait):
                # Closing: one last try has been made, and the process wants to end.
                return self._drop(len(spans), f"the server did not take them ({status or 'no answer'})")

    def _post(self, body: bytes) -> tuple[int, float | None, dict[str, Any]]:
        """Status (0: no answer), seconds to wait where the server named them, and what it said."""
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        }
        request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:  # noqa: S310
                return response.status, None, _read(response.read())
        except urllib.error.HTTPError as error:
            with error:
                seconds = error.headers.get("Retry-After", "")
                return error.code, float(seconds) if seconds.isdigit() else None, _read(error.read())
        except OSError as error:
            log.info("Readiness does not answer: %s", error)
            return 0, None, {}


def _read(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


class Span:
    """A request, or a step of one. It ends with its `with` block; an exception marks it failed and passes on."""

    def __init__(
        self,
        put: Callable[[dict[str, Any]], None],
        name: str,
        *,
        kind: str,
        trace_id: str,
        parent_id: str = "",
        resource: dict[str, Any],
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}")
        self._put, self._resource = put, resource
        self.name, self.trace_id, self.parent_id, self.span_id = name, trace_id, parent_id, os.urandom(8).hex()
        self.attributes: dict[str, Any] = {"readiness.kind": kind}
        self.failed = ""
        self._at, self._clock = datetime.now(UTC), time.perf_counter()

    def step(self, name: str, *, kind: str = "other", **attributes: Any) -> "Span":
        span = Span(self._put, name, kind=kind, trace_id=self.trace_id, parent_id=self.span_id, resource=self._resource)
        span.attributes.update(attributes)
        return span

    def set(self, name: str, value: Any) -> None:
        self.attributes[name] = value

    def model(
        self,
        name: str,
        *,
        tokens_in: int | None = None,
        tokens_out: int | None = None,
        provider: str = "",
        prompt_name: str = "",
        prompt_version: str = "",
        prompt_hash: str = "",
    ) -> None:
        """Counts that are not known are left out: unknown is not zero."""
        known = {
            "gen_ai.request.model": name,
            "gen_ai.usage.input_tokens": tokens_in,
            "gen_ai.usage.output_tokens": tokens_out,
            "gen_ai.provider.name": provider,
            "gen_ai.prompt.name": prompt_name,
            "gen_ai.prompt.version": prompt_version,
            "readiness.prompt.hash": prompt_hash,
        }
        self.attributes.update({key: value for key, value in known.items() if value not in (None, "")})

    def input(self, value: Any) -> None:
        self.attributes["readiness.input"] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def output(self, value: Any) -> None:
        self.attributes["readiness.output"] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    def fail(self, error_type: str) -> None:
        self.failed = error_type

    def __enter__(self) -> "Span":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None and not self.failed:
            self.failed = type(error).__name__
        if self.failed:
            self.attributes["error.type"] = self.failed
        self._put(
            {
                "trace_id": self.trace_id,
                "span_id": self.span_id,
                "parent_id": self.parent_id,
                "name": self.name,
                "start": self._at.isoformat(),
                "duration_ms": round((time.perf_counter() - self._clock) * 1000, 3),
                "status": "error" if self.failed else "ok",
                "attributes": self.attributes,
                "resource": self._resource,
            }
        )
