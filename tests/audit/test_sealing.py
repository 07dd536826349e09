"""Signing: what is kept where, what a crash leaves, how keys are replaced, and what is never signed."""

import base64
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from audit import canonical, ledger, merkle, sealing
from audit.checkpoint import Signer, VerifierKey, verify
from audit.models import Checkpoint, Entry, Head, Payload
from audit.outside import Outside
from audit.sealing import SealRefused
from audit.signing import public_keys, signers
from tests.audit.attacked import NOW, append, attacker, failing, seal

pytestmark = pytest.mark.usefixtures("ledger")


def key(number: int) -> str:
    return base64.b64encode(bytes([number]) * 32).decode()


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
        with other.cursor() as cursor:  # closing lets go as well, some time later
            cursor.execute("SELECT pg_advisory_unlock_all()")
    finally:
        other.close()
    assert seal() == 2


def test_the_canonical_form_of_a_payload_is_what_is_stored(sealed):
    stored = Payload.objects.get(pk=2)
    assert bytes(stored.payload) == canonical.dumps(stored.read())
