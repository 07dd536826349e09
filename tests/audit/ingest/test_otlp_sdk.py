"""The real OpenTelemetry SDK and its exporter, over real HTTP."""

from datetime import timedelta

import pytest
from django.utils import timezone
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind

from audit import derivation, spanlog, trail
from audit.models import Span
from tests.audit.sending import ingest_token

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip, Compression.Deflate])
def test_a_request_is_found_by_its_id_with_everything_an_auditor_asks(live_server, compression):
    token = ingest_token()
    # What tests before this one committed is derived first, so that what is counted below is ours.
    spanlog.sequence(now=timezone.now())
    derivation.derive(now=timezone.now() + derivation.QUIET)
    exporter = OTLPSpanExporter(
        f"{live_server.url}/v1/traces", headers={"Authorization": f"Bearer {token}"}, compression=compression
    )
    provider = TracerProvider(resource=Resource.create({"service.name": "stub"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    quoted = f"req-{timezone.now().timestamp()}"
    with tracer.start_as_current_span("POST /ask", kind=SpanKind.SERVER) as entry:
        entry.set_attributes({"readiness.request_id": quoted, "readiness.release": "2026.11.2"})
        with tracer.start_as_current_span("retrieve") as retrieval:
            retrieval.set_attributes({"gen_ai.operation.name": "retrieval", "readiness.source_ids": ["doc-1", "doc-2"]})
        with tracer.start_as_current_span("chat gpt-4.1-mini", kind=SpanKind.CLIENT) as call:
            call.set_attributes(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": "gpt-4.1-mini",
                    "gen_ai.usage.input_tokens": 1000,
                    "gen_ai.usage.output_tokens": 100,
                    "gen_ai.prompt.name": "answer",
                    "gen_ai.prompt.version": "3",
                    "readiness.prompt.hash": "sha256:" + "a" * 64,
                    "gen_ai.input.messages": '[{"role": "user", "parts": [{"content": "I am zoe@example.com"}]}]',
                }
            )
    provider.shutdown()

    now = timezone.now() + derivation.QUIET + timedelta(seconds=1)
    spanlog.sequence(now=now)
    assert derivation.derive(now=now) == 1
    spanlog.sign_head(now=now)

    (request,) = trail.find(quoted)
    assert (request.system, request.environment, request.release) == ("support-bot", "production", "2026.11.2")
    assert (request.prompt_name, request.prompt_version, request.prompt_hash) == ("answer", "3", "sha256:" + "a" * 64)
    assert request.prompt_hash_source == "claimed"
    assert (request.tokens_in, request.tokens_out, request.cost_nanousd) == (1000, 100, 560_000)
    assert request.source_ids == ("doc-1", "doc-2")
    assert request.duration_ms > 0
    assert [view.name for view in request.spans] == ["POST /ask", "retrieve", "chat gpt-4.1-mini"]
    assert [view.depth for view in request.spans] == [0, 1, 1]
    proven, sentence = trail.check(request)
    assert proven, sentence
    # The prompt is nowhere in the clear.
    assert "zoe@example.com" not in str(Span.objects.values_list())
