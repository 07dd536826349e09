"""The charts of a system: what they show is what its requests were, and a point leads to them."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from audit import explorer, ledger, trends
from audit.actors import SYSTEM
from audit.models import Request, SideEnvironment
from metrics import dashboards
from metrics.dashboards import Asked
from tests.audit.sending import chat_trace
from tests.audit.trailing import send, settle
from tests.factories import make_people, make_system, make_user, sign_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def people():
    return make_people()


@pytest.fixture
def system(people):
    """Six hours of traffic: ten requests an hour, one of them failed, one that does not fit its schema."""
    made = make_system("charted-bot", people=people)
    now = timezone.now()
    for hour in range(1, 7):
        for number in range(10):
            start = now - timedelta(hours=hour, minutes=2 * number)
            trace = chat_trace(start=start, readiness__schema__output__valid=number != 3)
            if number == 7:
                trace[0] |= {"status": {"code": 2}}
                trace[2]["attributes"] += [{"key": "readiness.retries", "value": {"intValue": "1"}}]
            send(*trace, system=made.slug)
    settle()
    return made


def charts(system, **given):
    _, found = dashboards.charts(system, Asked.of({"range": "24h", **given}), now=timezone.now())
    return {chart.id: chart for chart in found}


def values(chart, name):
    (line,) = [line for line in chart.figure["data"] if line["name"] == name]
    return [value for value in line["y"] if value is not None]


def test_rates_are_those_of_the_requests(system):
    found = charts(system)
    over = trends.window(timedelta(hours=24), until=timezone.now())
    points = trends.requests(system.slug, over)
    assert sum(point.sums["requests"] for point in points) == Request.objects.filter(system=system.slug).count() == 60
    assert sum(point.sums["errors"] for point in points) == 6
    assert max(values(found["errors"], "whole requests")) > 0
    assert values(found["p95"], "whole requests") == pytest.approx(
        [500] * len(values(found["p95"], "whole requests")), rel=0.011
    )
    assert values(found["p95"], "retrieval") == pytest.approx([50] * len(values(found["p95"], "retrieval")), rel=0.011)
    # 1,000 and 100 tokens of gpt-4.1-mini are 0.056 cents.
    assert {round(value, 6) for value in values(found["cost"], "cost per request")} == {0.056}
    spent = sum(bar for bar in found["spend"].figure["data"][0]["y"])
    assert spent == pytest.approx(60 * 0.00056)
    failed = sum(p.sums["schema_checked"] - p.sums["schema_valid"] for p in points)
    assert failed == 6


def test_an_hour_without_requests_is_a_gap_and_no_zero(system):
    line = charts(system)["errors"].figure["data"][0]
    assert None in line["y"]
    assert len(line["x"]) == len(line["y"]) == len(line["customdata"])


def test_limits_are_those_of_the_running_policy_and_markers_those_of_the_ledger(system):
    with transaction.atomic():
        ledger.append(kind="release.promoted", by=SYSTEM, subject="release:1", system=system.slug,
                      now=timezone.now() - timedelta(hours=2), payload={"label": "2026.11.2"})  # fmt: skip
    found = charts(system)
    limits = dashboards.limits_of(system)
    assert found["p95"].figure["layout"]["shapes"][0]["y0"] == float(limits.slo_p95_ms)
    texts = [note["text"] for note in found["p95"].figure["layout"]["annotations"]]
    assert "2026.11.2 live" in texts


def test_a_point_leads_to_the_requests_behind_it(system):
    """Every filled point of the error chart, followed: the list holds exactly the failed requests of that bucket."""
    chart = charts(system)["errors"]
    over = trends.window(timedelta(hours=24), until=timezone.now())
    by_bucket = {point.at: point.sums["errors"] for point in trends.requests(system.slug, over)}
    line = chart.figure["data"][0]
    followed = 0
    for at, search in zip(over.buckets, line["customdata"], strict=True):
        rows = explorer.search(search, systems=[system.slug], now=timezone.now()).rows
        assert rows.count() == by_bucket[at]
        followed += rows.count()
    assert followed == 6


def test_one_release_alone(system):
    send(*chat_trace(release="2026.11.9", start=timezone.now() - timedelta(hours=1)), system=system.slug)
    settle()
    over = trends.window(timedelta(hours=24), until=timezone.now())
    assert sum(p.sums["requests"] for p in trends.requests(system.slug, over, release="2026.11.9")) == 1
    assert trends.releases_seen(system.slug, over) == ["2026.11.9", "2026.11.2"]
    assert "release:2026.11.9" in charts(system, release="2026.11.9")["p95"].figure["data"][0]["customdata"][0]


def test_one_environment_alone_and_those_set_aside_are_named(system, people):
    send(*chat_trace(start=timezone.now() - timedelta(hours=1)), system=system.slug, environment="mirror")
    settle()
    client, address = sign_in(people.engineer), reverse("metrics:dashboard", args=[system.slug])
    assert "set aside" not in client.get(address).content.decode()
    now = timezone.now()
    by = {"proposed_by": "person:1", "proposed_as": "admin", "proposed_at": now, "confirmed_by": "person:2"}
    SideEnvironment.objects.create(
        system=system.slug, name="mirror", kind="shadow", daily_requests=100, confirmed_at=now, **by
    )
    whole = client.get(address).content.decode()
    assert ">mirror (set aside)</option>" in whole
    assert "These charts hold mirror too, which is set aside" in whole
    mirror = client.get(address, {"environment": "mirror"}).content.decode()
    assert '<option value="mirror" selected>' in mirror
    assert "These charts hold" not in mirror
    told = client.get(f"/api/systems/{system.slug}/trends", {"environment": "mirror"}).json()
    assert told["environments"] == {"mirror": False, "production": True}
    assert sum(point["sums"].get("requests", 0) for point in told["requests"]) == 1


@pytest.mark.parametrize(("length", "width"), [("24h", 15), ("7d", 60), ("30d", 1440)])
def test_every_range_counts_the_same_requests(system, length, width):
    over = trends.window(dashboards.RANGES[length], until=timezone.now())
    assert over.width == width
    assert sum(point.sums["requests"] for point in trends.requests(system.slug, over)) == 60
    found = trends.components(system.slug, over)
    assert sum(point.sums["spans"] for point in found["retrieval"]) == 60
    p95 = [point.p95_ms for point in found["retrieval"] if point.p95_ms is not None]
    assert all(abs(value - 50) < 1 for value in p95)
    assert sum(point.sums["cost_nanousd"] for point in trends.requests(system.slug, over)) == 60 * 560_000


def test_the_page_reads_rollups_only_and_its_queries_do_not_grow(system, people):
    client = sign_in(people.engineer)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        page = client.get(reverse("metrics:dashboard", args=[system.slug]), {"range": "7d"})
    assert page.status_code == 200
    told = [query["sql"] for query in queries]
    assert not [sql for sql in told if '"audit_request"' in sql or '"audit_span"' in sql or '"audit_call"' in sql]
    assert len(told) < 40
    text = page.content.decode()
    for title in ("p95 latency by component", "Error rate by component", "Schema validation failures",
                  "Retries and timeouts per 100 requests", "Cost per request", "Spend by day"):  # fmt: skip
        assert f">{title}<" in text
    figure = json.loads(re.search(r'<script id="p95" type="application/json">(.*?)</script>', text, re.DOTALL)[1])
    assert {line["name"] for line in figure["data"]} >= {"whole requests", "retrieval", "model"}
    link = re.search(r'<tbody><tr><td><a href="([^"]+)"', text)[1].replace("&amp;", "&")
    assert parse_qs(urlsplit(link).query)["q"][0].startswith(f"system:{system.slug} since:")
    assert client.get(link).content.decode().count("data-row") > 0


def test_nonsense_is_refused_and_strangers_see_nothing(system, people):
    assert (
        sign_in(people.engineer).get(reverse("metrics:dashboard", args=[system.slug]), {"range": "9y"}).status_code
        == 400
    )
    assert sign_in(make_user("Nobody")).get(reverse("metrics:dashboard", args=[system.slug])).status_code == 404


def test_a_system_without_traffic_says_how_charts_begin(people):
    made = make_system("silent-bot", people=people)
    page = sign_in(people.engineer).get(reverse("metrics:dashboard", args=[made.slug])).content.decode()
    assert "Nothing to draw" in page


def test_the_numbers_for_programs(system, people):
    answer = sign_in(people.engineer).get(f"/api/systems/{system.slug}/trends", {"range": "7d"}).json()
    assert answer["bucket_minutes"] == 60
    assert sum(point["sums"].get("requests", 0) for point in answer["requests"]) == 60
    filled = [point for point in answer["components"]["retrieval"] if point["p95_ms"]]
    assert abs(Decimal(filled[0]["p95_ms"]) - 50) < 1


def test_the_numbers_of_one_kind_only(system, people):
    client, address = sign_in(people.engineer), f"/api/systems/{system.slug}/trends"
    whole = client.get(address).json()
    assert client.get(address, {"series": "requests"}).json() == {**whole, "components": {}}
    assert client.get(address, {"series": "components"}).json() == {**whole, "requests": []}
    answer = client.get(address, {"series": "spans"})
    assert (answer.status_code, answer.json()["detail"]) == (400, "series is one of requests, components.")
