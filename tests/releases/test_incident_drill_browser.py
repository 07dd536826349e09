"""Before a first launch an incident is simulated: the gate says so, a drill run in a browser is what changes it."""

from datetime import timedelta

import pytest
import time_machine
from playwright.sync_api import expect

from operations.models import Drill
from tests.factories import NOW
from tests.releases.test_operations_facts import missing, ready

pytestmark = [pytest.mark.django_db, pytest.mark.browser, pytest.mark.timeout(300)]
NOT_YET = "No incident drill has been passed."


def test_a_first_release_waits_for_a_simulated_incident(stage, browser_page, settings):
    settings.REQUIRE_MFA = False
    ready(stage, without="incident")
    assert any(NOT_YET in sentence for sentence in missing(stage))
    with time_machine.travel(NOW + timedelta(minutes=10)):
        page = browser_page(user=stage.people.operator)
        page.goto(f"/systems/{stage.system.slug}/operations/drills/")
        row = page.get_by_role("region", name="Schedule").get_by_role("row", name="Simulated incident")
        expect(row).to_contain_text("Never passed")
        page.get_by_role("button", name="Plan a drill").click()
        form = page.get_by_role("dialog")
        form.get_by_label("Kind").select_option("incident")
        form.get_by_label("Plan", exact=True).fill("The model answers with errors. Whoever is on call falls back.")
        form.get_by_role("button", name="Plan", exact=True).click()
        page.get_by_role("button", name="Start the clock").click()
        page.get_by_label("What happened").fill("The alarm rang.")
        page.get_by_role("button", name="Note").click()
        assert any(NOT_YET in sentence for sentence in missing(stage))  # one that runs is none that was passed
        page.get_by_role("button", name="Recovered: stop the clock").click()
        page.get_by_label("Passed").check()
        page.get_by_label("What was learnt").fill("The fallback took a minute.")
        page.get_by_role("button", name="End the drill").click()
        page.get_by_role("dialog").get_by_role("button", name="End the drill").click()
        expect(page.get_by_text("does not change any more").first).to_be_visible()
    assert Drill.objects.get(kind="incident").outcome == "passed"
    assert missing(stage) == set()
