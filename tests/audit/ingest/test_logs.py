"""GenAI log records become points below their span; other logs are turned away by name."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from google.protobuf.json_format import Parse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from audit import payloads, trail
from audit.actors import SYSTEM
from audit.ingest import logs
from audit.models import ComponentRollup, Request, Span
from audit.profiles import IngestProfile, set_profile
from tests.audit.sending import chat_trace, ingest_token, nano, pairs
from tests.audit.trailing import new_system, send, settle

JSON, PROTOBUF = "application/json", "application/x-protobuf"
ANSWER = '{"answer": "Write to zoe@example.com."}'


def record(name="gen_ai.choice", *, body=None, trace="01" * 16, span="02" * 8, at=None, **attributes):
    if body is None:
        body = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}
    return {
        "timeUnixNano": "0",
        "observedTimeUnixNano": str(nano(at or timezone.now())),
        "eventName": name,
        "body": pairs({"": body})[0]["value"] if body else {},
        "attributes": pairs({"gen_ai.system": "openai", **attributes}),
        "traceId": trace,
        "spanId": span,
    }


def request_json(*records):
    scopes = [{"scope": {"name": "openai_v2"}, "logRecords": list(records)}]
    return json.dumps({"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": scopes}]}).encode()


def protobuf(*records):
    """proto3 JSON has ids in base64; hex of this length reads as other bytes, the same in both fields."""
    return Parse(request_json(*records), ExportLogsServiceRequest()).SerializeToString()


def test_both_forms_say_the_same():
    one = record(**{"gen_ai.output.messages": [{"role": "assistant", "parts": []}]})
    from_json, from_protobuf = next(logs.decode_json(request_json(one))), next(logs.decode_protobuf(protobuf(one)))
    assert from_json.attributes == from_protobuf.attributes
    assert from_json.attributes["gen_ai.choice"]["message"]["content"] == ANSWER
    assert (from_json.start_ns, from_json.end_ns) == (from_protobuf.start_ns, from_protobuf.end_ns)
    assert from_json.parent_id == b"\x02" * 8


def test_a_record_is_itself_again_when_sent_again_and_another_is_another():
    at = timezone.now()
    ids = [next(logs.decode_json(request_json(one))).span_id for one in (record(at=at), record(at=at))]
    assert ids[0] == ids[1]
    others = [record(at=at + timedelta(seconds=1)), record("gen_ai.user.message", at=at), record(at=at, index=1)]
    assert len({next(logs.decode_json(request_json(one))).span_id for one in others} | {ids[0]}) == 4


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (record("app.started"), logs.NOT_GENAI),
        (record("", body="Listening on 8000"), logs.NOT_GENAI),
        (record(trace=""), logs.NO_SPAN),
        (record(span="00" * 8), logs.NO_SPAN),
    ],
)
@pytest.mark.django_db
def test_other_logs_are_turned_away_by_name(client, one, reason):
    bearer = {"Authorization": f"Bearer {ingest_token()}"}
    response = client.post("/v1/logs", request_json(one, record()), content_type=JSON, headers=bearer)
    assert response.status_code == 200
    partial = response.json()["partialSuccess"]
    assert partial == {"rejectedLogRecords": 1, "errorMessage": f"1 not stored: {reason}"}


@pytest.mark.django_db
def test_protobuf_is_answered_in_protobuf(client):
    bearer = {"Authorization": f"Bearer {ingest_token()}"}
    response = client.post("/v1/logs", protobuf(record("app.started")), content_type=PROTOBUF, headers=bearer)
    answer = ExportLogsServiceResponse.FromString(response.content)
    assert answer.partial_success.rejected_log_records == 1
    cut = client.post("/v1/logs", protobuf(record())[:-3], content_type=PROTOBUF, headers=bearer)
    assert cut.status_code == 400


@pytest.mark.django_db
def test_an_answer_that_comes_as_a_log_record_is_checked_redacted_and_shown_in_its_place(client):
    system, now = new_system("events"), timezone.now()
    schema = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "integer"}}}
    set_profile(system=system, profile=IngestProfile(output_schema=schema), by=SYSTEM, now=now)
    trace = chat_trace(request_id="req-events")
    bearer = {"Authorization": f"Bearer {ingest_token(system)}"}
    one = record(trace=trace[0]["traceId"], span=trace[2]["spanId"])
    # The record comes before the spans, and twice: exporters run side by side, and retry.
    for _ in range(2):
        assert client.post("/v1/logs", request_json(one), content_type=JSON, headers=bearer).json() == {}
    send(*trace, system=system)
    settle(now)
    request = Request.objects.get(system=system)
    assert (request.name, request.complete, request.output_ok, request.calls) == ("POST /ask", True, False, 1)
    assert "output-schema" in request.flags
    (view,) = trail.find("req-events")
    shown = view.spans[-1]
    assert (shown.name, shown.kind, shown.depth, shown.counted) == ("gen_ai.choice", "event", 2, False)
    kept = payloads.read(Span.objects.get(system=system, kind="event"))
    assert "Write to [email]." in json.dumps(kept["output"])
    assert sum(ComponentRollup.objects.filter(system=system, width=15).values_list("spans", flat=True)) == 3
