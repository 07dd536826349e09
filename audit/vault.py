"""Where bytes are kept that back a decision: evidence files, raw answers of sources, payloads.

Named by the SHA-256 of their content, and that is checked on each read: what was altered is never handed out. Encrypted
with AES-256-GCM under a key of its own per blob (the digest is authenticated with it), which is wrapped by a key from
the settings. Erasing the wrapped key makes every copy of the ciphertext unreadable.

They live in a database table, not in files: web and worker may be on different machines, the blob commits with the row
that refers to it, and one backup holds both. That is right up to the size limit of evidence (50 MB); larger artifacts
are referred to by digest where they are.
"""

import os
from contextlib import suppress
from datetime import datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db.models import Q

from audit.canonical import digest_bytes
from audit.keyring import keys
from audit.models import Blob
from web.problems import Problem, TooLarge

NONCE_SIZE = 12


class VaultError(Problem):
    code = "vault"


class Missing(VaultError):
    status = 404
    code = "not-in-vault"


class Erased(VaultError):
    status = 410
    code = "erased"


class Altered(VaultError):
    """The stored bytes are not the ones that were put in. Not a refusal to the caller, but a fault to look into."""

    status = 500
    code = "vault-altered"


def put(data: bytes, *, kind: str, media_type: str, now: datetime, system: str = "") -> str:
    """Keep the bytes and return their digest. The same bytes are kept once."""
    if len(data) > settings.EVIDENCE_MAX_BYTES:
        limit = settings.EVIDENCE_MAX_BYTES // (1024 * 1024)
        raise TooLarge(f"This has {len(data):,} bytes; the limit is {limit} MB. Refer to it by its digest instead.")
    digest = digest_bytes(data)
    if Blob.objects.filter(digest=digest, erased_at=None).exists():
        return digest
    key_of_blob = os.urandom(32)
    wrapped_key, kek_id = wrap(key_of_blob, context=digest.encode())
    Blob.objects.bulk_create(
        [
            Blob(
                digest=digest,
                kind=kind,
                media_type=media_type,
                system=system,
                size=len(data),
                created_at=now,
                kek_id=kek_id,
                wrapped_key=wrapped_key,
                ciphertext=_seal(key_of_blob, data, digest.encode()),
                erased_at=None,
            )
        ],
        # Put twice at once: both hold the same. Put again after erasure: it is there again, by a new act.
        update_conflicts=True,
        unique_fields=["digest"],
        update_fields=["created_at", "kek_id", "wrapped_key", "ciphertext", "erased_at"],
    )
    return digest


def get(digest: str) -> bytes:
    """The bytes, as they were put in, or an error that says what became of them."""
    blob = Blob.objects.filter(digest=digest).first()
    if blob is None:
        raise Missing(f"Nothing with the digest {digest} is kept here.")
    if blob.erased_at is not None:
        raise Erased(f"The content {digest} was erased on {blob.erased_at:%Y-%m-%d}.")
    context = digest.encode()
    data: bytes | None = None
    key_of_blob = unwrap(bytes(blob.wrapped_key or b""), blob.kek_id, context=context)
    with suppress(InvalidTag):
        data = _open(key_of_blob, bytes(blob.ciphertext or b""), context)
    if data is None or digest_bytes(data) != digest:
        raise Altered(f"The stored content {digest} was altered and is not handed out. Restore it from a backup.")
    return data


def erase(digest: str, *, now: datetime) -> bool:
    """Destroy key and content; whether there was any. The caller records why, in the ledger."""
    return bool(
        Blob.objects.filter(digest=digest, erased_at=None).update(wrapped_key=None, ciphertext=None, erased_at=now)
    )


def rewrap() -> int:
    """Wrap the key of every blob with the newest key; the content stays as it is. Returns how many were moved."""
    newest, count = keys()[0].id, 0
    waiting = Blob.objects.filter(~Q(kek_id=newest), erased_at=None).only("digest", "kek_id", "wrapped_key")
    for blob in waiting.iterator():
        context = blob.digest.encode()
        secret = unwrap(bytes(blob.wrapped_key or b""), blob.kek_id, context=context)
        wrapped_key, kek_id = wrap(secret, context=context)
        count += Blob.objects.filter(digest=blob.digest, kek_id=blob.kek_id, erased_at=None).update(
            kek_id=kek_id, wrapped_key=wrapped_key
        )
    return count


def wrap(secret: bytes, *, context: bytes) -> tuple[bytes, str]:
    """Encrypt a data key with the newest key of the settings; returns it with that key's id. `context` binds it."""
    key = keys()[0]
    return _seal(key.derive("vault"), secret, context), key.id


def unwrap(wrapped: bytes, kek_id: str, *, context: bytes) -> bytes:
    key = next((key for key in keys() if key.id == kek_id), None)
    if key is None:
        raise VaultError(f"The key {kek_id} is not among READINESS_ENCRYPTION_KEYS, so this cannot be read.")
    try:
        return _open(key.derive("vault"), wrapped, context)
    except InvalidTag:
        raise Altered("A stored data key was altered, so what it protects cannot be read.") from None


def _seal(key: bytes, data: bytes, context: bytes) -> bytes:
    nonce = os.urandom(NONCE_SIZE)
    return nonce + AESGCM(key).encrypt(nonce, data, context)


def _open(key: bytes, data: bytes, context: bytes) -> bytes:
    return AESGCM(key).decrypt(data[:NONCE_SIZE], data[NONCE_SIZE:], context)
