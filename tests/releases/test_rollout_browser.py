"""The rollout plan in a real browser."""

import os

import pytest

from releases.models import Rollout

pytestmark = [pytest.mark.django_db, pytest.mark.browser]


def test_a_plan_with_steps_and_a_shadow_is_made_in_the_browser(stage, settings, browser_page, axe_clean):
    settings.REQUIRE_MFA = False
    page = browser_page(user=stage.people.product)
    page.goto(f"/systems/{stage.system.slug}/releases/{stage.release.label}/setup/")
    page.get_by_label("Smaller shares first").fill("1 for 2, 5 % for 4 hours")
    page.get_by_role("button", name="Save plan").click()
    assert "in 3 steps" in page.locator("#rollout").inner_text()
    assert Rollout.objects.get().steps == [["0.01", 2], ["0.05", 4]]
    page.get_by_label("Smaller shares first").fill("half of it")
    page.get_by_role("button", name="Save plan").click()
    assert "Write percent and hours" in page.locator("#rollout").inner_text()
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/plan-form.png", full_page=True)
    axe_clean(page)
