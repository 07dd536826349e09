"""The weekly report: made once, from the trail, kept as it was."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse

from audit.ledger import entries
from audit.models import Request
from jobs.models import Event
from metrics import drift
from metrics.models import DriftReport
from tests.factories import make_user
from tests.metrics.scene import Scene
from web.ids import uuid7

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
NOW = MONDAY + timedelta(days=2, hours=9)


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    settings.REQUIRE_MFA = False


def requests(since: datetime, count: int = 300, *, tokens: int = 500, model: str = "small", **more: Any) -> None:
    Request.objects.bulk_create(
        Request(
            id=uuid7(),
            system="support-bot",
            environment="production",
            trace_id=uuid7(),
            started_at=since + timedelta(minutes=n),
            duration_us=1_000_000 + n,
            name="answer",
            entry_span_id="1" * 16,
            span_count=1,
            model=model,
            failed=False,
            calls=1,
            calls_unknown=0,
            tokens_in=tokens + n % 100,
            tokens_out=80 + n % 7,
            cost_nanousd=None,
            output_ok=True,
            complete=True,
            approval="approved",
            with_request_id=True,
            derived_at=since,
            **more,
        )
        for n in range(count)
    )


@pytest.fixture
def two_weeks(scene: Scene) -> Scene:
    requests(MONDAY - 2 * drift.WEEK)
    requests(MONDAY - drift.WEEK, tokens=900, model="large")
    return scene


def test_the_last_whole_week_is_compared_with_the_one_before(two_weeks: Scene) -> None:
    (report,) = drift.report_due(now=NOW)
    assert (report.since, report.until) == (MONDAY - drift.WEEK, MONDAY)
    assert (report.requests, report.requests_before) == (300, 300)
    found = {one["name"]: one["outcome"] for one in report.figures}
    assert (found["input tokens"], found["model"]) == ("drifted", "drifted")
    assert (found["output tokens"], found["output fits its schema"]) == ("stable", "stable")
    assert found["cost per request (USD)"] == "unknown", "an unknown cost is not a cost of zero"
    assert report.drifted == ["input tokens", "model"]
    (entry,) = entries(subject=f"drift:{report.pk}")
    assert entry.kind == "drift.reported"
    event = Event.objects.get(topic="metrics.drift-reported")
    assert event.payload["drifted"] == ["input tokens", "model"]
    assert event.payload["said"].startswith("Input tokens: stability index")


def test_it_is_made_once_and_its_numbers_stay(two_weeks: Scene) -> None:
    (report,) = drift.report_due(now=NOW)
    assert drift.report_due(now=NOW + timedelta(hours=1)) == []
    assert drift.make_report(system=two_weeks.system, until=MONDAY, now=NOW) is None
    Request.objects.all().delete()
    report.refresh_from_db()
    assert report.requests == 300
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        DriftReport.objects.update(drifted=[])


def test_a_system_that_served_nobody_gets_none(scene: Scene) -> None:
    requests(MONDAY + timedelta(hours=1))  # of the week that is not over
    assert drift.report_due(now=NOW) == []


def test_the_first_week_has_nothing_to_compare_with_and_says_so(scene: Scene) -> None:
    requests(MONDAY - drift.WEEK)
    (report,) = drift.report_due(now=NOW)
    assert report.drifted == []
    assert {one["outcome"] for one in report.figures} == {"unknown"}


def test_page_and_api_show_the_report(two_weeks: Scene, client: Client) -> None:
    client.force_login(two_weeks.people.engineer)
    page = reverse("metrics:drift", args=["support-bot"])
    assert "After the first whole week" in client.get(page).content.decode()
    drift.report_due(now=NOW)
    shown = client.get(page).content.decode()
    assert "Week until 23 November 2026" in shown
    assert shown.index("Input tokens") < shown.index("Output tokens"), "what drifted comes first"
    assert 'data-plot="drift-0"' in shown and 'id="drift-0"' in shown, "the chart finds its numbers"
    body = client.get(reverse("metrics_api:drift", args=["support-bot"])).json()
    assert body["results"][0]["drifted"] == ["input tokens", "model"]
    stranger = make_user("Stray Stranger")
    client.force_login(stranger)
    assert client.get(page).status_code == 404
