import json
import threading
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import rfc8785
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone

from audit import leaf, ledger, merkle
from audit.actors import SYSTEM
from audit.canonical import CanonicalError
from audit.models import Entry, Head, Payload

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Person:
    actor_id = "user:0198a0c0-0000-7000-8000-000000000001"
    actor_name = "Mara"


class Machine(Person):
    via = "token:abc"


def append(**changes) -> Entry:
    values = {
        "kind": "release.opened",
        "by": Person(),
        "subject": "release:1",
        "system": "support-bot",
        "now": NOW,
        "payload": {"label": "2026.11.2", "share": Decimal("0.10")},
    }
    with transaction.atomic():
        return ledger.append(**(values | changes))


@pytest.mark.usefixtures("ledger")
def test_an_entry_has_the_next_number_and_a_leaf_that_says_what_it_says():
    first, second = append(), append(kind="item.verified", subject="item:7")
    assert (first.index, second.index) == (0, 1)
    parsed = leaf.parse(second.leaf.encode())
    assert (parsed.index, parsed.kind, parsed.actor, parsed.subject) == (1, "item.verified", Person.actor_id, "item:7")
    assert parsed.at == "2026-03-01T12:00:00.000000Z"
    assert bytes(second.leaf_hash) == merkle.leaf_hash(second.leaf.encode())
    assert abs((second.recorded_at - timezone.now()).total_seconds()) < 60  # the database's clock, not the caller's
    stored = Payload.objects.get(pk=1)
    assert leaf.commitment(bytes(stored.salt), bytes(stored.payload)) == parsed.commitment
    assert stored.read() == {"label": "2026.11.2", "share": "0.1"}


@pytest.mark.usefixtures("ledger")
def test_what_append_returns_is_what_is_stored():
    entry = append()
    stored = Entry.objects.get(pk=entry.pk)
    for field in Entry._meta.concrete_fields:
        assert getattr(entry, field.attname) == getattr(stored, field.attname)


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("text", ['quote"', "back\\slash", "ünï", "😀", "\ufb33", "a/b", "<b>", "'", "\u00ad"])
def test_the_database_writes_leaves_as_rfc_8785_does(text):
    entry = append(subject=f"x:{text}")
    assert entry.leaf.encode() == rfc8785.dumps(json.loads(entry.leaf))
    assert leaf.parse(entry.leaf.encode()).subject == f"x:{text}"


@pytest.mark.usefixtures("ledger")
def test_equal_payloads_have_different_commitments():
    """Or somebody could find a short payload again by trying."""
    assert append().commitment != append().commitment


@pytest.mark.usefixtures("ledger")
def test_a_machine_writes_as_its_owner():
    entry = append(by=Machine())
    assert (entry.actor_id, entry.via) == (Person.actor_id, "token:abc")
    assert append(by=Machine(), via="command").via == "command"
    assert append(by=SYSTEM).actor_id == "product"


@pytest.mark.django_db(transaction=True)
def test_outside_of_a_transaction_nothing_is_recorded():
    before = Head.objects.get().size
    with pytest.raises(RuntimeError, match="transaction"):
        ledger.append(kind="a.b", by=SYSTEM, subject="s:1", now=NOW, payload={})
    assert Head.objects.get().size == before


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"kind": "Release opened"}, ValueError),
        ({"kind": "release"}, ValueError),
        ({"kind": "a." + "b" * 80}, ValueError),
        ({"subject": ""}, ValueError),
        ({"subject": "user:mara@example.com"}, ValueError),  # an address in a leaf could never be erased
        ({"subject": "two words"}, ValueError),
        ({"subject": "nul\x00"}, ValueError),
        ({"subject": "x" * 201}, ValueError),
        ({"system": "a b"}, ValueError),
        ({"via": "a\nb"}, ValueError),
        ({"payload": {"n": float("nan")}}, CanonicalError),
        ({"payload": {"n": 2**60}}, CanonicalError),
        ({"payload": {"n": "\ud800"}}, CanonicalError),
        ({"payload": {"n": "x" * 1_100_000}}, ValueError),
    ],
)
def test_what_cannot_stand_in_the_record_is_refused(changes, error):
    with pytest.raises(error):
        append(**changes)
    assert not Entry.objects.exists()


@pytest.mark.usefixtures("ledger")
def test_the_database_refuses_the_same_without_us():
    for subject in ("user:mara@example.com", "", "two words", "x" * 201):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT audit_append('a.b', 'user:1', '', %s, '', now(), '{}', sha256('salt'))", [subject])


@pytest.mark.usefixtures("ledger")
def test_a_rolled_back_act_leaves_no_entry_and_no_gap():
    append()
    with transaction.atomic():
        assert append().index == 1
        transaction.set_rollback(True)
    assert append().index == 1
    assert Head.objects.get().size == 2


@pytest.mark.usefixtures("ledger")
def test_entries_by_subject_and_system():
    for subject, system in (("release:1", "a"), ("release:2", "b"), ("release:1", "b")):
        append(subject=subject, system=system)
    assert [entry.index for entry in ledger.entries(subject="release:1")] == [0, 2]
    assert [entry.index for entry in ledger.entries(system="b")] == [1, 2]
    assert [entry.index for entry in ledger.entries(subject="release:1", system="b")] == [2]


@pytest.mark.usefixtures("ledger")
def test_erasure_destroys_the_payload_and_says_so():
    entry = append(payload={"name": "Mara Example"})
    with transaction.atomic():
        tombstone = ledger.erase(index=entry.index, reason="Request of the person", by=Person(), now=NOW)
    assert not Payload.objects.filter(pk=entry.index).exists()
    assert (tombstone.kind, tombstone.subject, tombstone.system) == (
        "ledger.payload-erased",
        f"entry:{entry.index}",
        "support-bot",
    )
    assert Payload.objects.get(pk=tombstone.index).read() == {"index": 0, "reason": "Request of the person"}
    with pytest.raises(ledger.LedgerError, match="no payload"), transaction.atomic():
        ledger.erase(index=entry.index, reason="again", by=Person(), now=NOW)
    with pytest.raises(ledger.LedgerError, match="Say why"), transaction.atomic():
        ledger.erase(index=tombstone.index, reason=" ", by=Person(), now=NOW)
    assert Head.objects.get().size == 2


@pytest.mark.usefixtures("ledger")
def test_a_stopped_ledger_takes_nothing():
    append()
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_stop('a bit flipped')")
    with pytest.raises(ledger.ReadOnly, match=r"manage\.py verify"):
        append()
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_resume()")
    assert append().index == 1


@pytest.mark.django_db(transaction=True)
def test_many_writers_leave_no_gap_though_some_roll_back():
    """Eight connections, every third transaction rolled back, and one that is slow to commit (T3 of the trials)."""
    start = Head.objects.get().size
    committed: list[int] = []
    lock = threading.Lock()

    def work(worker: int) -> None:
        try:
            for number in range(15):
                try:
                    with transaction.atomic():
                        entry = ledger.append(
                            kind="test.written", by=SYSTEM, subject=f"w:{worker}", now=NOW, payload={"n": number}
                        )
                        if number % 3 == 2:
                            raise InterruptedError
                        with connection.cursor() as cursor:
                            cursor.execute("SELECT pg_sleep(%s)", [0.02 if number == 4 else 0])
                except InterruptedError:
                    continue
                with lock:
                    committed.append(entry.index)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(committed) == 8 * 10
    assert sorted(committed) == list(range(start, start + 80))
    stored = Entry.objects.filter(index__gte=start).order_by("index")
    assert [entry.index for entry in stored] == sorted(committed)
    times = [entry.recorded_at for entry in stored]
    assert times == sorted(times)  # the lock orders time as well
    assert Head.objects.get().size == start + 80


@pytest.mark.django_db(transaction=True)
def test_an_entry_is_seen_by_others_only_with_its_act():
    """No reader ever sees entry n+1 without entry n: the second writer waits for the first."""
    start = Head.objects.get().size
    holds, release = threading.Event(), threading.Event()

    def slow() -> None:
        try:
            with transaction.atomic():
                ledger.append(kind="test.slow", by=SYSTEM, subject="w:1", now=NOW, payload={})
                holds.set()
                release.wait(10)
        finally:
            connections.close_all()

    thread = threading.Thread(target=slow)
    thread.start()
    assert holds.wait(10)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    with pytest.raises(DatabaseError, match="lock timeout"):
        append(kind="test.quick")
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '10s'")
    assert Head.objects.get().size == start
    release.set()
    thread.join()
    assert append(kind="test.quick").index == start + 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("ledger")
def test_an_act_that_changes_nothing_else_commits_by_itself():
    about = {"kind": "trail.read", "by": Person(), "subject": "request:1", "now": NOW, "payload": {}}
    with pytest.raises(RuntimeError, match="in the transaction of the act"):
        ledger.append(**about)
    entry = ledger.append_alone(**about)
    assert not connection.in_atomic_block
    assert Entry.objects.get() == entry
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_stop('a bit flipped')")
    try:
        with transaction.atomic():
            with pytest.raises(ledger.ReadOnly):
                ledger.append_alone(**about)
            assert Entry.objects.count() == 1, "what surrounds it goes on"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT audit_resume()")
