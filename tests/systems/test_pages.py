"""Every page of systems in a real browser: in both themes and on a phone nothing overflows and axe finds nothing."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, expect

from systems import actions
from systems.kinds import Kind
from systems.models import Component, ReleasePolicy
from tests.browser import DESKTOP, PHONE
from tests.factories import OUTPUT_SCHEMA, PROMPT, Whole, make_system, make_version, make_whole_system, sign_in

pytestmark = [pytest.mark.django_db, pytest.mark.browser]

NOW = timezone.now() - timedelta(days=1)


@pytest.fixture
def whole() -> Whole:
    """A system with a version in review, another sent back, a weaker policy proposed, and one with gaps."""
    whole = make_whole_system(now=NOW)
    people = whole.people
    for person in (people.engineer, people.engineer2, people.auditor, people.product):
        sign_in(person, now=NOW)
    prompt = make_version(
        Component.objects.get(kind=Kind.PROMPT),
        PROMPT + b"Never guess.\n",
        by=people.engineer,
        now=NOW,
        note="Guess less.",
    )
    actions.submit_version(version=prompt, by=people.engineer, now=NOW)
    wider = {**OUTPUT_SCHEMA, "additionalProperties": True}
    schema = make_version(
        Component.objects.get(kind=Kind.OUTPUT_SCHEMA), json.dumps(wider).encode(), by=people.engineer, now=NOW
    )
    actions.add_consumer(
        component=schema.component, name="billing-service", reached_at="#billing", by=people.engineer, now=NOW
    )
    actions.write_compatibility(
        version=schema, text="Ignore members you do not know.", window_days=30, by=people.engineer, now=NOW
    )
    schema = actions.submit_version(version=schema, by=people.engineer, now=NOW)
    actions.send_back_version(version=schema, by=people.engineer2, note="It lets everything through.", now=NOW)
    body = {"error_rate_max": "0.03", "canary_hours": 48}
    actions.propose_policy(
        system=whole.system, part="release", body=body, reason="Weekends.", by=people.operator, now=NOW
    )
    make_system("bare", name="Bare minimum", now=NOW)
    return whole


PAGES = [
    ("list", ()),
    ("create", ()),
    ("detail", ("support-bot",)),
    ("detail", ("bare",)),
    ("change", ("support-bot",)),
    ("owners", ("support-bot",)),
    ("component", ("support-bot", "prompt", "system-prompt")),
    ("draft", ("support-bot", "prompt", "system-prompt")),
    ("draft", ("support-bot", "dataset", "golden-set")),
    ("version", ("support-bot", "prompt", "system-prompt", 2)),
    ("version", ("support-bot", "output_schema", "answer", 2)),
    ("component", ("support-bot", "output_schema", "answer")),
    ("version", ("support-bot", "dataset", "golden-set", 1)),
    ("policy", ("support-bot",)),
    ("propose", ("support-bot", "running")),
    ("policy-version", ("support-bot", "release", 2)),
]


@pytest.mark.timeout(300)  # fifteen pages, each read by axe
@pytest.mark.parametrize(("theme", "width"), [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE)])
def test_pages_are_clean(
    whole: Whole, browser_page: Callable[..., Page], axe_clean: Callable[[Page], None], theme: str, width: int
) -> None:
    page = browser_page(user=whole.people.product, theme=theme, width=width)
    for route, args in PAGES:
        page.goto(reverse(f"systems:{route}", args=args))
        expect(page.locator("h1")).to_be_visible()
        axe_clean(page)


def test_a_reviewer_approves_with_the_keyboard(whole: Whole, browser_page: Callable[..., Page]) -> None:
    page = browser_page(user=whole.people.engineer2)
    page.goto(reverse("systems:version", args=["support-bot", "prompt", "system-prompt", 2]))
    expect(page.get_by_text("Never guess.").first).to_be_visible()
    page.keyboard.press("v")
    dialog = page.get_by_role("dialog", name="Review version 2")
    expect(dialog).to_be_visible()
    dialog.get_by_label("Note").fill("Read every word.")
    dialog.get_by_role("button", name="Approve").press("Enter")
    expect(
        page.get_by_text("Approved: releases can pin it.").or_(page.get_by_text("approved: releases"))
    ).to_be_visible()
    expect(page.get_by_text("Read every word.")).to_be_visible()
    assert Component.objects.get(kind=Kind.PROMPT).versions.get(number=2).state == "approved"


def test_a_weaker_policy_is_decided_on_the_page(whole: Whole, browser_page: Callable[..., Page]) -> None:
    page = browser_page(user=whole.people.product)
    page.goto(reverse("systems:policy", args=["support-bot"]))
    page.get_by_role("link", name="Compare and decide").click()
    expect(page.get_by_text("It asks for less than the shipped policy.")).to_be_visible()
    page.get_by_role("button", name="Approve as product").click()
    expect(page.get_by_text("The other approval is still to come.")).to_be_visible()
    assert ReleasePolicy.objects.get(number=2).state == "draft"
