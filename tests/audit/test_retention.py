"""What leaves the trail, when, and what keeps it there."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from audit import partitions, payloads, retention, spanlog, trail
from audit.actors import SYSTEM
from audit.models import Entry, LegalHold, PayloadKey, Request, Span
from tests.audit.sending import chat_trace
from tests.audit.trailing import new_system, send, settle
from web.problems import Invalid

pytestmark = pytest.mark.django_db


@pytest.fixture
def system():
    """A request of fifty days ago, with a prompt, of a system that keeps thirty days and prompts for seven."""
    slug = new_system("kept")
    then = timezone.now() - timedelta(days=50)
    trace = chat_trace(start=then, request_id=f"old-{slug}", gen_ai__input__messages="What about my parcel?")
    send(*trace, system=slug, now=then + timedelta(seconds=5))
    settle()
    retention.set_retention(system=slug, days=30, payload_days=7, by=SYSTEM, now=timezone.now())
    return slug


def remove():
    return retention.remove_due(by=SYSTEM, now=timezone.now())


def day_is_there(day):
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [f"public.audit_span_{day:%Y%m%d}"])
        return cursor.fetchone()[0]


def test_prompts_leave_first_and_spans_still_verify(system):
    retention.set_retention(system=system, days=60, payload_days=7, by=SYSTEM, now=timezone.now())
    (span,) = [one for one in Span.objects.filter(system=system) if one.input_commitment]
    assert payloads.read(span)["input"]
    assert remove().payload_days == 1
    assert payloads.read(span) is None
    spanlog.sign_head(now=timezone.now())
    (view,) = trail.find(f"old-{system}")
    assert trail.check(view)[0], "metadata and proof outlive the prompt"
    assert remove().payload_days == 0, "run again, it finds nothing more"
    said = Entry.objects.filter(kind="retention.removed", system=system)
    assert said.count() == 1


def test_a_legal_hold_wins(system):
    then = (timezone.now() - timedelta(days=50)).date()
    held = retention.hold(system=system, since=then, until=then, reason="A court asked.", by=SYSTEM, now=timezone.now())
    assert remove().payload_days == 0
    assert PayloadKey.objects.filter(system=system).exists()
    retention.lift(hold_id=held.pk, by=SYSTEM, now=timezone.now())
    assert remove().payload_days == 1
    kinds = Entry.objects.filter(subject=f"legal-hold:{held.pk}").order_by("index").values_list("kind", flat=True)
    assert list(kinds) == ["legal-hold.set", "legal-hold.lifted"]


def test_the_database_itself_refuses_to_drop_a_held_or_a_young_day(system):
    now = timezone.now()
    old = (now - timedelta(days=500)).date()
    partitions.make([old])
    LegalHold.objects.create(since=old, until=old, reason="x", set_by="user:1", set_at=now)
    for day, sentence in ((old, "legal hold"), (now.date(), "younger than")):
        with pytest.raises(DatabaseError, match=sentence), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT audit_drop_day(%s)", [day])
    assert day_is_there(old)


def test_a_day_that_nobody_keeps_leaves_whole_and_the_log_still_verifies(system):
    old = (timezone.now() - timedelta(days=500)).date()
    partitions.make([old])
    assert day_is_there(old)
    retention.set_retention(system=system, days=60, payload_days=7, by=SYSTEM, now=timezone.now())
    done = remove()
    assert done.days >= 1
    assert not day_is_there(old)
    spanlog.sign_head(now=timezone.now())
    heads, size = spanlog.verify_heads()
    assert heads >= 1 and size > 0
    assert Request.objects.filter(system=system).exists(), "younger days stay"


@pytest.mark.parametrize(("days", "payload_days"), [(29, 7), (400, 0), (40, 41)])
def test_nonsense_is_refused(days, payload_days):
    with pytest.raises(Invalid):
        retention.set_retention(system="bot", days=days, payload_days=payload_days, by=SYSTEM, now=timezone.now())


def test_the_command_does_all_of_it(system):
    def say(*words):
        out = StringIO()
        call_command("trail", *words, stdout=out)
        return out.getvalue()

    then = (timezone.now() - timedelta(days=50)).date().isoformat()
    assert "are kept 45 days" in say("keep", system, "--days", "45", "--payload-days", "7")
    identifier = say("hold", "--system", system, "--since", then, "--until", then, "--reason", "A court").split()[-1]
    assert identifier in say("holds")
    assert say("remove").startswith("0 days of prompts")
    say("lift", identifier)
    assert say("remove").splitlines()[-1].startswith("1 days of prompts")
    with pytest.raises(CommandError, match="no such hold"):
        say("lift", identifier)
    spanlog.sign_head(now=timezone.now())
    assert "all verified" in say("verify")
