"""What an exporter is told, in the form that it speaks."""

import gzip
import json
import zlib
from datetime import timedelta

import pytest
from django.utils import timezone
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from audit.ingest.wire import MAX_SPANS
from audit.models import Span
from tests.audit.sending import chat_trace, ingest_token, nano, request_json, span

pytestmark = pytest.mark.django_db
PROTOBUF, JSON = "application/x-protobuf", "application/json"


@pytest.fixture
def token():
    return ingest_token()


@pytest.fixture
def post(client, token):
    def send(body, *, kind=JSON, path="/v1/traces", secret=token, **headers):
        return client.post(path, body, content_type=kind, headers={"Authorization": f"Bearer {secret}", **headers})

    return send


def protobuf(count=1, *, start=None):
    start = start or timezone.now()
    request = ExportTraceServiceRequest()
    for number in range(count):
        request.resource_spans.add().scope_spans.add().spans.add(
            trace_id=(number + 1).to_bytes(16),
            span_id=(number + 1).to_bytes(8),
            name="x",
            start_time_unix_nano=nano(start),
            end_time_unix_nano=nano(start) + 5,
        )
    return request.SerializeToString()


def test_json_is_answered_in_json(post):
    trace = chat_trace()
    response = post(request_json(*trace))
    assert (response.status_code, response.json()) == (200, {})
    assert set(Span.objects.filter(trace_id=trace[0]["traceId"]).values_list("system", "environment")) == {
        ("support-bot", "production")
    }


def test_protobuf_is_answered_in_protobuf(post):
    response = post(protobuf(), kind=PROTOBUF, Accept="application/x-protobuf")
    assert (response.status_code, response["Content-Type"]) == (200, PROTOBUF)
    assert not ExportTraceServiceResponse.FromString(response.content).HasField("partial_success")
    assert Span.objects.filter(name="x").count() == 1


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_packed_bodies(post, encoding, pack):
    one = span()
    response = post(pack(request_json(one)), **{"Content-Encoding": encoding})
    assert response.status_code == 200
    assert Span.objects.filter(span_id=one["spanId"]).exists()


def test_late_future_and_bad_spans_are_named_and_the_others_are_stored(post):
    now = timezone.now()
    good = span()
    spans = [
        span(start=now - timedelta(days=3)),
        span(start=now - timedelta(days=4)),
        span(start=now + timedelta(hours=1)),
        span() | {"traceId": "nonsense"},
        good,
    ]
    partial = post(request_json(*spans)).json()["partialSuccess"]
    assert partial["rejectedSpans"] == 4
    assert "2 not stored: it started more than 48 hours ago" in partial["errorMessage"]
    assert "1 not stored: it starts more than 5 minutes in the future" in partial["errorMessage"]
    assert "1 not stored: the trace id is not 16 bytes" in partial["errorMessage"]
    assert Span.objects.filter(span_id=good["spanId"]).count() == 1
    old = ExportTraceServiceResponse.FromString(post(protobuf(start=now - timedelta(days=3)), kind=PROTOBUF).content)
    assert old.partial_success.rejected_spans == 1


def test_a_retry_is_acknowledged_and_stored_once(post):
    body = request_json(*chat_trace())
    assert [post(body).json(), post(body).json()] == [{}, {}]
    assert Span.objects.filter(name="POST /ask").count() == 1


@pytest.mark.parametrize(
    ("body", "kind", "headers", "status", "words"),
    [
        (b"not json", JSON, {}, 400, "JSON"),
        (b"\xff\xff\xff", PROTOBUF, {}, 400, "protobuf"),
        (b"{}", "text/plain", {}, 415, "text/plain"),
        (b"junk", JSON, {"Content-Encoding": "gzip"}, 400, "unpacked"),
        (b"junk", JSON, {"Content-Encoding": "br"}, 400, "br"),
        (gzip.compress(bytes(50_000_000)), JSON, {"Content-Encoding": "gzip"}, 413, "times its size"),
        (b'{"resourceSpans": [' + b"[" * 100_000, JSON, {}, 400, "JSON"),
    ],
)
def test_what_cannot_be_read_is_told_as_such(post, body, kind, headers, status, words):
    response = post(body, kind=kind, **headers)
    assert response.status_code == status
    if kind == PROTOBUF:
        told = Status.FromString(response.content)
        assert (told.code, words in told.message) == (3, True)
    else:
        assert words in response.json()["detail"]
        assert response.json()["message"] == response.json()["detail"]


def test_too_many_spans_are_too_much(post):
    response = post(protobuf(MAX_SPANS + 1), kind=PROTOBUF)
    assert response.status_code == 413
    assert str(MAX_SPANS) in Status.FromString(response.content).message
    assert not Span.objects.filter(name="x").exists()


def test_tokens(client, post):
    assert post(b"{}", secret="rdy_" + "a" * 59).status_code == 401
    assert post(b"{}", secret="").status_code == 401
    assert client.post("/v1/traces", b"{}", content_type=JSON).status_code == 401
    reader = ingest_token(scopes=("trail:read",))
    refused = post(protobuf(), secret=reader, kind=PROTOBUF)
    assert refused.status_code == 403
    assert "ingest" in Status.FromString(refused.content).message


def test_a_person_who_is_signed_in_is_not_an_application(client):
    from tests.audit.sending import person

    client.force_login(person("eve", role="auditor"), backend="accounts.backends.SignInBackend")
    assert client.post("/v1/traces", b"{}", content_type=JSON).status_code in (401, 403)


def test_our_own_plain_form(post):
    one = {
        "trace_id": "4b" * 16,
        "span_id": "0f" * 8,
        "name": "POST /ask",
        "start": timezone.now().isoformat(),
        "duration_ms": 412,
        "status": "error",
        "attributes": {"readiness.request_id": "req-1", "error.type": "timeout"},
    }
    late = {**one, "span_id": "0e" * 8, "start": "2026-01-01T00:00:00Z"}
    response = post(json.dumps([one, late]), path="/api/audit/requests")
    assert response.json() == {"stored": 1, "repeated": 0, "refused": {"it started more than 48 hours ago": 1}}
    again = post(f"{json.dumps(one)}\n\n{json.dumps(one)}\n", path="/api/audit/requests", kind="application/x-ndjson")
    assert again.json() == {"stored": 0, "repeated": 2, "refused": {}}
    row = Span.objects.get(span_id="0f" * 8)
    assert (row.request_id, row.duration_us, row.failed, row.timed_out) == ("req-1", 412_000, True, True)
    unknown = post(json.dumps([{**one, "colour": "red"}]), path="/api/audit/requests")
    assert unknown.status_code == 400
    assert "colour" in unknown.json()["detail"]


def test_the_hot_path_asks_the_database_a_fixed_number_of_times(post, django_assert_max_num_queries):
    post(request_json(*chat_trace()))  # makes the day's partitions and key
    with django_assert_max_num_queries(9):
        post(request_json(*chat_trace()))
    with django_assert_max_num_queries(9):
        post(request_json(*[item for _ in range(50) for item in chat_trace()]))
