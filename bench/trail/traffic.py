"""What the bench sends and stores: requests of five spans of one made-up system, the same for the same seed.

`spans` gives them as wire spans, which the product's own code turns into rows; `otlp` packs them as an exporter would.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SYSTEM, ENVIRONMENT = "bench-bot", "production"
RELEASES = ("2026.10.1", "2026.10.3", "2026.11.1", "2026.11.2")
MODELS = ("gpt-4.1-mini", "gpt-4.1", "claude-sonnet-4-5")
PROMPT_HASHES = tuple(f"sha256:{number:064x}" for number in (0xA1, 0xA2, 0xA3, 0xA4))
TENANTS = tuple(f"tenant-{number:02}" for number in range(20))
SPANS = 5  # of each request
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUESTION = "How do I return the shoes that I bought last week, and who pays for the parcel? My order was {}."
_ANSWER = "You can return them within 30 days of delivery; we pay for the parcel where the goods were faulty [doc-{}]."


def nano(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1) * 1000


class Traffic:
    """One stream of requests. `release` is the one that serves; the rest is drawn."""

    def __init__(self, seed: str) -> None:
        self.luck = random.Random(seed)

    def identifier(self, size: int) -> bytes:
        return self.luck.randbytes(size)

    def request(self, at: datetime, release: int) -> list[dict[str, Any]]:
        """Five spans as plain facts: what is the same whatever they are packed in."""
        luck = self.luck
        trace, ids = self.identifier(16), [self.identifier(8) for _ in range(SPANS)]
        model_ms = min(luck.lognormvariate(6.2, 0.5), 20_000)
        failed, invalid, retried = luck.random() < 0.012, luck.random() < 0.008, luck.random() < 0.02
        model = luck.choices(MODELS, (8, 1, 1))[0]
        whole = model_ms + 60
        tokens = luck.randint(300, 1800), luck.randint(20, 300)

        def span(index: int, name: str, offset: float, ms: float, kind: int, **attributes: Any) -> dict[str, Any]:
            start = nano(at) + int(offset * 1e6)
            return {
                "trace_id": trace,
                "span_id": ids[index],
                "parent_id": ids[0] if index else b"",
                "name": name,
                "kind": kind,
                "start_ns": start,
                "end_ns": start + int(ms * 1000) * 1000,
                "status": 2 if failed and index in (0, 3) else 0,
                "attributes": {key.replace("__", "."): value for key, value in attributes.items()},
            }

        failure = {"error__type": luck.choice(("timeout", "rate_limit_exceeded", "APIError"))} if failed else {}
        return [
            span(0, "POST /ask", 0, whole, 2, readiness__request_id=f"req-{trace[:8].hex()}",
                 readiness__tenant=luck.choice(TENANTS), readiness__schema__output__valid=not invalid,
                 http__request__method="POST", url__path="/ask", http__response__status_code=502 if failed else 200,
                 **failure),
            span(1, "retrieve articles", 4, 30, 1, gen_ai__operation__name="retrieval",
                 readiness__component="retrieval",
                 readiness__source_ids=[f"doc-{luck.randint(1, 400)}", f"doc-{luck.randint(1, 400)}"]),
            span(2, "rerank", 36, 8, 1, readiness__component="rerank", rerank__candidates=20, rerank__kept=2),
            span(3, f"chat {model}", 46, model_ms, 3, gen_ai__operation__name="chat", gen_ai__provider__name="openai",
                 gen_ai__request__model=model, gen_ai__response__model=model, gen_ai__request__max_tokens=400,
                 gen_ai__request__temperature=0.2, gen_ai__usage__input_tokens=tokens[0],
                 gen_ai__usage__output_tokens=0 if failed else tokens[1], gen_ai__prompt__name="answer",
                 gen_ai__prompt__version=str(release + 1), readiness__prompt__hash=PROMPT_HASHES[release],
                 gen_ai__response__id=f"chatcmpl-{ids[3].hex()}", readiness__component="answer",
                 gen_ai__input__messages=_QUESTION.format(luck.randint(1, 10**6)),
                 gen_ai__output__messages=_ANSWER.format(luck.randint(1, 400)),
                 **({"readiness__retries": 1} if retried else {}), **failure),
            span(4, "validate answer", 50 + model_ms, 3, 1, readiness__component="validation",
                 readiness__schema__output__valid=not invalid),
        ]  # fmt: skip


def resource(release: int) -> dict[str, Any]:
    return {"service.name": "bench-bot", "service.version": "1.4.2", "readiness.release": RELEASES[release]}


def otlp(requests: Sequence[Sequence[dict[str, Any]]], release: int) -> bytes:
    """One export request, as the SDK's exporter writes it."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    _attributes(group.resource.attributes, resource(release))
    part = group.scope_spans.add()
    part.scope.name = "bench"
    for span in (span for request in requests for span in request):
        made = part.spans.add(
            trace_id=span["trace_id"],
            span_id=span["span_id"],
            parent_span_id=span["parent_id"],
            name=span["name"],
            kind=span["kind"],
            start_time_unix_nano=span["start_ns"],
            end_time_unix_nano=span["end_ns"],
        )
        made.status.code = span["status"]
        _attributes(made.attributes, span["attributes"])
    return message.SerializeToString()


def _attributes(into: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        held = into.add(key=key).value
        if isinstance(value, bool):
            held.bool_value = value
        elif isinstance(value, int):
            held.int_value = value
        elif isinstance(value, float):
            held.double_value = value
        elif isinstance(value, list):
            for item in value:
                held.array_value.values.add(string_value=item)
        else:
            held.string_value = value


def times(count: int, *, until: datetime, days: int) -> Iterator[datetime]:
    """Evenly over the days before `until`, oldest first."""
    step = timedelta(days=days) / count
    begin = until - timedelta(days=days)
    return (begin + number * step for number in range(count))
