from datetime import timedelta

import pytest
from django.utils import timezone
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from audit import spanlog
from audit.ingest import pressure
from audit.models import Span
from tests.audit.sending import chat_trace, ingest_token, request_json, span
from tests.audit.trailing import new_system, send
from web.problems import Unavailable


@pytest.fixture(autouse=True)
def _look_afresh():
    pressure.forget()
    yield
    pressure.forget()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/v1/traces", "/api/audit/requests"])
def test_too_many_waiting_spans_are_told_to_come_back(client, settings, path):
    system = new_system("behind")
    bearer = {"Authorization": f"Bearer {ingest_token(system)}"}
    send(*chat_trace(), system=system)
    settings.INGEST_MAX_WAITING = 3
    body = request_json(span()) if path == "/v1/traces" else b"[]"
    refused = client.post(path, body, content_type="application/json", headers=bearer)
    assert (refused.status_code, refused["Retry-After"]) == (503, "30")
    assert "wait to be sealed" in refused.json()["detail"]
    assert Span.objects.filter(system=system).count() == 3
    spanlog.sequence(now=timezone.now())
    pressure.forget()
    assert client.post(path, body, content_type="application/json", headers=bearer).status_code == 200


@pytest.mark.django_db
def test_a_sequencer_that_stands_still_is_told_too(settings):
    now = timezone.now()
    spanlog.sequence(now=now)
    send(*chat_trace(), system=new_system("stuck"), now=now)
    settings.INGEST_MAX_LAG = 60
    pressure.refuse_when_behind(now=now + timedelta(seconds=60))
    with pytest.raises(Unavailable, match="is a worker running"):
        pressure.refuse_when_behind(now=now + timedelta(seconds=62))
    settings.INGEST_MAX_LAG = 0
    pressure.refuse_when_behind(now=now + timedelta(seconds=64))


@pytest.mark.django_db(transaction=True)
def test_the_sdks_exporter_waits_and_sends_again_and_the_span_is_stored_once(live_server, settings, monkeypatch):
    monkeypatch.setattr(pressure, "RETRY_AFTER", 1)
    settings.INGEST_MAX_WAITING = 1
    system = new_system("patient")
    exporter = OTLPSpanExporter(
        f"{live_server.url}/v1/traces", headers={"Authorization": f"Bearer {ingest_token(system)}"}
    )
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    send(*chat_trace(), system=system)
    refused = []

    def then_catch_up(*, now):
        """The worker's next run comes after the exporter was turned away once."""
        try:
            real(now=now)
        except Unavailable:
            refused.append(now)
            spanlog.sequence(now=now)
            raise

    real = pressure.refuse_when_behind
    monkeypatch.setattr(pressure, "refuse_when_behind", then_catch_up)
    with tracer.start_as_current_span("patient"):
        pass
    provider.shutdown()
    assert len(refused) >= 1
    assert Span.objects.filter(system=system, name="patient").count() == 1
