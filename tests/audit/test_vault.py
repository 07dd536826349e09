import base64
from datetime import UTC, datetime

import pytest
from django.db import IntegrityError, connection, transaction

from audit import vault
from audit.canonical import digest_bytes
from audit.models import Blob
from web.problems import TooLarge

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONTENT = b"The quick brown fox: evidence that must not be readable in a dump."


def key(number: int) -> str:
    return base64.b64encode(bytes([number]) * 32).decode()


@pytest.fixture(autouse=True)
def _keys(settings):
    settings.ENCRYPTION_KEYS = [key(1)]


def put(data: bytes = CONTENT) -> str:
    return vault.put(data, kind="evidence", media_type="text/plain", now=NOW, system="bot")


def test_what_is_put_comes_back_by_its_digest():
    digest = put()
    assert digest == digest_bytes(CONTENT)
    assert vault.get(digest) == CONTENT
    row = Blob.objects.get()
    assert (row.kind, row.media_type, row.system, row.size, row.created_at) == (
        "evidence", "text/plain", "bot", len(CONTENT), NOW,
    )  # fmt: skip


def test_the_same_bytes_are_kept_once():
    assert put() == put()
    assert Blob.objects.count() == 1


def test_nothing_is_kept_in_clear():
    put()
    row = Blob.objects.get()
    for value in (bytes(row.ciphertext or b""), bytes(row.wrapped_key or b"")):
        assert CONTENT not in value
        assert CONTENT[:10] not in value


def test_empty_content_is_content_too():
    assert vault.get(put(b"")) == b""


def test_too_much_is_refused_with_the_limit(settings):
    settings.EVIDENCE_MAX_BYTES = 10
    with pytest.raises(TooLarge, match="limit"):
        put()
    assert not Blob.objects.exists()


@pytest.mark.parametrize("column", ["ciphertext", "wrapped_key"])
def test_one_flipped_bit_and_it_is_not_handed_out(column):
    digest = put()
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE audit_blob SET {column} = set_bit({column}, 200, 1 - get_bit({column}, 200))")
    with pytest.raises(vault.Altered):
        vault.get(digest)


def test_a_blob_in_another_blobs_place_is_not_handed_out():
    first, second = put(b"one"), put(b"two")
    other = Blob.objects.get(digest=second)
    Blob.objects.filter(digest=first).update(ciphertext=other.ciphertext, wrapped_key=other.wrapped_key)
    with pytest.raises(vault.Altered):
        vault.get(first)


def test_what_was_never_there_is_said():
    with pytest.raises(vault.Missing) as missing:
        vault.get("sha256:" + "0" * 64)
    assert missing.value.status == 404


def test_erased_content_is_gone_and_its_row_says_so():
    digest = put()
    assert vault.erase(digest, now=NOW)
    assert not vault.erase(digest, now=NOW)
    with pytest.raises(vault.Erased, match="erased on 2026-03-01") as erased:
        vault.get(digest)
    assert erased.value.status == 410
    row = Blob.objects.get()
    assert (row.ciphertext, row.wrapped_key) == (None, None)
    assert put() == digest  # handed in again, by a new act
    assert vault.get(digest) == CONTENT


def test_half_erased_is_refused_by_the_database():
    digest = put()
    with pytest.raises(IntegrityError), transaction.atomic():
        Blob.objects.filter(digest=digest).update(erased_at=NOW)


def test_keys_are_replaced_without_touching_the_content(settings):
    digest = put()
    before = bytes(Blob.objects.get().ciphertext or b"")
    settings.ENCRYPTION_KEYS = [key(2), key(1)]
    assert vault.get(digest) == CONTENT
    assert vault.rewrap() == 1
    assert vault.rewrap() == 0
    settings.ENCRYPTION_KEYS = [key(2)]
    assert vault.get(digest) == CONTENT
    assert bytes(Blob.objects.get().ciphertext or b"") == before


def test_without_its_key_it_says_which_one_is_missing(settings):
    digest = put()
    missing = Blob.objects.get().kek_id
    settings.ENCRYPTION_KEYS = [key(2)]
    with pytest.raises(vault.VaultError, match=missing):
        vault.get(digest)
