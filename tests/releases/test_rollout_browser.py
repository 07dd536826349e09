"""The rollout in a real browser: its plan, its live page while it runs, and how a person ends it."""

import os
import re
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone
from playwright.sync_api import expect

from audit import canonical
from demo import walk
from metrics import pull
from metrics.actions.sources import create_source
from releases import shadow
from releases.actions import rollout
from releases.judging import aim_sources
from releases.models import Rollout, ShadowRun
from tests.browser import PHONE, between_requests
from tests.releases.ready import make_ready
from tests.releases.test_representing import ask
from tests.releases.test_rollout import START, windows

pytestmark = [pytest.mark.django_db, pytest.mark.browser]

NEW_SERIES = "New series: {pod=b}."
GAP = "Nothing was scraped."


def kept(page, name):
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


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
    kept(page, "plan-form")
    axe_clean(page)


@pytest.fixture
def running(stage, settings):
    """Three hours into its canary: one of them with a gap of ten minutes, and a restarted pod in the last minute."""
    settings.REQUIRE_MFA = False
    make_ready(stage)
    walk.sign_both(stage.release, stage.people, now=START)
    rollout.start_rollout(release_id=stage.release.pk, by=stage.people.operator, now=START)
    windows(stage, 1)
    windows(stage, 1 / 6, since=START + timedelta(hours=1), answered=False)
    windows(stage, 109 / 60, since=START + timedelta(minutes=70), requests=25)
    windows(stage, 1 / 60, since=START + timedelta(minutes=179), note=NEW_SERIES)
    Rollout.objects.update(watched_until=START + timedelta(hours=3))
    return stage


def shadowed(stage):
    """The shadow run that came before: ended, with its report."""
    with between_requests:
        run = ShadowRun(
            release=stage.release, source=stage.source, live_label="2026.10.4", hours=1,
            state_digest=stage.release.pins.first().version.sha256,
            started_by=stage.people.operator, started_at=START, watched_until=START + timedelta(hours=1),
        )  # fmt: skip
        windows(stage, 1, label="2026.10.4", requests=200)
        report = shadow.report(run, shadow.judge_shadow(run, until=run.watched_until), until=run.watched_until)
        run.state, run.report, run.ended_at = report.outcome, canonical.plain(report), run.watched_until
        run.report_digest, run.end_reason = canonical.digest(run.report), " ".join(report.reasons) or "It went well."
        run.save(force_insert=True)


def test_the_live_page_shows_progress_series_limits_and_what_happened(running, browser_page, axe_clean):
    address = f"/systems/{running.system.slug}/releases/{running.release.label}/"
    with time_machine.travel(START + timedelta(hours=3, minutes=1), tick=True):
        page = browser_page(user=running.people.operator)
        page.clock.install()
        page.goto(address)
        card = page.locator("#rollout")
        expect(card).to_contain_text("2 of 24 hours covered")
        expect(card.get_by_role("img", name="Hours of the canary")).to_have_count(1)
        drawn = card.locator("[data-plot] svg.main-svg >> nth=0")
        expect(drawn).to_be_visible()
        assert [limit.text_content() for limit in card.locator("svg .annotation-text").all()] == [
            "limit 1.5\xa0%",
            "limit 2000 ms",
        ]
        happened = card.locator("ol, ul").last
        expect(happened).to_contain_text(NEW_SERIES)
        expect(happened).to_contain_text(GAP)
        expect(happened).to_contain_text("10 min, not answered, which counts against it")
        expect(happened).to_contain_text("Told the deploy system: start the canary, 10 % of traffic")
        kept(page, "rollout-light-desktop")
        axe_clean(page)
        page.set_viewport_size({"width": PHONE, "height": 844})
        page.emulate_media(color_scheme="dark")
        kept(page, "rollout-dark-phone")
        axe_clean(page)
        # The next minutes come in; the page asks for them by itself.
        with between_requests:
            windows(running, 1, since=START + timedelta(hours=3), requests=30)
            Rollout.objects.update(watched_until=START + timedelta(hours=4))
    with time_machine.travel(START + timedelta(hours=4, minutes=1), tick=True):
        page.clock.run_for(31_000)
        expect(card).to_contain_text("3 of 24 hours covered")
        expect(card.locator("[data-plot] svg.main-svg >> nth=0")).to_be_visible()
        page.goto("about:blank")  # asks for nothing any more


def test_a_person_aborts_it_by_hand_and_the_page_tells_it_beside_the_shadow_before(running, browser_page, axe_clean):
    shadowed(running)
    with time_machine.travel(START + timedelta(hours=3, minutes=1), tick=True):
        page = browser_page(user=running.people.operator)
        page.goto(f"/systems/{running.system.slug}/releases/{running.release.label}/")
        card = page.locator("#shadow")
        expect(card).to_contain_text("1 of 1 hour covered, watched with Request trail. Nobody sees its answers.")
        expect(card.get_by_role("row", name=re.compile("^error rate"))).to_contain_text("Passed")
        page.get_by_role("button", name="Roll back").first.click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Why").fill("Customers complain about invoices.")
        dialog.get_by_role("button", name="Roll back").click()
        expect(page.get_by_role("heading", level=1).locator("..")).to_contain_text("Rolled back")
        told = page.locator("#rollout")
        expect(told).to_contain_text("Customers complain about invoices.")
        expect(told).to_contain_text("Told the deploy system: roll back")
        kept(page, "rollout-aborted")
        axe_clean(page)
    plan = Rollout.objects.get()
    assert (plan.state, plan.end_reason) == ("aborted", "Customers complain about invoices.")
    acts = running.release.instructions.order_by("ordered_at").values_list("act", "share")
    assert list(acts) == [("start", Decimal("0.1")), ("roll-back", Decimal(0))]


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", PHONE)])
def test_golden_set_and_an_answer_that_cannot_be_used_are_clean(
    stage, settings, tmp_path, browser_page, axe_clean, theme, width
):
    settings.REQUIRE_MFA = False
    settings.EVALUATION_ROOTS = [str(tmp_path)]
    now = timezone.now()
    ask(stage, [f"Meine Garantie ist abgelaufen, was kann ich tun? {n}" for n in range(40)], now - timedelta(minutes=2))
    common = {"by": stage.people.engineer, "now": now}
    source = create_source(system=stage.system, kind="table", name="Nightly", config={"location": "a.csv"}, **common)
    aim_sources(stage.release, now=now)
    (ordered,) = pull.order_pull(source=source, **common)
    pull.perform(pull_id=str(ordered.pk), now=now)
    page = browser_page(user=stage.people.engineer, theme=theme, width=width)
    page.goto(f"/systems/{stage.system.slug}/golden-set/")
    page.wait_for_selector("[data-plot] svg.main-svg")
    expect(page.get_by_text("Length (characters): stability index").first).to_be_visible()
    expect(page.locator(".tabs [aria-current]")).to_be_in_viewport(ratio=0.9)
    kept(page, f"golden-set-{width}")
    axe_clean(page)
    page.goto(f"/systems/{stage.system.slug}/releases/{stage.release.label}/items/evaluation.gate/")
    expect(page.locator("#untaken")).to_contain_text("Nightly, about 2026.11.2: There is no file")
    kept(page, f"untaken-{width}")
    axe_clean(page)
