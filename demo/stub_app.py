"""The demo's application: the assistant behind HTTP, traced by OTLP, measured for Prometheus.

    python -m demo.stub_app --release 2026.11.2 --prompt-file prompt.txt --otlp http://localhost:8000 --token rdy_...

POST /ask {"question": "...", "tenant": "..."} answers; GET /metrics is for Prometheus. Nothing of the product is
imported: it is a customer of the same interfaces as everybody's application.
"""

import argparse
import json
import signal
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

from demo.assistant import Answer, Assistant, Variant

BUCKETS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)
MAX_QUESTION = 64 * 1024


class Metrics:
    """What Prometheus scrapes. Errors and schema failures are counters of their own: queries stay simple."""

    def __init__(self, release: str) -> None:
        self.release = release
        self.registry = CollectorRegistry()
        labels = ["release"]
        self.requests = Counter(
            "assistant_requests", "Requests by outcome.", [*labels, "outcome"], registry=self.registry
        )
        self.errors = Counter("assistant_errors", "Requests that failed.", labels, registry=self.registry)
        self.invalid = Counter(
            "assistant_schema_failures", "Answers that do not fit the schema.", labels, registry=self.registry
        )
        self.seconds = Histogram(
            "assistant_request_duration_seconds", "Latency.", labels, buckets=BUCKETS, registry=self.registry
        )
        # Series exist from the start: "no error yet" is a zero, not an absence.
        for outcome in ("ok", "error", "invalid"):
            self.requests.labels(release, outcome)
        self.errors.labels(release)
        self.invalid.labels(release)
        self.seconds.labels(release)

    def count(self, answer: Answer) -> None:
        self.requests.labels(self.release, answer.outcome).inc()
        self.seconds.labels(self.release).observe(answer.seconds)
        if answer.outcome == "error":
            self.errors.labels(self.release).inc()
        if answer.outcome == "invalid":
            self.invalid.labels(self.release).inc()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, assistant: Assistant, metrics: Metrics) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.assistant, self.metrics = assistant, metrics


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._send(200, generate_latest(self.server.metrics.registry), CONTENT_TYPE_LATEST)
        elif self.path == "/healthz":
            self._send(200, b"ok\n", "text/plain")
        else:
            self._send(404, b"not found\n", "text/plain")

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/ask" or length > MAX_QUESTION:
            self._send(404, b"not found\n", "text/plain")
            return
        try:
            asked = json.loads(self.rfile.read(length))
            question, tenant = str(asked["question"]), str(asked.get("tenant", ""))
        except (ValueError, KeyError, TypeError, AttributeError):
            self._send(400, b'{"error": "send {\\"question\\": \\"...\\"}"}\n', "application/json")
            return
        request_id = self.headers.get("X-Request-Id") or f"req-{uuid.uuid4().hex[:12]}"
        answer = self.server.assistant.answer(question, request_id=request_id, tenant=tenant)
        self.server.metrics.count(answer)
        self._send(answer.status, json.dumps(answer.body).encode(), "application/json", request_id)

    def _send(self, status: int, body: bytes, kind: str, request_id: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if request_id:
            self.send_header("X-Request-Id", request_id)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def tracing(*, otlp: str, token: str, service: str = "support-assistant") -> TracerProvider:
    """The ordinary set-up of the OpenTelemetry SDK; `otlp` is the product's address."""
    provider = TracerProvider(resource=Resource.create({"service.name": service, "service.version": "1.0"}))
    if otlp:
        exporter = OTLPSpanExporter(
            f"{otlp.rstrip('/')}/v1/traces",
            headers={"Authorization": f"Bearer {token}"},
            compression=Compression.Gzip,
        )
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    return provider


def variant_from(options: argparse.Namespace) -> Variant:
    return Variant(
        release=options.release,
        prompt=Path(options.prompt_file).read_text(encoding="utf-8") if options.prompt_file else "Answer briefly.\n",
        prompt_name=options.prompt_name,
        prompt_version=options.prompt_version,
        model=options.model,
        latency_ms=options.latency_ms,
        error_rate=options.error_rate,
        invalid_rate=options.invalid_rate,
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """What says which assistant it is; the traffic generator's history takes the same."""
    parser.add_argument("--otlp", default="", help="address that takes OTLP/HTTP; without it nothing is sent")
    parser.add_argument("--token", default="", help="ingest token")
    parser.add_argument("--release", required=True)
    parser.add_argument("--prompt-file", default="", help="the prompt's text; its SHA-256 goes with every call")
    parser.add_argument("--prompt-name", default="answer")
    parser.add_argument("--prompt-version", default="1")
    parser.add_argument("--model", default=Variant.model)
    parser.add_argument("--latency-ms", type=int, default=Variant.latency_ms, help="median of the model's latency")
    parser.add_argument("--error-rate", type=float, default=Variant.error_rate)
    parser.add_argument("--invalid-rate", type=float, default=Variant.invalid_rate)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.stub_app", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free one, printed")
    add_options(parser)
    options = parser.parse_args()
    provider = tracing(otlp=options.otlp, token=options.token)
    server = Server(options.port, Assistant(variant_from(options), provider), Metrics(options.release))
    # shutdown() waits for the loop that the signal interrupts: it runs beside it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.1)
    provider.shutdown()  # what is still buffered is sent


if __name__ == "__main__":
    main()
