"""Prompt and answer of a span: who may read them, that nothing is shown without the entry, and what the entry says."""

import json

import pytest
from django.core.management import call_command
from django.db import connection
from django.urls import reverse

from accounts.roles import Role
from audit import payloads
from audit.models import Entry, Payload, PayloadKey, Span, SpanPayload
from audit.vault import Altered
from tests.audit.sending import chat_trace
from tests.audit.trailing import new_system, send
from tests.factories import make_user, sign_in

pytestmark = pytest.mark.django_db
ASKED = "Where is the parcel with the blue ribbon?"


@pytest.fixture
def span():
    """A stored model call whose question is in the vault."""
    message = [{"role": "user", "parts": [{"type": "text", "content": ASKED}]}]
    spans = chat_trace(gen_ai__input__messages=json.dumps(message))
    system = new_system("read")
    send(*spans, system=system)
    return Span.objects.get(system=system, span_id=spans[2]["spanId"])


def address(span):
    return reverse("audit:payload", args=[span.system, span.trace_id, span.span_id])


def reads(span):
    return Entry.objects.filter(kind="payload.read", subject=f"request:{span.trace_id.hex}")


def test_the_question_is_nowhere_in_the_clear(span):
    assert ASKED not in str(Span.objects.filter(pk=span.pk).values_list())
    assert ASKED.encode() not in bytes(SpanPayload.objects.get(system=span.system).sealed)


def test_an_auditor_reads_it_and_the_ledger_says_who_and_which_span(span):
    auditor = make_user("Otto", Role.AUDITOR)
    before = reads(span).count()
    answer = sign_in(auditor).post(address(span))
    assert answer.status_code == 200 and ASKED in answer.content.decode()
    assert "That you read this is recorded." in answer.content.decode()
    assert reads(span).count() == before + 1
    entry = reads(span).latest("index")
    assert (entry.actor_id, entry.system) == (auditor.actor_id, span.system)
    assert Payload.objects.get(pk=entry.pk).read() == {"span": span.span_id}
    assert ASKED not in str(Payload.objects.get(pk=entry.pk).read())


@pytest.mark.parametrize(("role", "status"), [(Role.ENGINEERING, 403), (Role.OPERATIONS, 403), (None, 404)])
def test_who_may_not_reads_nothing_and_leaves_no_entry(span, role, status):
    person = make_user("Nina", role, system=span.system) if role else make_user("Nina")
    answer = sign_in(person).post(address(span))
    assert answer.status_code == status and ASKED not in answer.content.decode()
    assert not reads(span).exists()


def test_looking_is_not_reading(span):
    answer = sign_in(make_user("Otto", Role.AUDITOR)).get(address(span))
    assert answer.status_code == 405 and not reads(span).exists()


def test_where_no_entry_can_be_written_nothing_is_shown(span):
    otto = sign_in(make_user("Otto", Role.AUDITOR))
    call_command("stop_ledger", reason="We look into entry 7.")
    answer = otto.post(address(span))
    assert answer.status_code == 503 and ASKED not in answer.content.decode()
    assert not reads(span).exists()


def test_a_payload_that_was_moved_to_another_span_does_not_open(span):
    send(*(other := chat_trace(gen_ai__input__messages="another")), system=span.system)
    row = SpanPayload.objects.get(system=span.system, span_id=span.span_id)
    key = PayloadKey.objects.get(pk=row.key_id)
    assert ASKED in str(payloads.opened(row, key))
    row.sealed = SpanPayload.objects.get(system=span.system, span_id=other[2]["spanId"]).sealed
    with pytest.raises(Altered):
        payloads.opened(row, key)


def test_a_request_is_shown_though_the_ledger_takes_no_entry_and_the_page_says_so(span):
    client = sign_in(make_user("Aud", Role.AUDITOR))
    page = reverse("audit:request", args=[span.system, span.trace_id])
    read = lambda: client.get(page).content.decode()  # noqa: E731
    entries = Entry.objects.filter(kind="trail.read")
    assert "The ledger takes no entries" not in read()
    before = entries.count()
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_stop('a bit flipped')")
    shown = read()
    assert "The ledger takes no entries, so nothing can be decided: a bit flipped" in shown
    assert span.name in shown
    assert entries.count() == before
