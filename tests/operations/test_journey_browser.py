"""From an alarm to the review after a launch, in a browser, with a real mail server and receiver.

The bounded variant of tests/journeys/test_operations.py: the work of the worker is done at once, by what it calls.
"""

from datetime import timedelta
from email import message_from_bytes
from email.policy import default

import pytest
import time_machine
from django.utils import timezone
from playwright.sync_api import expect

from operations import budget_watch, deliver, health_watch
from operations.actions.reviews import note_launch
from operations.models import Channel, Delivery, Review
from operations.queries import active_freezes, alarm_delays
from tests.operations.test_budget_watch import spend

pytestmark = [pytest.mark.django_db, pytest.mark.browser, pytest.mark.timeout(300)]
HERE = "/systems/support-bot/operations/"
DAY = timedelta(days=1)


@pytest.fixture
def come(browser_page, people, settings):
    """`come("Oli", "operations")`: somebody with these roles, at a window of their own."""
    settings.REQUIRE_MFA = False
    pages = {}

    def enter(name, *roles):
        if name not in pages:
            pages[name] = browser_page(user=people(name, *roles))
        pages[name].goto(HERE)
        return pages[name]

    return enter


def work():
    """What the worker does every few seconds."""
    budget_watch.watch_all(now=timezone.now())
    health_watch.watch_all(now=timezone.now())
    for delivery in deliver.due(timezone.now()):
        deliver.attempt(str(delivery.pk), now=timezone.now())


def press(page, name):
    """A button that asks back, and its answer."""
    page.get_by_role("button", name=name).first.click()
    page.get_by_role("dialog").get_by_role("button", name=name).click()


def test_from_an_alarm_to_the_review_after_the_launch(system, come, browser_page, inbox, receiver, admin, now):
    note_launch(system=system, label="2026.11.1", at=now - timedelta(days=2), now=now)
    for days in range(1, 4):
        with time_machine.travel(now - DAY * days, tick=False):
            spend(system, "10", timezone.now())
    connect(browser_page(user=admin), receiver)
    oli = come("Oli", "operations")
    for dollars, words in (("45", "comes close to its budget"), ("5.5", "has used up its budget")):
        spend(system, dollars, timezone.now())
        work()
        assert any(words in body.decode() for _, body in receiver.requests)
        subjects = [str(message_from_bytes(mail.content, policy=default)["subject"]) for mail in inbox.mails]
        assert any(words in subject for subject in subjects), (
            subjects,
            list(Delivery.objects.values_list("last_error")),
        )
    delays = alarm_delays(system, timezone.now())
    assert (delays.alarms, delays.undelivered) == (2, 0) and delays.worst < timedelta(minutes=5)
    oli.goto(HERE)
    oli.get_by_role("button", name="Acknowledge").first.click()
    expect(oli.get_by_text("You have it: it is not escalated.")).to_be_visible()

    (freeze,) = active_freezes(system, timezone.now())
    assert (freeze.cause, freeze.imposed_by) == ("cost_spike", None), "the product froze it by itself"
    assert "4.5 times the usual 10.00 USD" in freeze.reason
    expect(oli.get_by_text(freeze.reason).first).to_be_visible()
    mitigate_and_lift(come)
    work()
    assert active_freezes(system, timezone.now()) == []
    review(come("Pia", "product"))


def connect(page, receiver):
    page.goto(f"{HERE}channels/")
    page.get_by_role("button", name="Add a channel").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name").fill("Incident bot")
    form.get_by_label("Kind").select_option("webhook")
    form.get_by_label("Address").fill(receiver.url)
    form.get_by_role("button", name="Add").click()
    page.get_by_role("link", name="I have kept it").click()
    page.get_by_role("row", name="Incident bot").get_by_role("button", name="Test").click()
    work()
    assert Channel.objects.get().tested_at is not None


def mitigate_and_lift(come):
    author = come("Pia", "product")
    author.get_by_role("button", name="Record what was done").click()
    form = author.get_by_role("dialog")
    form.get_by_label("What was done").fill("The loop in the importer is gone.")
    form.get_by_role("button", name="Record").click()
    for who, side in (("Ed", "engineering"), ("Oli", "operations")):
        page = come(who, side)
        page.get_by_role("button", name=f"Confirm for {side}").click()
    expect(page.get_by_text("The freeze is lifted.")).to_be_visible()


def review(page):
    page.goto(f"{HERE}reviews/")
    page.get_by_role("link", name="After launch").first.click()
    press(page, "Freeze the numbers")
    expect(page.get_by_role("heading", name="Frozen numbers")).to_be_visible()
    page.get_by_label("Something has to be done").check()
    page.get_by_label("Findings").fill("The importer looped on its second day. It has a limit now.")
    press(page, "Close the review")
    expect(page.get_by_text("The review is made, and does not change any more.")).to_be_visible()
    made = Review.objects.get(kind="post_launch")
    assert made.numbers["budget_alarms"] == 2 and made.numbers["freezes"] == 1
