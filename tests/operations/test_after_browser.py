"""The pages of operations in a real browser: readable by everybody, in both themes, on a phone, no sideways scroll."""

from datetime import timedelta

import pytest
from django.urls import reverse

from operations.actions.budgets import set_tenant_budget
from operations.actions.drills import plan_drill
from operations.actions.incidents import add_follow_up, mitigate, open_incident
from operations.actions.reviews import freeze_numbers, note_launch, schedule
from operations.actions.risks import add_risk
from operations.actions.runbooks import write_plan, write_runbook
from operations.calendar import Period
from operations.conditions import begin
from operations.models import Review
from tests.factories import sign_in
from tests.operations.test_risks_and_runbooks import FULL

pytestmark = [pytest.mark.django_db, pytest.mark.browser, pytest.mark.timeout(300)]
DAY = timedelta(days=1)


@pytest.fixture
def scene(system, people, admin, now):
    """Something on every page."""
    oli = people("Oli Operator", "operations", "product", "admin")
    sign_in(oli, now=now)
    soon = (now + 30 * DAY).date()
    note_launch(system=system, label="2026.11.1", at=now - 8 * DAY, now=now - 8 * DAY)
    period = Period(now - 90 * DAY, now, now + DAY)
    access = schedule(system=system, kind="quarterly_access", period=period, now=now)
    freeze_numbers(review=access, by=None, now=now)
    incident = open_incident(
        system=system, title="Answers were empty for everybody in Europe", severity="major", began_at=now - DAY,
        requests=["req-000000000001"], release_label="2026.11.1", by=oli, now=now,
    )  # fmt: skip
    mitigate(incident=incident, by=oli, now=now)
    add_follow_up(incident=incident, text="Alert on the quota.", owner=oli, due_on=soon, by=oli, now=now)
    risk = add_risk(
        system=system, title="The quota of the provider is used up", likelihood=3, impact=4, mitigation="Alert.",
        owner=oli, review_on=soon, items=["cost.budget-guard"], incidents=[incident], by=oli, now=now,
    )  # fmt: skip
    text = FULL + "\n```sh\nkubectl scale deployment/assistant --replicas=0 --namespace production-europe-west\n```\n"
    runbook = write_runbook(system=system, title="Model outage", kind="model_outage", text=text, by=oli, now=now)
    steps = [{"do": "Leave out follow-up questions", "undo": "Switch the flag back", "status": "degraded"}]
    write_plan(system=system, steps=steps, by=oli, now=now)
    set_tenant_budget(system=system, tenant="northwind", cap_usd=5, alert_usd=4, owner=oli, by=oli, now=now)
    begin(system=system, kind="error_rate", title="Errors", said="3 of 30 requests failed.", began_at=now, now=now)
    launch = Review.objects.get(kind="post_launch")
    drill = plan_drill(
        system=system, kind="runbook", environment="staging", plan="Follow it to the letter.", participants=[], by=oli,
        now=now, scheduled_for=soon, runbook=runbook,
    )  # fmt: skip
    pages = [
        ("system",), ("budget",), ("reviews",), ("review", launch.pk), ("review", access.pk), ("incidents",),
        ("incident", incident.pk), ("risks",), ("risk", risk.pk), ("runbooks",), ("runbook", runbook.runbook_id),
        ("runbook-write",), ("degradation",), ("feedback",), ("drills",), ("drill", drill.pk), ("channels",),
    ]  # fmt: skip
    return oli, [reverse(f"operations:{name}", args=["support-bot", *args]) for name, *args in pages]


LOOKS = [("dark", 390), pytest.param("light", 1280, marks=pytest.mark.long)]


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_every_page_can_be_read(scene, browser_page, axe_clean, theme, width):
    oli, pages = scene
    page = browser_page(user=oli, theme=theme, width=width)
    for address in pages:
        answer = page.goto(address)
        assert answer.ok, address
        axe_clean(page)
