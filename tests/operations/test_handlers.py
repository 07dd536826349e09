"""Events that other packages emit, relayed as a worker does it, and what people are told."""

from datetime import timedelta

import pytest
from django.utils import timezone

from jobs.models import Event, Job
from jobs.outbox import call, emit, handlers
from jobs.tasks import relay
from operations.actions.preferences import choose_mail
from operations.models import Notification
from operations.presenters import CHOICES, HEARD, TOPICS, sentences

pytestmark = pytest.mark.django_db

RELEASE = {"release": "0190f0c5-7b1a-7000-8000-000000000000", "system": "support-bot", "label": "2026.11.4"}


def happen(topic, payload, *, subject="release:1", times=1):
    """Emits and relays; then every handler's job runs, `times` over."""
    event = emit(topic, subject=subject, payload=payload, now=timezone.now())
    relay(now=timezone.now())
    assert Event.objects.get(pk=event.pk).relayed_at is not None
    for job in Job.objects.filter(task="jobs.handle", args__event_id=event.pk):
        for _ in range(times):
            if job.args["handler"].startswith("operations."):  # others listen to the same topics
                call(job.args["handler"], event)
    return Notification.objects.filter(key=f"event:{event.pk}")


def told(notification):
    return sorted(delivery.person.name for delivery in notification.deliveries.exclude(person=None))


def test_signers_of_the_system_hear_that_a_signature_does_not_count_any_more(system, other_system, people):
    people("Ed", "engineering")
    people("Oli", "operations", system="support-bot")
    people("Sam", "operations", system="search")
    people("Pia", "product")
    payload = RELEASE | {"side": "operations", "question": "canary", "why": "A pin changed."}
    notification = happen("releases.voided", payload).get()
    assert notification.title == "A sign-off for operations of Support bot 2026.11.4 does not count any more"
    assert notification.body == "Why: A pin changed. The release waits for a new signature."
    assert told(notification) == ["Ed", "Oli"]
    assert notification.system == system


def test_a_handler_that_runs_twice_tells_once(system, people):
    people("Ed", "engineering")
    (notification,) = happen("releases.promoted", RELEASE, times=3)
    assert told(notification) == ["Ed"]


def test_a_breach_is_an_alarm_from_when_it_began(system, people):
    people("Oli", "operations")
    began = timezone.now() - timedelta(minutes=2)
    payload = RELEASE | {
        "reason": "Error rate 2.1 %, limit 1.5 %.",
        "restored": "2026.11.3",
        "breach_at": began.isoformat(),
    }
    breach = happen("releases.canary-breach", payload).get()
    assert breach.breach_at == began and breach.url == "/systems/support-bot/releases/2026.11.4/"
    assert breach.body == "Error rate 2.1 %, limit 1.5 %. 2026.11.3 serves now."
    alone = happen("releases.rolled-back", RELEASE | {"reason": "Wrong.", "restored": ""}).get()
    assert alone.body == "Why: Wrong. Nothing was there to restore: the fallback serves." and alone.breach_at is None
    unsaid = happen("audit.unapproved-traffic", {"system": "support-bot", "environment": "production", "requests": 12})
    assert unsaid.get().breach_at == Event.objects.get(topic="audit.unapproved-traffic").created_at
    assert "12 requests in production" in unsaid.get().body


def test_a_signing_role_is_announced_to_everybody_who_signs_anywhere(system, people, admin):
    people("Ed", "engineering", system="support-bot")
    people("Eve", "auditor")
    payload = {"user": str(admin.pk), "role": "platform", "system": ""}
    notification = happen("accounts.role-granted", payload, subject=admin.actor_id).get()
    assert notification.title == f"{admin.name} was granted the role platform"
    assert "Granted on the whole organisation." in notification.body
    assert told(notification) == ["Ed"]
    payload["role"] = "auditor"
    assert not happen("accounts.role-granted", payload, subject=admin.actor_id).exists()


def test_trouble_with_the_ledger_reaches_admins_and_auditors(people, admin):
    people("Eve", "auditor", system="support-bot")
    people("Pia", "product")
    notification = happen(
        "audit.ledger-stopped", {"reason": "Entry 7 was altered.", "size": 9}, subject="log:decisions"
    )
    assert told(notification.get()) == sorted([admin.name, "Eve"])
    assert "Entry 7 was altered." in notification.get().body and notification.get().breach_at


def test_what_a_person_does_not_want_by_mail_is_not_sent(system, people, now):
    wants = {"Ann": "all", "Al": "alarms", "No": "none"}
    for name, mode in wants.items():
        choose_mail(mode=mode, by=people(name, "operations"), now=now)
    assert told(happen("releases.signed", RELEASE | {"side": "operations"}).get()) == ["Ann"]
    assert told(happen("releases.canary-breach", RELEASE | {"reason": "x"}).get()) == ["Al", "Ann"]


def test_consumers_of_a_new_version_hear_of_it_and_of_what_it_breaks(system, people):
    berta, _ = people("Berta", "auditor"), people("Ed", "engineering")
    payload = {
        "system": "support-bot",
        "kind": "output_schema",
        "component": "answer",
        "number": 4,
        "consumers": ["billing", "mail"],
        "contacts": [str(berta.pk)],
        "breaks": ["answer is not required any more"],
        "compatibility_note": "Read answer.text instead.",
        "window_days": 30,
    }
    notification = happen("systems.version-announced", payload, times=2).get()
    assert notification.title == "answer version 4 of Support bot is approved"
    assert "breaking change: answer is not required any more. The version before counts for 30" in notification.body
    assert "Read answer.text instead. It is announced to billing, mail" in notification.body
    assert notification.url == "/systems/support-bot/components/output_schema/answer/4/"
    assert told(notification) == ["Berta"]
    harmless = happen("systems.version-announced", payload | {"breaks": [], "number": 5}).get()
    assert "Nothing that its consumers rely on breaks." in harmless.body


def test_every_topic_of_others_is_heard_and_says_something():
    for topic in HEARD:
        assert "operations.handlers.tell_people" in handlers(topic)
        title, body = sentences(topic, {})
        assert title and "{" not in title + body, topic
    assert {topic for topic, _ in CHOICES} == set(TOPICS)


def test_what_an_event_carries_is_never_taken_for_a_template():
    title, _ = sentences("releases.promoted", {"label": "{system.__class__}", "system": "Support bot"})
    assert title == "{system.__class__} of Support bot serves everybody"
