"""What somebody can do to a ledger whose guards are lifted, and what the next seal and `manage.py verify` say to it."""

import pytest
from django.db import connection, transaction

from audit import ledger, merkle, sealing
from audit.actors import SYSTEM
from audit.checkpoint import Signer, sign, verify
from audit.models import Checkpoint, Head, Payload
from audit.outside import Outside
from audit.sealing import SealRefused
from audit.signing import public_keys
from jobs.models import Event
from tests.audit.attacked import NOW, append, attacker, bad_index, failing, lift_guards, rewrite, run, seal

pytestmark = pytest.mark.usefixtures("ledger")


def test_an_edited_column_is_named(sealed):
    with attacker() as cursor:
        cursor.execute("UPDATE audit_entry SET actor_id = 'user:2' WHERE index = 3")
    assert bad_index() == 3


def test_an_edited_payload_is_named(sealed):
    with attacker() as cursor:
        cursor.execute("UPDATE audit_payload SET payload = '{\"n\":30}' WHERE index = 3")
    assert bad_index() == 3


def test_one_flipped_bit_is_named(sealed):
    for table, column in (("audit_payload", "payload"), ("audit_payload", "salt"), ("audit_entry", "leaf_hash")):
        with transaction.atomic():
            with attacker() as cursor:
                cursor.execute(
                    f"UPDATE {table} SET {column} = set_bit({column}, 9, 1 - get_bit({column}, 9)) WHERE index = 7"
                )
            assert bad_index() == 7
            transaction.set_rollback(True)


def test_an_entry_rewritten_with_all_its_hashes_is_named(sealed):
    rewrite(3, "user:2")
    assert bad_index() == 3


def test_without_the_leaf_file_it_is_still_found_between_two_checkpoints(sealed):
    rewrite(8, "user:2")
    Outside.of("decisions").leaves.unlink()
    [step] = failing()
    assert step.index == 6
    assert "one of the entries 6 to 10 was rewritten" in step.detail


def test_a_rewritten_history_with_forged_checkpoints_is_refused_too(sealed):
    """Whoever has the database only cannot sign."""
    rewrite(3, "user:2")
    origin = Head.objects.get().origin
    forger = Signer(origin, bytes(32))
    hashes = [bytes(entry.leaf_hash) for entry in ledger.entries()]
    with attacker() as cursor:
        for row in Checkpoint.objects.all():
            tree = merkle.Frontier()
            for item in hashes[: row.size]:
                tree.append(item)
            note = sign(sealing.TreeHead(origin, row.size, tree.root()), [forger])
            cursor.execute(
                "UPDATE audit_checkpoint SET root = %s, note = %s, keys = %s, peaks = %s WHERE size = %s",
                [tree.root(), note, str(forger.public), b"".join(tree.peaks), row.size],
            )
    assert failing()[-1].index == 3
    append()
    with pytest.raises(SealRefused, match="entry 3: it was rewritten"):
        seal()
    assert Head.objects.get().read_only


def test_a_new_entry_edited_before_it_is_signed_is_never_signed(sealed):
    append(3)
    with attacker() as cursor:
        cursor.execute("UPDATE audit_payload SET payload = '{}' WHERE index = 12")
    with pytest.raises(SealRefused, match="entry 12: its payload is not the one"):
        seal()
    assert Checkpoint.objects.count() == 2
    assert verify(Outside.of("decisions").note() or "", public_keys(Head.objects.get().origin)).size == 11


def test_a_cut_tail_is_refused(sealed):
    with attacker() as cursor:
        cursor.execute("DELETE FROM audit_payload WHERE index >= 8")
        cursor.execute("DELETE FROM audit_entry WHERE index >= 8")
    assert bad_index() == 8
    assert bad_index(since_checkpoint=True) == 10
    append(1)  # the head says 11: the next entry takes number 11, and a hole stays
    with pytest.raises(SealRefused, match="entry 10: it is missing"):
        seal()


def test_a_database_set_back_is_refused_and_becomes_read_only(sealed):
    with attacker() as cursor:
        for table in ("audit_payload", "audit_entry"):
            cursor.execute(f"DELETE FROM {table} WHERE index >= 6")
        cursor.execute("DELETE FROM audit_checkpoint WHERE size > 6")
        cursor.execute("UPDATE audit_head SET size = 6")
    outside, inside = failing()[0], failing()
    assert (outside.name, outside.index) == ("Checkpoint outside the database", 6)
    assert "it has 6 entries, the last signed checkpoint has 11" in outside.detail
    assert len(inside) == 1
    with pytest.raises(SealRefused, match="set back"):
        seal()
    with pytest.raises(ledger.ReadOnly):
        append()
    event = Event.objects.get(topic="audit.ledger-stopped")
    assert "set back" in event.payload["reason"]
    assert seal() is None  # and says it once


def test_a_database_set_back_and_grown_again_is_refused(sealed):
    with attacker() as cursor:
        for table in ("audit_payload", "audit_entry"):
            cursor.execute(f"DELETE FROM {table} WHERE index >= 6")
        cursor.execute("DELETE FROM audit_checkpoint WHERE size > 6")
        cursor.execute("UPDATE audit_head SET size = 6")
    append(7)
    assert bad_index() == 6
    with pytest.raises(SealRefused, match="entry 6: it was rewritten"):
        seal()


def test_a_removed_entry_is_named(sealed):
    with attacker() as cursor:
        cursor.execute("DELETE FROM audit_payload WHERE index = 4")
        cursor.execute("DELETE FROM audit_entry WHERE index = 4")
    [step] = failing()
    assert (step.index, step.detail) == (4, "entry 4: it is missing; the next one is entry 5")


def test_a_payload_removed_without_a_tombstone_is_named(sealed):
    with attacker() as cursor:
        cursor.execute("DELETE FROM audit_payload WHERE index = 4")
    assert bad_index() == 4


def test_an_erased_payload_is_no_fault(sealed):
    with transaction.atomic():
        ledger.erase(index=4, reason="asked for", by=SYSTEM, now=NOW)
    assert not failing()
    assert seal() == 12
    assert not failing()


def test_an_added_entry_is_named(sealed):
    with attacker() as cursor:
        cursor.execute(
            "INSERT INTO audit_entry SELECT 11, kind, actor_id, via, subject, system, at, recorded_at, commitment,"
            " leaf, leaf_hash FROM audit_entry WHERE index = 10"
        )
    assert bad_index() == 11


def test_an_edited_checkpoint_outside_is_refused(sealed):
    path = Outside.of("decisions").checkpoint
    path.write_text(path.read_text(encoding="utf-8").replace("\n11\n", "\n10\n"), encoding="utf-8")
    append()
    with pytest.raises(SealRefused, match="does not fit the text"):
        seal()
    assert [step.name for step in failing()] == ["Checkpoint outside the database"]


def test_an_edited_checkpoint_inside_is_named(sealed):
    with attacker() as cursor:
        cursor.execute("UPDATE audit_checkpoint SET root = sha256('x') WHERE size = 6")
    [step] = failing()
    assert step.name == "Checkpoints in the database"
    assert "of 6 entries says something else" in step.detail


def test_lifted_guards_are_named(sealed):
    lift_guards()
    [step] = failing()
    assert step.name == "Guards in the database"
    assert "audit_entry_keep on audit_entry does not fire always" in step.detail


def test_the_incremental_check_looks_at_what_is_new(sealed):
    append(2)
    assert not failing(since_checkpoint=True)
    rewrite(3, "user:2")
    assert not failing(since_checkpoint=True)  # old entries are for the full one
    with attacker() as cursor:
        cursor.execute("UPDATE audit_payload SET payload = '{}' WHERE index = 12")
    assert bad_index(since_checkpoint=True) == 12


def test_the_command_says_what_it_verified(sealed):
    code, text = run("verify")
    assert code == 0
    assert "4. ok   Entries: payload, commitment, leaf, tree, checkpoints: 11 of 11 verified, 0 not yet signed" in text
    assert text.endswith("The record is verified.\n")
    code, text = run("verify", "--since-checkpoint")
    assert code == 0
    assert "The record is verified since its last checkpoint" in text


def test_the_command_names_the_first_bad_entry(sealed):
    with attacker() as cursor:
        cursor.execute("UPDATE audit_entry SET subject = 'release:2' WHERE index IN (4, 9)")
    code, text = run("verify")
    assert code == 1
    assert "4. FAIL" in text
    assert text.endswith("The record is NOT verified. First bad entry: 4.\n")


def test_a_stopped_ledger_goes_on_once_it_verifies_again(sealed):
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_stop('a disk was full')")
    with attacker() as cursor:
        cursor.execute(
            "UPDATE audit_payload SET payload = set_bit(payload, 3, 1 - get_bit(payload, 3)) WHERE index = 4"
        )
    code, text = run("resume_ledger", "--reason", "restored")
    assert (code, "entry 4" in text) == (1, True)
    assert Head.objects.get().read_only
    with attacker() as cursor:
        cursor.execute(
            "UPDATE audit_payload SET payload = set_bit(payload, 3, 1 - get_bit(payload, 3)) WHERE index = 4"
        )
    assert run("resume_ledger", "--reason", "the page was restored")[0] == 0
    entry = ledger.entries().last()
    assert (entry.kind, entry.via) == ("ledger.resumed", "command")
    assert Payload.objects.get(pk=entry.pk).read() == {"stopped": "a disk was full", "reason": "the page was restored"}
    assert seal() == 12
