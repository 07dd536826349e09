"""Chat and pager services through apprise, sent for real to receivers on this machine."""

import json
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone

from audit.canonical import loads
from audit.ledger import entries
from audit.models import Payload
from operations import chat, deliver
from operations.actions.channels import create_channel, resend, send_test
from operations.errors import InvalidInput
from operations.models import Delivery
from operations.notify import notify
from readiness import environment
from tests.operations.conftest import Receiver

pytestmark = pytest.mark.django_db


@pytest.fixture
def oncall(system, admin, receiver, settings, now):
    """A channel to a service that takes JSON."""
    settings.CHAT_TARGETS = {"oncall": f"json://robot:pass-of-the-robot@127.0.0.1:{receiver.port}/alarm"}
    return create_channel(system=system, name="On call", kind="apprise", target="oncall", by=admin, now=now)[0]


def alarm(system, now, **changes):
    told = {"topic": "operations.cost-spike", "system": system, "subject": "system:x", "title": "It costs too much"}
    told |= {"body": "60 USD were spent.", "url": "/systems/support-bot/operations/", "now": now, "breach_at": now}
    return notify(**told | changes).deliveries.get()


def attempt(delivery, now):
    deliver.attempt(str(delivery.pk), now=now)
    delivery.refresh_from_db()
    return delivery


def test_an_alarm_reaches_the_service_and_the_log_says_so(oncall, system, receiver, now):
    delivery = attempt(alarm(system, now), now)
    ((headers, body),) = receiver.requests
    said = json.loads(body)
    assert said["title"] == "[Readiness] It costs too much" and said["type"] == "failure"
    assert said["message"].splitlines()[0] == "60 USD were spent."
    assert said["message"].endswith("/systems/support-bot/operations/")
    assert headers["Authorization"].startswith("Basic ")
    assert delivery.state == "sent" and delivery.delay is not None


def test_what_is_no_alarm_is_sent_as_news(oncall, system, receiver, now):
    attempt(alarm(system, now, breach_at=None), now)
    assert json.loads(receiver.requests[0][1])["type"] == "info"


def test_a_chat_that_speaks_as_slack_does_gets_text(system, admin, receiver, settings, now):
    """Mattermost takes Slack's webhooks, and, unlike Slack, may stand on this machine."""
    settings.CHAT_TARGETS = {"chat": f"mmost://127.0.0.1:{receiver.port}/3ccdd113474722377935511fc85d3dd4"}
    create_channel(system=system, name="Chat", kind="apprise", target="chat", by=admin, now=now)
    assert attempt(alarm(system, now), now).state == "sent"
    assert "It costs too much" in json.loads(receiver.requests[0][1])["text"]


def test_a_service_that_refuses_is_tried_again_and_given_up_in_the_end(oncall, system, admin, receiver, now):
    receiver.answers = [500] * deliver.MAX_ATTEMPTS
    delivery = attempt(alarm(system, now), now)
    assert delivery.state == "failed" and delivery.next_at > now and "500" in delivery.last_error
    for _ in range(deliver.MAX_ATTEMPTS):
        delivery = attempt(delivery, delivery.next_at + timedelta(seconds=1))
    assert (delivery.state, delivery.attempts) == ("dead", deliver.MAX_ATTEMPTS)
    resend(delivery=delivery, by=admin, now=timezone.now())
    assert attempt(delivery, timezone.now()).state == "sent"


def test_the_log_of_deliveries_never_quotes_the_address(oncall, system, receiver, now):
    receiver.stop()
    delivery = attempt(alarm(system, now), now)
    assert delivery.state == "failed" and delivery.last_error.startswith("The service did not take it: ")
    assert "pass-of-the-robot" not in delivery.last_error and "://" not in delivery.last_error


def test_a_redirect_is_not_followed(oncall, system, receiver, now):
    inside = Receiver()
    inside.start()
    receiver.answers, receiver.location = [307], f"http://127.0.0.1:{inside.port}/admin"
    delivery = attempt(alarm(system, now), now)
    inside.stop()
    assert inside.requests == [] and delivery.state == "failed"


def test_the_test_button_proves_the_channel(oncall, admin, receiver, now):
    notification = send_test(channel=oncall, by=admin, now=now)
    attempt(notification.deliveries.get(), now)
    oncall.refresh_from_db()
    assert oncall.tested_at is not None and "Test of the channel" in json.loads(receiver.requests[0][1])["title"]


@pytest.mark.parametrize("target", ["json://127.0.0.1:1/hook", "slack://a/b/c", "nobody-set-this", ""])
def test_nobody_in_a_browser_says_where_to(system, admin, settings, now, target):
    settings.CHAT_TARGETS = {"oncall": "json://127.0.0.1:1"}
    with pytest.raises(InvalidInput, match="They are: oncall"):
        create_channel(system=system, name="Chat", kind="apprise", target=target, by=admin, now=now)


def test_neither_page_nor_record_holds_more_than_the_name(oncall, system):
    assert oncall.shown_target == oncall.target == "oncall"
    created = next(entry for entry in entries(system=system.slug) if entry.kind == "channel.created")
    payload = loads(bytes(Payload.objects.get(index=created.index).payload))
    assert payload["target"] == "oncall"


def test_a_target_that_the_operator_took_away_is_said_and_tried_again(oncall, system, settings, now):
    settings.CHAT_TARGETS = {}
    delivery = attempt(alarm(system, now), now)
    assert delivery.state == "failed" and "no target called oncall" in delivery.last_error
    settings.CHAT_TARGETS = {"oncall": "no-such-service://x"}
    delivery = attempt(delivery, delivery.next_at + timedelta(seconds=1))
    assert Delivery.objects.get().state == "failed" and "no service that apprise knows" in delivery.last_error


@pytest.mark.parametrize(
    "address",
    [
        "slack://TokenA123/TokenB123/tokenCabcdefghijklmnopqrst/%23oncall",
        "workflows://prod-1.westus.logic.azure.com:443/643e69f83c8944438d68119179a10a64/KODuebWbDGYFr0z0eu/",
        "pagerduty://0123456789abcdefghijkl0123456789@abcdefghij0123456789abcdefghij01",
        "opsgenie://12345678-1234-1234-1234-123456789012",
        "mmost://chat.example.com/3ccdd113474722377935511fc85d3dd4",
    ],
)
def test_the_services_of_the_documentation_are_known(address):
    assert chat._service(address) is not None


def test_the_operator_sets_targets_in_one_variable_or_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TARGETS", "oncall=slack://a/b/c?x=1  pager=pagerduty://k@i")
    assert environment.named("TARGETS") == {"oncall": "slack://a/b/c?x=1", "pager": "pagerduty://k@i"}
    file = tmp_path / "targets"
    file.write_text("oncall=slack://a/b/c\npager=pagerduty://k@i\n")
    monkeypatch.setenv("TARGETS_FILE", str(file))
    assert list(environment.named("TARGETS")) == ["oncall", "pager"]


@pytest.mark.parametrize("given", ["slack://secret/b/c", "a=secret", "=slack://secret", "a=json://x a=json://secret"])
def test_a_target_that_cannot_be_right_stops_the_start_without_being_quoted(monkeypatch, given):
    monkeypatch.setenv("TARGETS", given)
    with pytest.raises(ImproperlyConfigured, match="TARGETS: entry") as refused:
        environment.named("TARGETS")
    assert "secret" not in str(refused.value)
