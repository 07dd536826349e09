"""A support assistant that needs no network: articles, a "model" that follows rules, and real OpenTelemetry spans.

What it does in one request is what such applications do: look for articles, ask the model with a prompt, check the form
of the answer. Latency, errors and slips are drawn from the request's own id, so the same traffic gives the same trail.
Time is computed, then waited for (live) or not (history): spans carry the computed times either way.
"""

import hashlib
import json
import random
import time
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context

ARTICLES = {
    "KB-101": ("refund", "Refunds are possible within 30 days."),
    "KB-102": ("shipping", "Shipping takes two to four working days."),
    "KB-103": ("password", "Reset the password from the sign-in page."),
    "KB-104": ("invoice", "Invoices are under Account, Billing."),
    "KB-105": ("cancel", "Cancel at any time; it ends with the paid month."),
    "KB-106": ("warranty", "The warranty lasts two years."),
    "KB-107": ("exchange", "Exchanges are free once per order."),
    "KB-108": ("voucher", "Vouchers are valid for three years."),
}
FALLBACK = "I cannot answer right now. A colleague will write to you today."
MAX_ATTEMPTS = 2
_MS = 1_000_000


@dataclass(frozen=True)
class Variant:
    """What one release of the assistant is made of, and how it behaves."""

    release: str
    prompt: str
    prompt_name: str = "answer"
    prompt_version: str = "1"
    model: str = "support-small-2026-09"
    provider: str = "stub"
    latency_ms: int = 250  # the median
    error_rate: float = 0.004
    invalid_rate: float = 0.002

    @property
    def prompt_hash(self) -> str:
        return "sha256:" + hashlib.sha256(self.prompt.encode()).hexdigest()


@dataclass(frozen=True)
class Answer:
    status: int
    body: dict[str, Any]
    outcome: str  # ok, error, invalid
    seconds: float


class ModelError(Exception):
    """The provider did not answer. `kind` as OpenTelemetry's error.type names it."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"The model endpoint failed: {kind}")
        self.kind = kind


class Assistant:
    def __init__(self, variant: Variant, provider: TracerProvider) -> None:
        self.variant, self.provider = variant, provider
        self.tracer = provider.get_tracer("demo.assistant")

    def answer(self, question: str, *, request_id: str, tenant: str = "", at_ns: int | None = None) -> Answer:
        """One request. `at_ns`: when it took place, for history; None is now, and takes its time."""
        luck = random.Random(f"{self.variant.release} {request_id}")  # noqa: S311 -- repeatable, not secret
        start = at_ns if at_ns is not None else time.time_ns()
        entry = self.tracer.start_span("POST /ask", Context(), SpanKind.SERVER, start_time=start)
        inside = set_span_in_context(entry, Context())
        entry.set_attributes(
            {
                "readiness.request_id": request_id,
                "readiness.release": self.variant.release,
                "readiness.tenant": tenant,
                "readiness.component": "api",
                "readiness.input": json.dumps({"question": question}),
                "http.request.method": "POST",
                "url.path": "/ask",
            }
        )
        clock = start + luck.randint(1, 4) * _MS
        sources, clock = self._retrieve(question, inside, clock, luck)
        body, outcome, clock = self._ask_model(question, sources, entry, inside, clock, luck)
        clock = self._validate(body, inside, clock)
        entry.set_attribute("readiness.output", json.dumps(body))
        if outcome == "error":
            entry.set_status(Status(StatusCode.ERROR, "The model did not answer; the fallback did."))
        if at_ns is None:
            time.sleep(max(0.0, (clock - time.time_ns()) / 1e9))
        entry.end(end_time=clock)
        return Answer(502 if outcome == "error" else 200, body, outcome, (clock - start) / 1e9)

    def _retrieve(self, question: str, inside: Context, clock: int, luck: random.Random) -> tuple[list[str], int]:
        span = self.tracer.start_span("retrieve articles", inside, start_time=clock)
        words = question.lower()
        found = [key for key, (word, _) in ARTICLES.items() if word in words] or luck.sample(sorted(ARTICLES), 2)
        span.set_attributes(
            {
                "gen_ai.operation.name": "retrieval",
                "gen_ai.data_source.id": "help-centre",
                "readiness.component": "retrieval",
                "readiness.source_ids": found,
                "gen_ai.retrieval.query.text": question,
            }
        )
        clock += int(luck.lognormvariate(3.2, 0.35) * _MS)
        span.end(end_time=clock)
        return found, clock

    def _ask_model(
        self, question: str, sources: list[str], entry: Span, inside: Context, clock: int, luck: random.Random
    ) -> tuple[dict[str, Any], str, int]:
        """Asks once more after a failure; after that the fallback answers, and says so."""
        for attempt in range(MAX_ATTEMPTS):
            try:
                body, clock = self._call(question, sources, inside, clock, luck, attempt)
            except ModelError as error:
                clock += int(luck.lognormvariate(5.0, 0.3) * _MS)
                failed = error
            else:
                return body, "ok" if "answer" in body else "invalid", clock
        entry.set_attributes({"error.type": failed.kind, "readiness.fallback": "apology", "readiness.handoff": True})
        return {"answer": FALLBACK, "sources": []}, "error", clock

    def _call(
        self, question: str, sources: list[str], inside: Context, clock: int, luck: random.Random, attempt: int
    ) -> tuple[dict[str, Any], int]:
        variant = self.variant
        span = self.tracer.start_span(f"chat {variant.model}", inside, SpanKind.CLIENT, start_time=clock)
        messages = [{"role": "user", "parts": [{"type": "text", "content": question}]}]
        span.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": variant.provider,
                "gen_ai.request.model": variant.model,
                "gen_ai.request.temperature": 0.2,
                "gen_ai.prompt.name": variant.prompt_name,
                "gen_ai.prompt.version": variant.prompt_version,
                "readiness.prompt.hash": variant.prompt_hash,
                "readiness.component": "model",
                "readiness.retries": attempt,
                "gen_ai.input.messages": json.dumps(messages),
            }
        )
        # The rate is of requests that fail: both attempts must.
        if luck.random() < variant.error_rate ** (1 / MAX_ATTEMPTS):
            kind = luck.choice(["timeout", "rate_limit_exceeded", "503"])
            span.set_attributes({"error.type": kind, "readiness.timeout": kind == "timeout"})
            span.set_status(Status(StatusCode.ERROR, f"The model endpoint failed: {kind}"))
            span.end(end_time=clock + 40 * _MS)
            raise ModelError(kind)
        body: dict[str, Any] = {"answer": " ".join(ARTICLES[key][1] for key in sources), "sources": sources}
        if luck.random() < variant.invalid_rate:
            body = {"text": body["answer"]}  # the slip of a model that forgets the form
        text = json.dumps(body)
        reply = [{"role": "assistant", "parts": [{"type": "text", "content": text}], "finish_reason": "stop"}]
        span.set_attributes(
            {
                "gen_ai.response.model": variant.model,
                "gen_ai.response.id": "resp-" + hashlib.sha256(f"{clock}{text}".encode()).hexdigest()[:16],
                "gen_ai.response.finish_reasons": ["stop"],
                "gen_ai.usage.input_tokens": (len(variant.prompt) + len(question) + 400 * len(sources)) // 4,
                "gen_ai.usage.output_tokens": max(1, len(text) // 4),
                "gen_ai.output.messages": json.dumps(reply),
            }
        )
        clock += int(luck.lognormvariate(0, 0.35) * variant.latency_ms * _MS)
        span.end(end_time=clock)
        return body, clock

    def _validate(self, body: dict[str, Any], inside: Context, clock: int) -> int:
        span = self.tracer.start_span("validate answer", inside, start_time=clock)
        span.set_attributes(
            {
                "readiness.kind": "validation",
                "readiness.component": "validation",
                "readiness.schema.output.valid": set(body) == {"answer", "sources"},
            }
        )
        clock += _MS
        span.end(end_time=clock)
        return clock
