"""The pages, as people with different roles use them."""

import re
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from standardwebhooks import Webhook

from operations import deliver
from operations.actions.channels import create_channel
from operations.actions.drills import note_moment, plan_drill, start_drill
from operations.actions.freezes import confirm_mitigation, impose_freeze, record_mitigation
from operations.models import Channel, Delivery, Drill, Freeze, MailPreference, StatusChange
from operations.notify import notify
from operations.queries import active_freezes

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_second_factor(settings):
    settings.REQUIRE_MFA = False


@pytest.fixture
def visit(client):
    """`visit(user)`: a browser in which that person is signed in."""

    def sign_in(user):
        client.force_login(user)
        return client

    return sign_in


def at(name, *args):
    return reverse(f"operations:{name}", args=args)


def text(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_a_stranger_is_told_that_there_is_nothing(system, other_system, people, visit, now):
    browser = visit(people("Sam", "operations", system="search"))
    freeze = impose_freeze(system=system, reason="Secret reason.", by=None, now=now)
    pages = [
        at("system", "support-bot"), at("drills", "support-bot"), at("channels", "support-bot"),
        at("mitigation", "support-bot", freeze.pk), at("mitigation", "search", freeze.pk),
    ]  # fmt: skip
    for page in pages:
        response = browser.post(page, {"text": "x"}) if "mitigation" in page else browser.get(page)
        assert response.status_code == 404, page
        assert b"Secret reason" not in response.content
    assert Freeze.objects.get().mitigation == ""


def test_the_overview_of_a_quiet_system(system, people, visit):
    response = visit(people("Oli", "operations")).get(at("system", "support-bot"))
    page = text(response)
    assert response.status_code == 200
    assert "Spent today $0.00" in page and "Daily cap $50.00" in page
    assert "A budget alarm would reach no channel" in page
    assert "No drill yet" in page and "No alarm in 30 days" in page


def test_an_alarm_is_shown_with_what_was_seen(system, people, visit, now):
    told = {"topic": "operations.error-rate", "system": system, "subject": "r:1", "title": "Errors", "url": ""}
    notify(**told, body="3 of 47 requests failed.", now=now, breach_at=now)
    page = text(visit(people("Oli", "operations")).get(at("system", "support-bot")))
    assert "Errors 3 of 47 requests failed." in page


def test_an_auditor_sees_why_the_buttons_are_not_theirs(system, people, visit):
    page = text(visit(people("Eve", "auditor")).get(at("system", "support-bot")))
    assert "Switching a system takes the role engineering or operations on this system." in page
    assert "Freezing a system takes the role" in page
    response = visit(people("Ivo", "auditor")).post(at("freeze", "support-bot"), {"reason": "x"})
    assert response.status_code == 403 and not Freeze.objects.exists()


def test_a_freeze_through_the_browser(system, people, visit):
    mara, ed, oli = people("Mara", "product"), people("Ed", "engineering"), people("Oli", "operations")
    overview = at("system", "support-bot")
    browser = visit(ed)
    assert browser.post(at("freeze", "support-bot"), {"reason": ""}).status_code == 422
    assert browser.post(at("freeze", "support-bot"), {"reason": "Leaks <b>names</b>."}).url == overview
    freeze = Freeze.objects.get()
    assert b"Leaks &lt;b&gt;names&lt;/b&gt;." in browser.get(overview).content

    visit(mara).post(at("mitigation", "support-bot", freeze.pk), {"text": "Filtered.", "release_label": ""})
    confirm = at("confirmation", "support-bot", freeze.pk)
    page = visit(ed).get(overview).content.decode()
    seen = re.search(r'name="seen" value="([^"]+)"', page)[1]
    assert visit(mara).post(confirm, {"side": "engineering", "seen": seen}).status_code == 403
    assert visit(ed).post(confirm, {"side": "engineering", "seen": "sha256:" + "0" * 64}).status_code == 409
    visit(ed).post(confirm, {"side": "engineering", "seen": seen})
    assert active_freezes(system, timezone.now())
    visit(oli).post(confirm, {"side": "operations", "seen": seen})
    assert not active_freezes(system, timezone.now())
    assert "Filtered." in text(visit(oli).get(overview))


def test_switching_the_status(system, people, visit):
    browser = visit(people("Oli", "operations"))
    browser.post(at("status", "support-bot"), {"status": "degraded", "hours": "4", "reason": "Retrieval is slow."})
    change = StatusChange.objects.get()
    assert timedelta(hours=3, minutes=59) < change.expires_at - timezone.now() <= timedelta(hours=4)
    page = text(browser.get(at("system", "support-bot")))
    assert "Degraded" in page and "Retrieval is slow." in page
    browser.post(at("status", "support-bot"), {"status": "stopped", "hours": "4", "reason": "Worse."})
    assert StatusChange.objects.first().expires_at is None


def test_a_drill_through_the_browser(system, people, visit):
    oli, ed = people("Oli", "operations"), people("Ed", "engineering")
    browser = visit(oli)
    planned = {"kind": "incident", "environment": "staging", "plan": "Pull the plug.", "participants": [str(ed.pk)]}
    assert "This field is required" in text(browser.post(at("drills", "support-bot"), planned | {"plan": ""}))
    where = browser.post(at("drills", "support-bot"), planned).url
    drill = Drill.objects.get()
    browser.post(where + "start/")
    browser.post(where + "moments/", {"text": "Alarm rang."})
    file = SimpleUploadedFile("run.html", b"<script>alert(1)</script>", content_type="text/html")
    early = browser.post(where + "end/", {"outcome": "passed", "log": "x"})
    assert early.status_code == 409 and "mark the recovery first" in text(early)
    browser.post(where + "recovered/")
    browser.post(where + "end/", {"outcome": "passed", "log": "All well.", "evidence": file})
    drill.refresh_from_db()
    assert drill.outcome == "passed" and drill.measured < timedelta(minutes=1)
    page = text(browser.get(where))
    assert "Alarm rang." in page and "All well." in page and "Ed" in page
    download = browser.get(where + "evidence/")
    assert download.content == b"<script>alert(1)</script>"
    assert download["Content-Disposition"].startswith("attachment")
    assert download["Content-Type"] == "application/octet-stream"
    assert "sandbox" in download["Content-Security-Policy"]
    assert "Simulated incident" in text(browser.get(at("drills", "support-bot")))


def test_a_channel_through_the_browser(system, people, visit, receiver, admin):
    browser = visit(admin)
    page = at("channels", "support-bot")
    form = {"name": "Bot", "kind": "webhook", "target": receiver.url}
    refused = browser.post(page, form | {"target": "ftp://example.com"})
    assert refused.status_code == 422 and "Only http and https" in text(refused)
    made = browser.post(page, form)
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", made.content.decode())[0]
    assert "no-store" in made["Cache-Control"]
    channel = Channel.objects.get()

    browser.post(at("channel-test", channel.pk))
    delivery = Delivery.objects.get()
    deliver.attempt(str(delivery.pk), now=timezone.now())
    headers, body = receiver.requests[0]
    assert Webhook(secret).verify(body, headers)["type"] == "operations.channel-test"
    listed = browser.get(page)
    assert "Test of the channel Bot" in text(listed) and "Sent" in text(listed)
    assert b"of-the-receiver" not in listed.content  # the query string may be a key
    assert secret not in listed.content.decode()

    browser.post(at("resend", delivery.pk))
    deliver.attempt(str(delivery.pk), now=timezone.now())
    assert len(receiver.requests) == 2
    rotated = browser.post(at("channel-rotate", channel.pk)).content.decode()
    assert re.search(r"whsec_[A-Za-z0-9+/=]+", rotated)[0] != secret
    browser.post(at("channel-switch", channel.pk))
    channel.refresh_from_db()
    assert channel.state == "off"

    oli = visit(people("Oli", "operations"))
    assert oli.post(at("channel-switch", channel.pk)).status_code == 403
    stranger = visit(people("Sam", "operations", system="elsewhere"))
    assert stranger.post(at("channel-test", channel.pk)).status_code == 404
    assert stranger.post(at("resend", delivery.pk)).status_code == 404


def test_settings_of_the_organisation_are_for_admins(people, visit, admin, now):
    create_channel(system=None, name="Everybody", kind="email", target="all@example.com", by=admin, now=now)
    assert "Everybody" in text(visit(admin).get(at("settings")))
    refused = visit(people("Oli", "operations")).get(at("settings"))
    assert refused.status_code == 403 and "Everybody" not in text(refused)


def test_everybody_chooses_their_own_mail(people, visit):
    oli = people("Oli", "operations")
    browser = visit(oli)
    assert "Alarms only" in text(browser.get(at("mail")))
    browser.post(at("mail"), {"mode": "alarms"})
    assert MailPreference.objects.get(user=oli).mode == "alarms"
    assert browser.post(at("mail"), {"mode": "loud"}).status_code == 422


def test_pages_ask_no_more_of_the_database_as_they_grow(system, people, visit, admin, now):
    oli, ed, mara = people("Oli", "operations"), people("Ed", "engineering"), people("Mara", "product")
    create_channel(system=system, name="Box", kind="email", target="a@example.com", by=admin, now=now)

    def more():
        freeze = impose_freeze(system=system, reason="Reason.", by=ed, now=now)
        freeze = record_mitigation(freeze=freeze, text="Done.", by=mara, now=now)
        seen = freeze.mitigation_digest
        confirm_mitigation(freeze=freeze, side="engineering", seen=seen, by=ed, now=now)
        drill = plan_drill(
            system=system, kind="degradation", environment="staging", plan="x", participants=[], by=oli, now=now
        )
        start_drill(drill=drill, by=oli, now=now)
        for _ in range(3):
            note_moment(drill=drill, text="x", by=ed, now=now)
        notify(
            topic="x", system=system, subject=f"y:{drill.pk}", title="z", body="", url="", now=now, breach_at=now,
            roles=["operations"],
        )  # fmt: skip
        return drill

    browser = visit(oli)

    def asked(*pages):
        counts = []
        for page in pages:
            with CaptureQueriesContext(connection) as queries:
                assert browser.get(page).status_code == 200
            counts.append(len(queries))
        return counts

    first = more()
    pages = [at(name, "support-bot") for name in ("system", "drills", "channels")]
    browser.get(pages[0])
    before = asked(*pages, at("drill", "support-bot", first.pk))
    for _ in range(4):
        last = more()
    for _ in range(5):
        note_moment(drill=last, text="x", by=ed, now=now)
    assert asked(*pages, at("drill", "support-bot", last.pk)) == before
    assert max(before) < 40, before
