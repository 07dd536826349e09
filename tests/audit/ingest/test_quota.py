import pytest
from django.utils import timezone

from audit.ingest import quota
from audit.models import Quota, Span
from tests.audit.sending import chat_trace, ingest_token, request_json
from tests.audit.trailing import new_system

pytestmark = pytest.mark.django_db


def test_a_token_over_its_minute_is_told_when_to_come_back(client, settings):
    settings.INGEST_SPANS_PER_MINUTE = 5
    system = new_system("hurried")
    bearer = {"Authorization": f"Bearer {ingest_token(system)}"}

    def send():
        body = request_json(*chat_trace())
        return client.post("/v1/traces", body, content_type="application/json", headers=bearer)

    assert send().status_code == 200
    refused = send()
    assert refused.status_code == 429
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert "5 spans a minute" in refused.json()["message"]
    assert Span.objects.filter(system=system).count() == 3, "nothing of the refused request is stored"
    # Another token has a minute of its own.
    bearer = {"Authorization": f"Bearer {ingest_token(system)}"}
    assert send().status_code == 200


def test_a_single_request_above_the_limit_is_refused_and_counts_nothing(settings):
    settings.INGEST_SPANS_PER_MINUTE = 2
    with pytest.raises(quota.OverQuota):
        quota.take("t", 3, now=timezone.now())
    quota.take("t", 2, now=timezone.now().replace(second=0))
    with pytest.raises(quota.OverQuota):
        quota.take("t", 1, now=timezone.now().replace(second=59))


def test_no_limit_counts_nothing_and_old_minutes_are_forgotten(settings):
    now = timezone.now()
    quota.take("t", 10**6, now=now)
    assert not Quota.objects.exists()
    settings.INGEST_SPANS_PER_MINUTE = 10
    quota.take("t", 1, now=now.replace(year=now.year - 1, day=1))
    quota.forget(now=now)
    assert not Quota.objects.exists()
