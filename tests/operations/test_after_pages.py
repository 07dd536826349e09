"""The pages of what comes after a launch, as people use them; and that none of them costs a query per row."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from operations.actions.incidents import open_incident
from operations.actions.reviews import note_launch, schedule
from operations.calendar import Period
from operations.models import Feedback, Incident, Review, Risk, Runbook, TenantBudget
from systems.models import RunningPolicy
from tests.operations.test_budget_watch import spend
from tests.operations.test_risks_and_runbooks import FULL

pytestmark = pytest.mark.django_db
SLUG = "support-bot"


@pytest.fixture(autouse=True)
def _no_second_factor(settings):
    settings.REQUIRE_MFA = False


@pytest.fixture
def oli(people):
    return people("Oli", "operations", "product")


@pytest.fixture
def visitor(client, oli):
    client.force_login(oli)
    return client


def at(name, *args):
    return reverse(f"operations:{name}", args=[SLUG, *args])


def text(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("budget", "No tenant has a budget"),
        ("reviews", "The calendar begins with the first launch"),
        ("incidents", "No incident yet"),
        ("runbooks", "No runbook yet"),
        ("risks", "The register is empty"),
        ("feedback", "Nobody said anything yet"),
    ],
)
def test_an_empty_page_says_what_would_be_there(system, visitor, name, words):
    response = visitor.get(at(name))
    assert response.status_code == 200 and words in text(response)


def test_an_incident_through_the_browser(system, visitor, oli, people):
    people("Ed", "engineering")
    opened = {"title": "Empty answers", "severity": "major", "minutes": "5", "requests": "a\nb", "release_label": "7"}
    assert "This field is required" in text(visitor.post(at("incidents"), opened | {"title": ""}))
    where = visitor.post(at("incidents"), opened).url
    incident = Incident.objects.get()
    assert incident.requests == ["a", "b"] and timezone.now() - incident.began_at >= timedelta(minutes=5)
    visitor.post(at("incident-note", incident.pk), {"text": "Quota <b>0</b>."})
    visitor.post(at("incident-mitigate", incident.pk))
    due = (timezone.now() + timedelta(days=3)).date().isoformat()
    todo = {"text": "Alert.", "owner": str(oli.pk), "due_on": due}
    assert visitor.post(at("incident-follow-up", incident.pk), todo).url == where
    page = visitor.get(where)
    assert b"Quota &lt;b&gt;0&lt;/b&gt;." in page.content and "Time to mitigate" in text(page)
    assert visitor.post(where, {"impact": "All.", "cause": "", "lessons": "x"}).status_code == 422
    visitor.post(where, {"impact": "All.", "cause": "Quota.", "lessons": "Alert."})
    incident.refresh_from_db()
    assert incident.state == "closed" and "Post-mortem" in text(visitor.get(where))
    done = at("follow-up-done", incident.pk, incident.follow_ups.get().pk)
    assert visitor.post(done).url == where and incident.follow_ups.get().done_at


def test_an_incident_that_is_opened_at_once_began_before_it_was_opened(system, visitor):
    opened = {"title": "Empty answers", "severity": "major", "minutes": "0"}
    with time_machine.travel(timezone.now(), tick=False):
        page = text(visitor.get(visitor.post(at("incidents"), opened).url))
    assert page.index("opened it") < page.index("It began")  # the newest first


def test_a_suggested_risk_is_taken_over(system, visitor, oli):
    page = visitor.get(at("risks") + "?suggestion=long-contexts").content.decode()
    assert "Long contexts cost more than was planned" in page
    start = re.search(r'name="review_on" value="([^"]+)"', page)[1]
    risk = {"title": "Long contexts cost more than was planned", "likelihood": "3", "impact": "4", "mitigation": "Cut.",
            "owner": str(oli.pk), "review_on": start, "items": "data.context-bounded, cost.budget-guard"}  # fmt: skip
    visitor.post(at("risks"), risk)
    made = Risk.objects.get()
    assert made.items == ["cost.budget-guard", "data.context-bounded"]
    listed = text(visitor.get(at("risks")))
    assert "cost.budget-guard" in listed and listed.count("Long contexts cost more") == 1, "suggested no more"
    visitor.post(at("risk", made.pk), risk | {"impact": "2"})
    made.refresh_from_db()
    assert made.impact == 2
    visitor.post(at("risks-keep"))
    visitor.post(at("risk-close", made.pk), {"text": "Gone."})
    made.refresh_from_db()
    assert made.state == "closed"


def test_a_runbook_and_a_plan_through_the_browser(system, visitor):
    short = {"title": "Outage", "kind": "model_outage", "text": "# Stop\n\nNow.", "note": ""}
    where = visitor.post(at("runbook-write"), short).url
    assert "Parts missing" in text(visitor.get(where)) and "never tested" in text(visitor.get(where))
    visitor.post(at("runbook-write"), short | {"text": FULL, "note": "All parts"})
    assert Runbook.objects.get().versions.count() == 2
    assert "Complete" in text(visitor.get(where)) and "Parts missing" in text(visitor.get(where + "?version=1"))
    assert "Line 1 has three parts" in text(visitor.post(at("degradation"), {"steps": "Just do it"}))
    visitor.post(at("degradation"), {"steps": "No follow-ups | Flag on | degraded\n\nApology | Route back | fallback"})
    page = text(visitor.get(at("runbooks")))
    assert "No follow-ups" in page and "Route back" in page


def test_a_review_through_the_browser(system, visitor, now):
    note_launch(system=system, label="7", at=now - timedelta(days=8), now=now)
    review = Review.objects.get()
    assert "Overdue" in text(visitor.get(at("reviews")))
    page = text(visitor.get(at("review", review.pk)))
    assert "The numbers still move" in page and "Freeze the numbers first" in page
    assert visitor.post(at("review", review.pk), {"outcome": "fine", "findings": "Fine."}).status_code == 409
    visitor.post(at("review-freeze", review.pk))
    assert "Frozen numbers" in text(visitor.get(at("review", review.pk)))
    visitor.post(at("review", review.pk), {"outcome": "fine", "findings": "Fine."})
    review.refresh_from_db()
    assert review.done_at and "As it should be" in text(visitor.get(at("reviews")))


def test_a_roster_through_the_browser(system, client, admin, people, now):
    ed = people("Ed", "engineering")
    period = Period(now - timedelta(days=90), now, now + timedelta(days=1))
    review = schedule(system=system, kind="quarterly_access", period=period, now=now)
    client.force_login(admin)
    client.post(at("review-freeze", review.pk))
    lines = {line.person_id: line for line in review.roster.all()}
    page = text(client.get(at("review", review.pk)))
    assert "Nobody reviews their own access" in page and "Ed" in page
    assert client.post(at("review-line", review.pk, lines[ed.pk].pk), {"decision": "revoked"}).status_code == 422
    client.post(at("review-line", review.pk, lines[ed.pk].pk), {"decision": "revoked", "reason": "Left."})
    assert "Left." in text(client.get(at("review", review.pk)))
    assert not ed.grants.filter(revoked_at=None).exists()


def test_the_calculator_and_a_tenant(system, visitor, oli, people):
    query = {"requests_per_day": "1000", "tokens_in": "2000", "tokens_out": "300", "price_in": "10", "price_out": "30",
             "buffer": "0.20"}  # fmt: skip
    page = text(visitor.get(at("budget"), query))
    assert "$34.80" in page and "$31.32" in page
    answer = visitor.post(at("budget-propose"), query)
    assert answer.url == reverse("systems:policy", args=[SLUG])
    drafted = RunningPolicy.objects.get(system=system, state="draft")
    assert (drafted.body["budget_daily_usd"], drafted.body["budget_alert_usd"]) == ("34.8", "31.32")
    tenant = {"tenant": "acme", "cap_usd": "5", "alert_usd": "6", "owner": str(oli.pk)}
    assert visitor.post(at("tenant"), tenant).status_code == 422 and not TenantBudget.objects.exists()
    visitor.post(at("tenant"), tenant | {"alert_usd": "4"})
    assert "acme" in text(visitor.get(at("budget")))
    visitor.post(at("tenant-remove", TenantBudget.objects.get().pk))
    assert not TenantBudget.objects.exists()


def test_a_budget_is_calculated_from_what_the_trail_used_and_compared_week_by_week(system, visitor):
    """Seven requests of 1,000 + 100 tokens in the last week, at four dollars each; eight dollars the week before."""
    end = timezone.now()
    for days, usd in ((9, "8"), *((1, "4") for _ in range(7))):
        with time_machine.travel(end - timedelta(days=days), tick=False):
            spend(system, usd, timezone.now())
    start = visitor.get(at("budget")).context["form"].initial
    assert (start["requests_per_day"], start["tokens_in"], start["tokens_out"]) == (1, 1000, 100)
    assert start["price_in"] == start["price_out"] == Decimal("3636.3636")  # 28 dollars for 7,700 tokens
    page = text(visitor.get(at("budget")))
    assert "$28.00" in page and "$8.00" in page and "250" in page and "Above the limit" in page
    model = visitor.get(f"/api/systems/{SLUG}/budget/plan").json()
    assert model["tokens_in"] == "1000.00" and model["price_in"] == "3636.3636"
    weeks = visitor.get(f"/api/systems/{SLUG}/budget/weeks").json()
    assert (weeks["this_week_usd"], weeks["last_week_usd"], weeks["change"]) == ("28", "8", "2.5000")
    assert (weeks["change_max"], weeks["within"], len(weeks["days"])) == ("0.1", False, 14)
    assert sum(day["spent_usd"] == "28" for day in weeks["days"]) == 1


def test_feedback_by_form(system, visitor):
    empty = visitor.post(at("feedback"), {"rating": "none", "text": ""})
    assert empty.status_code == 422 and not Feedback.objects.exists()
    visitor.post(at("feedback"), {"rating": "bad", "text": "Wrong <i>article</i>.", "request_id": "req-1"})
    assert b"Wrong &lt;i&gt;article&lt;/i&gt;." in visitor.get(at("feedback")).content
    assert Feedback.objects.get().via == "form"


@pytest.mark.parametrize("name", ["incidents", "risks"])
def test_a_list_asks_as_often_for_many_rows_as_for_one(system, visitor, oli, now, name):
    def fill(n):
        for i in range(n):
            open_incident(system=system, title=f"{i}", severity="minor", began_at=now, by=oli, now=now)

    fill(1)
    visitor.get(at(name))
    with CaptureQueriesContext(connection) as one:
        visitor.get(at(name))
    fill(8)
    with CaptureQueriesContext(connection) as many:
        visitor.get(at(name))
    assert len(many) == len(one)


def test_the_same_by_api(system, visitor, oli, now):
    """Each page has its twin: what is made there is read there."""

    def api(name, *args):
        return reverse(f"operations_api:{name}", args=[SLUG, *args])

    def post(name, *args, **body):
        answer = visitor.post(api(name, *args), body, content_type="application/json")
        assert answer.status_code in (200, 201), answer.content
        return answer.json()

    email, soon = oli.email, (now + timedelta(days=30)).date().isoformat()
    for text_of in ("# Stop\n\nNow.", FULL):
        post("runbooks", title="Outage", kind="model_outage", text=text_of)
    (runbook,) = visitor.get(api("runbooks")).json()
    assert (runbook["number"], runbook["missing"]) == (2, [])
    assert visitor.get(api("runbook", runbook["id"])).json() == runbook
    steps = [{"do": "a", "undo": "b", "status": "degraded"}]
    assert post("degradation", steps=steps)["steps"] == visitor.get(api("degradation")).json()["steps"] == steps
    risk = {"title": "Drift", "likelihood": 3, "impact": 4, "mitigation": "x", "owner": email, "review_on": soon}
    made = post("risks", **risk)
    assert post("risk", made["id"], **risk | {"impact": 1})["impact"] == 1
    assert [one["title"] for one in visitor.get(api("risks")).json()] == ["Drift"]
    incident = post("incidents", title="Down", severity="minor", began_at=now.isoformat())
    post("incident-notes", incident["id"], text="Seen.")
    post("incident-mitigate", incident["id"])
    follow = post("incident-follow-ups", incident["id"], text="Mend.", owner=email, due_on=soon)
    assert post("follow-up-done", incident["id"], follow["id"])["done_at"]
    closed = post("incident", incident["id"], impact="a", cause="b", lessons="c")
    assert closed["state"] == "closed" and closed["timeline"][0]["text"] == "Seen."
    post("tenant-budgets", tenant="acme", cap_usd="5", alert_usd="4", owner=email)
    assert visitor.get(api("tenant-budget", "acme")).json()["state"] == "ok"
    assert visitor.get(api("tenant-budget", "nobody")).status_code == 404
    assert {one["key"] for one in visitor.get(api("objectives")).json()} == {"errors", "schema", "retries", "latency"}
    post("feedback", rating="bad", request_id="req-9")
    assert visitor.get(api("feedback")).json()["results"][0]["via"] == "api"
    bad = visitor.post(api("feedback"), {"rating": "awful"}, content_type="application/json")
    assert bad.status_code == 422 and bad["Content-Type"] == "application/problem+json"
