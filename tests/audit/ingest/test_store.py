"""What is acknowledged is stored, once; what is stored never changes."""

import threading
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from audit import canonical, payloads
from audit.ingest.otlp import decode_json
from audit.ingest.receive import receive
from audit.ingest.rows import leaf_of
from audit.ingest.store import OTHER_CONTENT
from audit.merkle import leaf_hash
from audit.models import PayloadKey, Span, SpanBatch, SpanPayload
from tests.audit.sending import chat_trace, request_json, span


def send(*spans, system="support-bot", environment="production", now=None):
    return receive(decode_json(request_json(*spans)), system=system, environment=environment, now=now or timezone.now())


@pytest.mark.django_db
def test_a_stored_span_hashes_to_the_leaf_of_its_batch():
    trace = chat_trace(gen_ai__input__messages="hello", temperature=0.2, score=1.0, many=[1, 2.5, "x", {"a": None}])
    receipt = send(*trace)
    assert (receipt.stored, receipt.repeated, receipt.refused) == (3, 0, {})
    spans = list(Span.objects.filter(trace_id=trace[0]["traceId"]).order_by("position"))
    batch = SpanBatch.objects.get(pk=spans[0].batch_id)
    assert (batch.count, batch.system, batch.first_index) == (3, "support-bot", None)
    leaves = [leaf_hash(canonical.dumps(leaf_of(row))) for row in spans]
    assert b"".join(leaves) == bytes(batch.leaves) == b"".join(bytes(row.leaf_hash) for row in spans)


@pytest.mark.django_db
def test_a_batch_sent_again_is_stored_once():
    """The answer was lost, the exporter sends the same again, alone and among new spans."""
    first = chat_trace()
    assert send(*first).stored == 3
    again = send(*first)
    assert (again.stored, again.repeated, again.refused) == (0, 3, {})
    more = send(*first, *chat_trace())
    assert (more.stored, more.repeated) == (3, 3)
    assert Span.objects.filter(trace_id=first[0]["traceId"]).count() == 3


@pytest.mark.django_db
def test_the_same_span_twice_in_one_batch_is_stored_once():
    one = span()
    receipt = send(one, one, span())
    assert (receipt.stored, receipt.repeated) == (2, 1)


@pytest.mark.django_db
def test_a_taken_id_with_other_content_is_refused_and_said_so():
    one = span(note="first")
    send(one)
    changed = one | {"name": "something else"}
    receipt = send(changed, span())
    assert (receipt.stored, receipt.repeated, receipt.refused) == (1, 0, {OTHER_CONTENT: 1})
    both = send(span(trace="ab" * 16) | {"spanId": "cd" * 8}, changed | {"traceId": "ab" * 16, "spanId": "cd" * 8})
    assert both.stored + sum(both.refused.values()) == 2
    assert Span.objects.get(span_id=one["spanId"]).name == one["name"]


@pytest.mark.django_db
def test_systems_do_not_take_each_others_ids():
    one = span()
    assert send(one, system="a").stored == 1
    assert send(one, system="b").stored == 1


@pytest.mark.django_db
def test_a_day_without_partitions_gets_them():
    old = timezone.now() - timedelta(hours=47)
    assert send(span(start=old), span()).stored == 2


@pytest.mark.django_db
def test_payloads_are_encrypted_apart_and_readable_with_their_key_only():
    one = span(gen_ai__input__messages="a prompt that nobody else may read")
    send(one)
    row = Span.objects.get(span_id=one["spanId"])
    stored = SpanPayload.objects.get(span_id=one["spanId"])
    assert b"nobody else" not in bytes(stored.sealed)
    assert payloads.read(row) == {
        "mode": "redacted",
        "input": {"gen_ai.input.messages": "a prompt that nobody else may read"},
        "output": {},
    }
    PayloadKey.objects.filter(pk=stored.key_id).delete()
    assert payloads.read(row) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_span SET cost_nanousd = 0 WHERE span_id = %s",
        "DELETE FROM audit_span WHERE span_id = %s",
        "UPDATE audit_span_payload SET sealed = '' WHERE span_id = %s",
        "DELETE FROM audit_span_payload WHERE span_id = %s",
        "UPDATE audit_span_batch SET leaves = leaves || '' , count = count WHERE '' <> %s",
        "UPDATE audit_span_batch SET system = 'other', first_index = 0, sequenced_at = now() WHERE '' <> %s",
        "DELETE FROM audit_span_batch WHERE '' <> %s",
        "DELETE FROM audit_span_log WHERE '' <> %s",
        "UPDATE audit_span_log SET size = -1 WHERE '' <> %s",
    ],
)
def test_the_database_refuses_to_change_what_was_received(statement):
    one = span(gen_ai__input__messages="hello")
    send(one)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [one["spanId"]])


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["audit_span", "audit_span_payload", "audit_span_batch", "audit_span_log"])
def test_truncate_is_refused_on_the_table_and_on_each_day(table):
    send(span())
    with connection.cursor() as cursor:
        cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])
        tables = [table, *(row[0] for row in cursor.fetchall())]
        for name in tables:
            with pytest.raises(DatabaseError, match="refused"), transaction.atomic():
                cursor.execute(f"TRUNCATE {name}")


@pytest.mark.django_db(transaction=True)
def test_retries_that_arrive_at_the_same_moment_store_each_span_once():
    spans = [span() for _ in range(200)]
    receipts, errors = [], []
    start = threading.Barrier(6)

    def one_exporter(order):
        try:
            start.wait()
            receipts.append(send(*order))
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=one_exporter, args=(spans if number % 2 else spans[::-1],)) for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sum(receipt.stored for receipt in receipts) == 200
    assert sum(receipt.repeated for receipt in receipts) == 1000
    ids = [item["spanId"] for item in spans]
    assert Span.objects.filter(span_id__in=ids).count() == 200
