from datetime import UTC, datetime

import pytest
from django.db import connection, transaction

from audit import ledger, merkle, proofs, sealing
from audit.actors import SYSTEM
from audit.merkle import ProofError
from audit.models import Checkpoint, Entry, Head, Node
from audit.signing import public_keys
from tests.audit.attacked import lift_guards, restore_guards

pytestmark = pytest.mark.usefixtures("ledger")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def small(monkeypatch) -> None:
    """Nodes of four instead of 256 children, so that a small log has three levels of them."""
    monkeypatch.setattr(proofs, "SPAN", 2)


def append(count: int) -> None:
    with transaction.atomic():
        for number in range(count):
            ledger.append(kind="test.written", by=SYSTEM, subject=f"n:{number}", now=NOW, payload={"n": number})


def sealed(count: int) -> Checkpoint:
    append(count)
    sealing.seal(now=NOW)
    return Checkpoint.objects.order_by("size").last()


@pytest.mark.usefixtures("small")
def test_every_entry_is_proven_in_a_log_of_any_shape():
    for more in (1, 2, 5, 9, 16, 40):
        checkpoint = sealed(more)
        leaves = [entry.leaf.encode() for entry in ledger.entries()]
        for index in range(checkpoint.size):
            proof = proofs.inclusion(index, checkpoint)
            assert list(proof.hashes) == merkle.inclusion_proof(
                index, checkpoint.size, merkle.in_memory([merkle.leaf_hash(leaf) for leaf in leaves])
            )
            head = proof.verify(leaves[index], public_keys(Head.objects.get().origin), Head.objects.get().origin)
            assert head.size == checkpoint.size
    assert {node.level for node in Node.objects.all()} == {2, 4, 6}


@pytest.mark.usefixtures("small")
def test_each_checkpoint_continues_each_older_one():
    rows = [sealed(more) for more in (3, 6, 1, 30)]
    for number, old in enumerate(rows):
        for new in rows[number:]:
            hashes = proofs.consistency(old, new)
            merkle.verify_consistency(old.size, new.size, bytes(old.root), bytes(new.root), hashes)


@pytest.mark.usefixtures("small")
def test_a_wrong_or_lost_node_costs_time_and_no_proof():
    checkpoint = sealed(50)
    Node.objects.filter(level=2).update(hash=bytes(32))
    assert proofs.inclusion(40, checkpoint).verify(
        Entry.objects.get(pk=40).leaf.encode(), public_keys(Head.objects.get().origin), Head.objects.get().origin
    )
    Node.objects.all().delete()
    proofs.inclusion(40, checkpoint)
    sealed(1)
    assert Node.objects.filter(level=2).count() == 13  # made again with the next signature


def test_a_proof_takes_few_queries(django_assert_max_num_queries):
    checkpoint = sealed(300)
    with django_assert_max_num_queries(3):
        proofs.inclusion(17, checkpoint)


def rewrite(index: int) -> None:
    lift_guards()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_entry SET leaf_hash = sha256('x') WHERE index = %s", [index])
    restore_guards()


def test_there_is_no_proof_of_a_rewritten_log():
    checkpoint = sealed(20)
    rewrite(7)
    with pytest.raises(ProofError, match="another root"):
        proofs.inclusion(7, checkpoint)
    with pytest.raises(ProofError, match="another root"):
        proofs.inclusion(6, checkpoint)


def test_an_entry_is_checked_from_payload_to_root():
    sealed(5)
    entry = Entry.objects.get(pk=3)
    assert ledger.check(entry) == (True, "The entry is in the signed log of 6 entries, at its place.")
    append(1)
    holds, sentence = ledger.check(Entry.objects.get(pk=6))
    assert holds is None
    assert "waits for the next signed checkpoint" in sentence
    rewrite(2)
    holds, sentence = ledger.check(entry)
    assert holds is False
    assert "does not lead to the signed root" in sentence
    holds, sentence = ledger.check(Entry.objects.get(pk=2))
    assert (holds, "columns, leaf and hash disagree" in sentence) == (False, True)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE audit_payload SET payload = '{}' WHERE index = 3", "payload was altered"),
        ("UPDATE audit_entry SET subject = 'n:99' WHERE index = 3", "columns, leaf and hash disagree"),
        ("UPDATE audit_entry SET at = at + interval '1 second' WHERE index = 3", "columns, leaf and hash disagree"),
    ],
)
def test_what_was_altered_in_an_entry_is_said(statement, words):
    sealed(5)
    lift_guards()
    with connection.cursor() as cursor:
        cursor.execute(statement)
    restore_guards()
    holds, sentence = ledger.check(Entry.objects.get(pk=3))
    assert (holds, words in sentence) == (False, True)


def test_the_last_checkpoint_as_others_refer_to_it():
    assert ledger.last_checkpoint() is None
    row = sealed(2)
    assert ledger.last_checkpoint() == {"size": 3, "root": bytes(row.root).hex(), "note": row.note}
