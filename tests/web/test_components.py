"""The component page and the pages of a release from samples: they draw, and axe finds nothing in either theme."""

import re

import pytest
from django.template.loader import render_to_string

from tests.browser import DESKTOP, PHONE
from tests.factories import make_user
from web.components import PAGES

pytestmark = pytest.mark.django_db

SAMPLES = [f"/components/{name}/" for name in PAGES]


@pytest.fixture
def person(settings):
    settings.REQUIRE_MFA = False
    return make_user("Mara Lindqvist", "product")


def test_page_shows_every_component(client, person):
    client.force_login(person)
    page = client.get("/components/").content.decode()
    for heading in ("Status", "Notices", "Table", "Timeline", "Evidence", "Facts and code", "Charts", "Form", "Empty"):
        assert f">{heading}</h2>" in page
    assert "broken outline" in page


def test_page_is_for_people_who_signed_in(client):
    assert client.get("/components/").headers["Location"].startswith("/accounts/login/")


def test_no_page_carries_inline_script_or_style(client, person):
    client.force_login(person)
    for path in ["/components/", *SAMPLES]:
        page = client.get(path).content.decode()
        assert " style=" not in page, path
        assert "<style" not in page, path
        assert not re.search(r"<[^>]+ on[a-z]+=", page), path
        for script in re.findall(r"<script[^>]*>", page):
            assert "src=" in script or "application/json" in script, (path, script)


def test_unknown_sample_is_not_found(client, person):
    client.force_login(person)
    assert client.get("/components/nothing/").status_code == 404


def test_blocked_release_shows_reasons_with_who_and_link(client, person):
    client.force_login(person)
    page = client.get("/components/release-blocked/").content.decode()
    assert "7 things remain before the canary" in page
    assert "Rollback drill in staging has no evidence" in page
    assert "Tomas Okafor, operations" in page
    assert 'aria-disabled="true"' in page
    assert page.index("0.813 is below baseline") < page.index("Rollback drill in staging")  # what failed comes first


def test_refusal_is_a_page_for_people_and_a_toast_for_htmx(client, person):
    client.force_login(person)
    page = client.get("/components/problem/")
    assert page.status_code == 409
    assert "Prompt v14 replaced v13." in page.content.decode()
    toast = client.get("/components/problem/", headers={"HX-Request": "true"}).content.decode()
    assert toast.lstrip().startswith("<li")
    assert "data-problem" in toast


@pytest.mark.parametrize("name", ["400", "403", "403_csrf", "404", "500"])
def test_error_pages_draw_without_request(name):
    page = render_to_string(f"{name}.html")
    assert "<h1>" in page
    assert 'href="/"' in page


@pytest.mark.browser
@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_axe_finds_nothing_in_either_theme(browser_page, axe_clean, person, width):
    page = browser_page(user=person, width=width)
    for path in ["/components/", "/components/toast/", "/components/problem/", *SAMPLES]:
        page.goto(path)
        axe_clean(page)
        page.emulate_media(color_scheme="dark")
        axe_clean(page)
        page.emulate_media(color_scheme="light")


@pytest.mark.browser
def test_chart_is_drawn_in_the_colours_of_the_theme(browser_page, person):
    page = browser_page(user=person, theme="light")
    page.goto("/components/release-canary/")
    line = page.locator(".js-plotly-plot .scatterlayer .js-line").first
    line.wait_for()
    light = line.evaluate("it => getComputedStyle(it).stroke")
    page.click("[popovertarget=user-menu]")
    page.click("[data-theme-choice=dark]")
    page.wait_for_function(f"getComputedStyle(document.querySelector('.js-line')).stroke !== '{light}'")


@pytest.mark.browser
def test_theme_is_kept(browser_page, person):
    page = browser_page(user=person, theme="light")
    page.goto("/components/")
    page.click("[popovertarget=user-menu]")
    page.click("[data-theme-choice=dark]")
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
    assert page.get_attribute("[data-theme-choice=dark]", "aria-pressed") == "true"


@pytest.mark.browser
def test_keyboard_finds_pages_walks_rows_and_can_be_silenced(browser_page, person):
    page = browser_page(user=person)
    page.goto("/components/release-blocked/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.locator("tr[data-current] a.main").inner_text().startswith("Context length capped")
    page.keyboard.press("Control+k")
    page.keyboard.type("component")
    assert page.locator("[role=option][aria-selected=true]").inner_text().startswith("Components of the interface")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.uncheck("[data-keys-switch]")
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    assert page.locator("tr[data-current] a.main").inner_text().startswith("Context length capped")


@pytest.mark.browser
def test_blocked_button_is_reached_and_tells_why(browser_page, person):
    page = browser_page(user=person)
    page.goto("/components/release-blocked/")
    button = page.get_by_role("button", name="Start the canary")
    button.focus()
    assert button.get_attribute("aria-disabled") == "true"
    tip = page.locator(f"#{button.get_attribute('aria-describedby')}")
    tip.wait_for(state="visible")
    assert "7 things remain" in tip.inner_text()


@pytest.mark.browser
def test_binding_act_asks_first(browser_page, person):
    page = browser_page(user=person)
    page.goto("/components/")
    page.get_by_role("button", name="Roll back").click()
    page.get_by_text("The previous release serves again at once.").wait_for()
    page.keyboard.press("Escape")
    assert page.url.endswith("/components/")
    page.get_by_role("button", name="Roll back").click()
    with page.expect_navigation():
        page.locator("#confirm [value=yes]").click()
    assert page.url.endswith("/components/?")


@pytest.mark.browser
def test_copy_puts_the_whole_digest_on_the_clipboard(browser_page, person):
    page = browser_page(user=person)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/components/release-blocked/")
    page.locator(".meta .copy").first.click()
    assert page.evaluate("navigator.clipboard.readText()").startswith("sha256:9c1f04aabbe27d60")


@pytest.mark.browser
def test_verdict_stays_on_top(browser_page, person):
    page = browser_page(user=person)
    page.goto("/components/release-blocked/")
    page.mouse.wheel(0, 900)
    page.wait_for_function("scrollY > 600")
    assert 0 <= page.locator("#verdict").bounding_box()["y"] < 60
