"""What real instrumentation libraries send (tests/audit/families), through the whole of ingest.

The truth is what the stub answered: each call counts once, with its tokens; what no span says is unknown.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from audit import derivation, payloads, spanlog
from audit.ingest import logs, otlp
from audit.ingest.receive import receive
from audit.models import Call, Request, Span
from tests.audit.families.capture import NAMES, SAMPLES, VERCEL
from tests.audit.trailing import new_system

pytestmark = pytest.mark.django_db

# Calls of which the library makes no span at all: nobody can count those.
UNTRACED = {"official-older": {"/v1/responses"}, "official-newer": {"/v1/responses"}}
# Libraries that report some calls twice, the client's own spans being the second.
TWICE = {"traceloop-anthropic", "openinference-both"}
CANARIES = ("zoe@example.com", "202 555 0142", "zoe%40example", "zoe\\u0040")


def load(family: str) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads((SAMPLES / f"{family}.json").read_text())
    return sample


def ingest(sample: dict[str, Any], system: str) -> None:
    """As it was sent: protobuf, but for the AI SDK's JSON. The log records come last, as their exporter runs last."""
    spans = []
    for message in sample["traces"]:
        if sample["family"] == VERCEL:
            spans.append(list(otlp.decode_json(json.dumps(message).encode())))
        else:
            body = ParseDict(message, ExportTraceServiceRequest()).SerializeToString()
            spans.append(list(otlp.decode_protobuf(body)))
    for message in sample["logs"]:
        body = ParseDict(message, ExportLogsServiceRequest()).SerializeToString()
        spans.append(list(logs.decode_protobuf(body)))
    last = max(span.end_ns for batch in spans for span in batch)
    now = datetime.fromtimestamp(last // 10**9, tz=UTC) + timedelta(seconds=1)
    for batch in spans:
        receipt = receive(batch, system=system, environment="production", now=now)
        assert not receipt.refused
    later = now + derivation.QUIET + timedelta(seconds=1)
    spanlog.sequence(now=later)
    derivation.derive(now=later)


def totals(system: str) -> dict[str, Any]:
    calls = list(Call.objects.filter(system=system))
    return {
        "calls": len(calls),
        "unknown": sum(call.tokens_in is None for call in calls),
        "in": sum(call.tokens_in or 0 for call in calls),
        "out": sum(call.tokens_out or 0 for call in calls),
    }


def truth_of(sample: dict[str, Any]) -> dict[str, Any]:
    answers = [a for a in sample["truth"] if a["path"] not in UNTRACED.get(sample["family"], ())]
    return {
        "calls": len(answers),
        "unknown": sum(a["status"] == 200 and a["tokens_in"] is None for a in answers),
        "in": sum(a["tokens_in"] or 0 for a in answers),
        "out": sum(a["tokens_out"] or 0 for a in answers),
    }


@pytest.mark.parametrize("family", NAMES)
def test_each_call_counts_once_gaps_are_unknown_and_nothing_personal_stays(family):
    sample, system = load(family), new_system(family)
    ingest(sample, system)
    assert totals(system) == truth_of(sample)
    assert sum(a["status"] == 400 for a in sample["truth"]) == failed_calls(system)

    requests = {row.request_id.rpartition("-")[2]: row for row in Request.objects.filter(system=system)}
    assert any("reported-twice" in row.flags for row in requests.values()) == (family in TWICE)
    answered = requests.get("chat") or requests["agent"]
    assert (answered.release, answered.complete) == ("2026.11.2", True)
    assert answered.cost_nanousd

    spans = list(Span.objects.filter(system=system))
    opened = [payload for span in spans if (payload := payloads.read(span))]
    said = json.dumps([_columns(span) for span in spans] + opened, ensure_ascii=False, default=str)
    assert not [canary for canary in CANARIES if canary in said]
    assert any("Where is Zo" in json.dumps(payload["input"]) for payload in opened)
    assert any("[email]" in json.dumps(payload["output"]) for payload in opened)
    # Prompts and answers are stored apart from the span, encrypted.
    assert "parcel" not in json.dumps([_columns(span) for span in spans], default=str)


def failed_calls(system: str) -> int:
    zero = Call.objects.filter(system=system, tokens_in=0, tokens_out=0)
    return zero.count()


def _columns(span: Span) -> dict[str, Any]:
    return {field.attname: getattr(span, field.attname) for field in Span._meta.concrete_fields}
