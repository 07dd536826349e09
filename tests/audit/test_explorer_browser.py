"""An auditor at work in a real browser: counts, a narrowed list, one request, the dashboard, what is behind a point."""

import os
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.roles import Role
from tests.audit.sending import chat_trace
from tests.audit.trailing import send, settle
from tests.factories import make_people, make_system, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.browser]


@pytest.fixture
def auditor():
    people = make_people()
    make_system("browsed-bot", people=people)
    now = timezone.now()
    for number in range(60):
        trace = chat_trace(start=now - timedelta(minutes=17 * number + 1), request_id=f"walk-{number:02}")
        if number % 20 == 0:
            trace[0] |= {"status": {"code": 2}}
        send(*trace, system="browsed-bot")
    settle()
    return make_user("Otto", Role.AUDITOR)


def shot(page, name):
    if folder := os.environ.get("READINESS_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
def test_an_auditor_finds_what_failed_and_sees_it_in_the_chart(browser_page, axe_clean, auditor, theme, width):
    page = browser_page(user=auditor, theme=theme, width=width)
    page.goto("/requests/?q=system:browsed-bot since:24h")
    error = page.locator("#facet-outcome + ul a", has_text="error")
    error.wait_for()
    axe_clean(page)
    shot(page, f"requests-{theme}-{width}")
    error.click()
    page.wait_for_url("**outcome**")
    assert page.locator("[data-row]").count() == 3
    page.locator("[data-row] a.main").first.click()
    assert page.locator("h1").inner_text() == "walk-00"
    page.get_by_role("button", name="Take it along").click()
    assert "/api/audit/requests/" in page.locator("#take pre").inner_text()
    axe_clean(page)
    shot(page, f"take-{theme}-{width}")
    page.locator("#take [data-close]").click()
    page.goto("/systems/browsed-bot/dashboard/")
    page.locator("#title-errors").wait_for()
    page.locator("[data-plot=errors] .main-svg").first.wait_for()
    axe_clean(page)
    shot(page, f"dashboard-{theme}-{width}")
    # Without a mouse: the same points as a table of links.
    table = page.locator("section[aria-labelledby=title-errors] details")
    table.locator("summary").click()
    table.locator("tbody a").last.click()
    page.wait_for_url("**/requests/?q=*")
    assert page.locator("[data-row]").count() <= 1
