"""What somebody can do to a ledger whose guards are lifted, and what the next seal and `manage.py verify` say to it."""

import base64
from contextlib import contextmanager
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection, transaction

from audit import canonical, leaf, ledger, merkle, sealing
from audit.actors import SYSTEM
from audit.checkpoint import Signer, VerifierKey, sign, verify
from audit.models import Checkpoint, Entry, Head, Payload
from audit.outside import Outside
from audit.sealing import SealRefused
from audit.signing import public_keys, signers
from audit.verification import verify_log
from audit.verify import open_export, steps
from jobs.models import Event
from tests.audit.conftest import lift_guards, restore_guards

pytestmark = pytest.mark.usefixtures("ledger")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def append(count: int = 1) -> None:
    for _ in range(count):
        with transaction.atomic():
            number = Head.objects.get().size
            ledger.append(
                kind="test.written", by=SYSTEM, subject=f"test:{number}", now=NOW, system="bot", payload={"n": number}
            )


def seal() -> int | None:
    head = sealing.seal(now=NOW)
    return head and head.size


@contextmanager
def attacker():
    """A superuser who lifts the guards and puts them back."""
    lift_guards()
    with connection.cursor() as cursor:
        yield cursor
    restore_guards()


def failing(**options) -> list:
    return [step for step in verify_log(**options) if not step.ok]


def bad_index(**options) -> int | None:
    [step] = failing(**options)
    return step.index


@pytest.fixture
def sealed() -> None:
    """Ten entries and the announcement of the key, sealed twice."""
    append(5)
    assert seal() == 6
    append(5)
    assert seal() == 11


def test_a_checkpoint_is_signed_kept_outside_and_published():
    append(3)
    head = sealing.seal(now=NOW)
    assert head is not None
    assert head.size == 4  # the key was announced in the log before it signed
    assert head.root == merkle.root(bytes(entry.leaf_hash) for entry in Entry.objects.order_by("index"))
    outside = Outside.of("decisions")
    keys = public_keys(head.origin)
    assert verify(outside.note() or "", keys) == head
    row = Checkpoint.objects.get()
    assert (row.note, row.size, bytes(row.root)) == (outside.note(), head.size, head.root)
    assert [VerifierKey.parse(line) for line in row.keys.splitlines()] == keys
    assert len(outside.known(head)) == 32 * 4
    assert not failing()


def test_nothing_new_is_not_signed_again(sealed):
    assert seal() is None
    assert Checkpoint.objects.count() == 2


def test_an_empty_log_is_not_signed():
    assert seal() is None
    assert not Outside.of("decisions").checkpoint.exists()
    assert not failing()


def test_the_key_file_is_its_owners_only(sealed, settings):
    path = Path(settings.DATA_DIR) / "keys" / "ledger_key"
    assert path.stat().st_mode & 0o077 == 0
    assert Outside.of("decisions").checkpoint.stat().st_mode & 0o077 == 0


def test_the_announcement_of_the_key_is_an_entry(sealed):
    entry = ledger.entries().get(kind="ledger.keys-set")
    assert Payload.objects.get(pk=entry.pk).read() == {"keys": [str(public_keys(Head.objects.get().origin)[0])]}


# --- Attacks ---


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


def rewrite(index: int, actor: str) -> None:
    """The whole chain of one entry recomputed: nothing inside the database disagrees any more."""
    entry = Entry.objects.get(pk=index)
    forged = leaf.parse(entry.leaf.encode())
    text = leaf.Leaf(
        forged.index, forged.kind, actor, forged.via, forged.subject, forged.system, forged.at, forged.recorded_at,
        forged.commitment,
    ).encode()  # fmt: skip
    with attacker() as cursor:
        cursor.execute(
            "UPDATE audit_entry SET actor_id = %s, leaf = %s, leaf_hash = %s WHERE index = %s",
            [actor, text.decode(), merkle.leaf_hash(text), index],
        )


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


def test_another_database_with_the_same_folder_is_refused(sealed):
    with attacker() as cursor:
        cursor.execute("UPDATE audit_head SET origin = 'readiness/other/decisions'")
    append()
    with pytest.raises(SealRefused, match="another database"):
        seal()
    assert failing()


def test_a_lost_folder_is_refused_and_not_begun_anew(sealed):
    outside = Outside.of("decisions")
    outside.checkpoint.unlink()
    append()
    with pytest.raises(SealRefused, match="was lost"):
        seal()
    assert not outside.checkpoint.exists()
    assert failing()


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


# --- Crashes, keys ---


def test_a_crash_after_keeping_and_before_publishing_is_made_good(sealed, monkeypatch):
    append(2)

    def crash(*_: object) -> None:
        raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(sealing, "publish", crash)
        with pytest.raises(InterruptedError):
            seal()
    assert Checkpoint.objects.count() == 2  # outside has 13, the database has published 11
    assert not failing()
    append(1)
    assert seal() == 14
    assert not failing()


@pytest.mark.parametrize("step", ["leaves written", "temporary note written"])
def test_a_crash_while_keeping_leaves_the_old_head(sealed, monkeypatch, step):
    append(2)
    outside = Outside.of("decisions")
    before = outside.note()
    broken = "open" if step == "leaves written" else "replace"

    def crash(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        if broken == "replace":
            patched.setattr(Path, "replace", crash)
        else:
            patched.setattr("audit.outside.os.fsync", crash)
        with pytest.raises(OSError, match="No space"):
            seal()
    assert outside.note() == before
    assert not failing()
    assert seal() == 13
    assert not failing()


def key(number: int) -> str:
    return base64.b64encode(bytes([number]) * 32).decode()


def test_a_key_is_replaced_over_one_epoch_with_both(settings):
    settings.LEDGER_KEYS = [key(1)]
    append(2)
    seal()
    settings.LEDGER_KEYS = [key(2), key(1)]
    append(1)
    assert seal() == 5  # with the announcement of the new key
    settings.LEDGER_KEYS = [key(2)]
    assert not failing()
    append(1)
    assert seal() == 7
    origin = Head.objects.get().origin
    old, new = (Signer(origin, bytes([number]) * 32).public for number in (1, 2))
    notes = [row.note for row in Checkpoint.objects.order_by("size")]
    assert verify(notes[0], [old]).size == 3
    assert verify(notes[1], [old]) == verify(notes[1], [new])
    assert verify(notes[2], [new]).size == 7
    announced = [
        Payload.objects.get(pk=entry.pk).read()["keys"] for entry in ledger.entries().filter(kind="ledger.keys-set")
    ]
    assert announced == [[str(old)], [str(new), str(old)], [str(new)]]
    assert not failing()


def test_a_key_changed_at_once_is_refused(settings, sealed):
    settings.LEDGER_KEYS = [key(9)]
    append()
    with pytest.raises(SealRefused, match="not signed by a known key"):
        seal()
    assert not Head.objects.get().read_only  # the log itself is not wrong


@pytest.mark.parametrize("text", ["short", "!", base64.b64encode(bytes(31)).decode()])
def test_a_key_that_is_none_is_refused(settings, text):
    settings.LEDGER_KEYS = [text]
    with pytest.raises(ImproperlyConfigured, match="READINESS_LEDGER_KEY"):
        signers("origin")


def test_two_sealers_do_not_both_sign():
    append()
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", list(sealing._LOCK))
        assert seal() is None
    finally:
        other.close()
    assert seal() == 2


# --- Commands ---


def run(command: str, *arguments: str) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command(command, *arguments, stdout=out, stderr=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_the_command_says_what_it_verified(sealed):
    code, text = run("verify")
    assert code == 0
    assert "4. ok   Entries: payload, commitment, leaf, tree, checkpoints: 11 of 11 verified, 0 not yet signed" in text
    assert text.endswith("The ledger is verified.\n")
    assert run("verify", "--since-checkpoint")[0] == 0


def test_the_command_names_the_first_bad_entry(sealed):
    with attacker() as cursor:
        cursor.execute("UPDATE audit_entry SET subject = 'release:2' WHERE index IN (4, 9)")
    code, text = run("verify")
    assert code == 1
    assert "4. FAIL" in text
    assert text.endswith("The ledger is NOT verified. First bad entry: 4.\n")


def test_an_export_of_the_real_ledger_verifies_offline(sealed, tmp_path):
    with transaction.atomic():
        ledger.erase(index=4, reason="asked for", by=SYSTEM, now=NOW)
        ledger.append(kind="test.written", by=SYSTEM, subject="ü:1", now=NOW, payload={"text": 'ü " \\ 😀'})
    seal()
    append(2)  # not signed yet: not in the export
    code, text = run("export_ledger", str(tmp_path / "ledger.zip"))
    assert (code, text.split()[0]) == (0, "13")
    own = str(public_keys(Head.objects.get().origin)[0])
    found = list(steps(open_export(tmp_path / "ledger.zip", keys=[own], checkpoint=Outside.of("decisions").note())))
    assert found[-1][1] == "13 entries, 1 with an erased payload"


def test_an_export_shows_what_is_wrong_in_the_log(sealed, tmp_path):
    with attacker() as cursor:
        cursor.execute("UPDATE audit_payload SET payload = '\\xff00' WHERE index = 3")
    run("export_ledger", str(tmp_path / "ledger.zip"))
    with pytest.raises(ValueError, match="entry 3: its payload is not the one that was recorded"):
        list(steps(open_export(tmp_path / "ledger.zip")))


def test_there_is_nothing_to_export_before_the_first_signature(tmp_path):
    from django.core.management.base import CommandError

    with pytest.raises(CommandError, match="Nothing was signed yet"):
        run("export_ledger", str(tmp_path / "ledger.zip"))
    assert not list(tmp_path.glob("*.zip*"))


def test_the_canonical_form_of_a_payload_is_what_is_stored(sealed):
    stored = Payload.objects.get(pk=2)
    assert bytes(stored.payload) == canonical.dumps(stored.read())


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
