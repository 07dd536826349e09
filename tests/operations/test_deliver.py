"""Deliveries to a real mail server and a real receiver that verifies signatures as any other would."""

import email
import email.policy
import itertools
from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from jobs.models import Job
from operations import deliver
from operations.actions.channels import create_channel, resend, rotate_secret, send_test, switch_channel
from operations.errors import InvalidInput, Refused
from operations.models import Delivery, Notification
from operations.notify import notify

pytestmark = pytest.mark.django_db


def tell(system, now, **changes):
    told = {"topic": "releases.signed", "system": system, "subject": "release:1", "title": "Signed", "body": "By two."}
    return notify(**told | {"url": "/releases/", "now": now} | changes)


def webhook(system, receiver, admin, now, **changes):
    made = {"system": system, "name": "Incident bot", "kind": "webhook", "target": receiver.url}
    return create_channel(**made | changes, by=admin, now=now)


def mailbox(system, admin, now, **changes):
    made = {"system": system, "name": "On call", "kind": "email", "target": "oncall@example.com"}
    return create_channel(**made | changes, by=admin, now=now)[0]


def attempt_all(now):
    for delivery in deliver.due(now):
        deliver.attempt(str(delivery.pk), now=now)


def test_a_webhook_arrives_once_and_verifies(system, receiver, admin, now):
    _, secret = webhook(system, receiver, admin, now)
    notification = tell(system, now)
    delivery = notification.deliveries.get()

    deliver.attempt(str(delivery.pk), now=timezone.now())
    deliver.attempt(str(delivery.pk), now=timezone.now())  # the message of the broker came twice

    ((headers, body),) = receiver.requests
    said = Webhook(secret).verify(body, headers)
    assert said["type"] == "releases.signed"
    assert said["data"]["title"] == "Signed"
    assert said["data"]["system"] == "support-bot"
    assert said["data"]["url"].endswith("/releases/")
    assert headers["webhook-id"] == delivery.message_id
    delivery.refresh_from_db()
    assert delivery.state == "sent" and delivery.attempts == 1 and delivery.response_code == 200
    assert timedelta(0) <= delivery.delay < timedelta(seconds=30)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace(b"Signed", b"Forged"), headers)


def test_mail_arrives_at_a_real_server_with_link_and_constant_id(system, inbox, admin, people, now):
    oli = people("Oli", "operations")
    people("Eve", "auditor")
    mailbox(system, admin, now)
    tell(system, now, roles=["operations"], title="Line one\r\nBcc: eve@example.com")

    attempt_all(timezone.now())

    assert sorted(mail.rcpt_tos[0] for mail in inbox.mails) == sorted([oli.email, "oncall@example.com"])
    (mail,) = inbox.to(oli.email)
    message = email.message_from_bytes(mail.content, policy=email.policy.default)
    assert (
        message["Subject"] == "[Readiness] Line one Bcc: eve@example.com"
    )  # one line: no header of the sender's making
    assert message["Bcc"] is None
    assert message["Message-ID"] == f"<{Delivery.objects.get(person=oli).message_id}@localhost>"
    text = message.get_content()
    assert "http://localhost:8000/releases/" in text
    assert "because of the role you hold on Support bot" in text
    assert "http://localhost:8000/settings/mail/" in text


def test_the_same_event_twice_is_one_delivery(system, receiver, admin, now):
    webhook(system, receiver, admin, now)
    first = tell(system, now, key="event:1")
    again = tell(system, now + timedelta(seconds=5), key="event:1", title="Told again")
    assert first == again
    attempt_all(timezone.now() + timedelta(seconds=6))
    assert len(receiver.requests) == 1
    assert Notification.objects.filter(topic="releases.signed").count() == 1


def test_the_database_keeps_a_notification_from_having_two_deliveries_to_one_channel(system, receiver, admin, now):
    channel, _ = webhook(system, receiver, admin, now)
    notification = tell(system, now)
    with pytest.raises(IntegrityError), transaction.atomic():
        Delivery.objects.create(notification=notification, channel=channel, next_at=now, created_at=now)


def test_a_receiver_that_was_down_gets_it_when_it_is_up_again(system, receiver, admin, now):
    _, secret = webhook(system, receiver, admin, now)
    receiver.stop()
    delivery = tell(system, now).deliveries.get()

    deliver.attempt(str(delivery.pk), now=now)
    delivery.refresh_from_db()
    assert delivery.state == "failed" and "could not be reached" in delivery.last_error
    first_wait = delivery.next_at - timezone.now()
    assert timedelta(seconds=1) < first_wait <= timedelta(seconds=5)

    deliver.attempt(str(delivery.pk), now=now)  # not due yet: nothing happens
    delivery.refresh_from_db()
    assert delivery.attempts == 1

    receiver.start()
    later = delivery.next_at + timedelta(seconds=1)
    with time_machine.travel(later):
        deliver.attempt(str(delivery.pk), now=later)
        ((headers, body),) = receiver.requests
        Webhook(secret).verify(body, headers)
    delivery.refresh_from_db()
    assert delivery.state == "sent" and delivery.attempts == 2 and delivery.last_error == ""


def test_a_receiver_that_answers_500_is_tried_again_under_the_same_id(system, receiver, admin, now):
    webhook(system, receiver, admin, now)
    receiver.answers = [503, 500]
    delivery = tell(system, now).deliveries.get()
    when = now
    for _ in range(3):
        with time_machine.travel(when):
            deliver.attempt(str(delivery.pk), now=when)
        delivery.refresh_from_db()
        when = delivery.next_at + timedelta(seconds=1)
    assert delivery.state == "sent" and delivery.attempts == 3
    assert {headers["webhook-id"] for headers, _ in receiver.requests} == {delivery.message_id}
    assert len({body for _, body in receiver.requests}) == 1


def test_a_receiver_that_is_gone_is_not_asked_again(system, receiver, admin, now):
    webhook(system, receiver, admin, now)
    receiver.answers = [410]
    delivery = tell(system, now).deliveries.get()
    deliver.attempt(str(delivery.pk), now=now)
    delivery.refresh_from_db()
    assert delivery.state == "dead" and delivery.response_code == 410


def test_after_the_last_attempt_it_is_given_up_and_can_be_sent_again(system, receiver, admin, now):
    webhook(system, receiver, admin, now)
    receiver.answers = [500] * deliver.MAX_ATTEMPTS
    delivery = tell(system, now).deliveries.get()
    when = now
    for _ in range(deliver.MAX_ATTEMPTS):
        with time_machine.travel(when):
            deliver.attempt(str(delivery.pk), now=when)
        delivery.refresh_from_db()
        when = delivery.next_at + timedelta(seconds=1)
    assert delivery.state == "dead" and delivery.attempts == deliver.MAX_ATTEMPTS
    assert when - now > timedelta(hours=2)
    assert not deliver.due(when + timedelta(days=1)).exists()

    orders = Job.objects.filter(task="operations.deliver").count()
    resend(delivery=delivery, by=admin, now=when)
    assert Job.objects.filter(task="operations.deliver").count() == orders + 1
    with time_machine.travel(when):
        deliver.attempt(str(delivery.pk), now=when)
    delivery.refresh_from_db()
    assert delivery.state == "sent"
    assert receiver.requests[-1][0]["webhook-id"] == receiver.requests[0][0]["webhook-id"]


def test_a_second_sending_does_not_change_when_it_first_arrived(system, receiver, admin, now):
    webhook(system, receiver, admin, now)
    delivery = tell(system, now, breach_at=now - timedelta(seconds=20)).deliveries.get()
    deliver.attempt(str(delivery.pk), now=now)
    delivery.refresh_from_db()
    first = delivery.sent_at, delivery.delay
    assert delivery.delay >= timedelta(seconds=20)
    resend(delivery=delivery, by=admin, now=now)
    deliver.attempt(str(delivery.pk), now=now + timedelta(minutes=1))
    delivery.refresh_from_db()
    assert (delivery.sent_at, delivery.delay) == first and len(receiver.requests) == 2


def test_what_is_on_its_way_is_not_sent_again(system, receiver, admin, now):
    webhook(system, receiver, admin, now)
    delivery = tell(system, now).deliveries.get()
    with pytest.raises(Refused, match="on its way already"):
        resend(delivery=delivery, by=admin, now=now)


def test_a_worker_lost_in_the_middle_leaves_a_mark_and_the_message_goes_out(system, receiver, admin, now):
    """The claim without its outcome is what a killed worker leaves. (The kill itself: test_worker_killed.)"""
    webhook(system, receiver, admin, now)
    delivery = tell(system, now).deliveries.get()
    Delivery.objects.filter(pk=delivery.pk).update(claimed_until=now + deliver.LEASE, attempts=1)

    deliver.attempt(str(delivery.pk), now=now + timedelta(seconds=30))
    assert receiver.requests == []  # it may still be alive

    after = now + deliver.LEASE + timedelta(seconds=1)
    assert list(deliver.due(after)) == [delivery]
    deliver.order_due(now=after)
    assert Job.objects.filter(task="operations.deliver", args__delivery_id=str(delivery.pk)).count() == 2
    deliver.attempt(str(delivery.pk), now=after)
    delivery.refresh_from_db()
    assert delivery.state == "sent" and delivery.interrupted == 1 and delivery.attempts == 2


def test_workers_that_always_die_do_not_send_for_ever(system, receiver, admin, now):
    webhook(system, receiver, admin, now)
    delivery = tell(system, now).deliveries.get()
    Delivery.objects.filter(pk=delivery.pk).update(
        claimed_until=now - timedelta(seconds=1), attempts=deliver.MAX_ATTEMPTS
    )
    deliver.attempt(str(delivery.pk), now=now)
    delivery.refresh_from_db()
    assert delivery.state == "dead" and receiver.requests == []


def test_two_secrets_sign_during_a_rotation_and_one_afterwards(system, receiver, admin, now):
    channel, old = webhook(system, receiver, admin, now)
    new = rotate_secret(channel=channel, by=admin, now=now)
    tell(system, now, key="during")
    attempt_all(timezone.now())
    headers, body = receiver.requests[0]
    assert Webhook(old).verify(body, headers) == Webhook(new).verify(body, headers)

    later = now + timedelta(hours=25)
    with time_machine.travel(later):
        tell(system, later, key="afterwards")
        attempt_all(later)
        headers, body = receiver.requests[1]
        Webhook(new).verify(body, headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(old).verify(body, headers)


def test_secrets_are_not_stored_in_the_clear(system, receiver, admin, now):
    channel, secret = webhook(system, receiver, admin, now)
    channel.refresh_from_db()
    assert secret not in channel.secret and channel.secret.startswith("enc1:")


def test_a_mail_server_that_is_away_or_refuses_is_tried_again(system, inbox, admin, now):
    mailbox(system, admin, now)
    inbox.refuse = "451 try later"
    delivery = tell(system, now).deliveries.get()
    deliver.attempt(str(delivery.pk), now=now)
    delivery.refresh_from_db()
    assert delivery.state == "failed" and delivery.response_code == 451 and inbox.mails == []
    inbox.refuse = ""
    deliver.attempt(str(delivery.pk), now=delivery.next_at)
    delivery.refresh_from_db()
    assert delivery.state == "sent" and len(inbox.mails) == 1


def test_a_test_message_proves_a_channel_and_goes_nowhere_else(system, receiver, admin, now):
    channel, _ = webhook(system, receiver, admin, now, topics=["releases.signed"])
    webhook(None, receiver, admin, now)
    send_test(channel=channel, by=admin, now=now)
    attempt_all(timezone.now())
    assert [headers["webhook-id"] for headers, _ in receiver.requests] == [Delivery.objects.get().message_id]
    channel.refresh_from_db()
    assert channel.tested_at is not None
    switch_channel(channel=channel, on=False, by=admin, now=now)
    channel.refresh_from_db()
    assert channel.tested_at is None


def test_a_channel_that_is_switched_off_gets_nothing(system, receiver, admin, now):
    channel, _ = webhook(system, receiver, admin, now)
    waiting = tell(system, now, key="before").deliveries.get()
    switch_channel(channel=channel, on=False, by=admin, now=now)
    assert not tell(system, now, key="after").deliveries.exists()
    deliver.attempt(str(waiting.pk), now=now)
    waiting.refresh_from_db()
    assert waiting.state == "dead" and receiver.requests == []


def test_an_address_inside_is_refused_unless_the_operator_allows_it(system, admin, now, settings, receiver):
    settings.EGRESS_ALLOW = []
    with pytest.raises(InvalidInput, match="not a public address"):
        webhook(system, receiver, admin, now)


def test_retries_wait_longer_and_longer_but_never_more_than_two_hours():
    shortest = [deliver.retry_after(n, 0.0) for n in range(1, deliver.MAX_ATTEMPTS)]
    longest = [deliver.retry_after(n, 1.0) for n in range(1, deliver.MAX_ATTEMPTS)]
    assert longest[0] == timedelta(seconds=5)
    assert all(b >= a for a, b in itertools.pairwise(longest))
    assert max(longest) == timedelta(hours=2)
    assert all(low == high / 2 for low, high in zip(shortest, longest, strict=True))


@pytest.mark.parametrize(
    "urgent", [{"breach_at": timezone.now()}, {"topic": "operations.escalated"}, {"topic": deliver.TEST_TOPIC}]
)
def test_what_is_urgent_goes_before_the_mails_that_were_there_first(system, inbox, admin, people, now, urgent):
    oli = people("Oli", "operations")
    told = [tell(system, now, key=f"news:{n}", roles=["operations"], title=f"News {n}") for n in range(2)]
    tell(system, now, key="urgent", roles=["operations"], title="Urgent", **urgent)

    assert [delivery.notification.title for delivery in deliver.due(timezone.now())] == ["Urgent", "News 0", "News 1"]
    for notification in told:  # as the broker hands them out: the urgent one's own turn would be the last
        deliver.take_turn(str(notification.deliveries.get().pk), now=timezone.now())
    subjects = [email.message_from_bytes(mail.content)["Subject"] for mail in inbox.to(oli.email)]
    assert [subject.removeprefix("[Readiness] ") for subject in subjects] == ["Urgent", "News 0", "News 1"]
