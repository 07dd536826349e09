"""Prompts and answers at rest: encrypted per system and day, and fixed by commitments that outlive them.

One data key per system and UTC day, wrapped by the installation's key (vault). Destroying the row of a key makes that
day's payloads of that system unreadable, in every old dump too, while spans and proofs stay.

A commitment is SHA-256(tag || salt || canonical payload), over what the application sent, before redaction. The salt is
derived from the data key, so a span sent twice has the same commitment, and nobody without the key can guess at a short
prompt by hashing candidates.
"""

import hashlib
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import IntegrityError, transaction

from audit import canonical
from audit.keyring import keys
from audit.models import PayloadKey, Span, SpanPayload
from audit.vault import Altered, VaultError

TAG = b"readiness/span-payload/v1\n"
NONCE_SIZE = 12


@dataclass(frozen=True)
class DataKey:
    id: UUID
    secret: bytes

    def commit(self, span: bytes, side: str, content: Any) -> bytes:
        return hashlib.sha256(TAG + self.salt(span, side) + canonical.dumps_tidy(content)).digest()

    def salt(self, span: bytes, side: str) -> bytes:
        return hmac.digest(self.secret, b"salt\n" + side.encode() + b"\n" + span, "sha256")

    def seal(self, span: bytes, document: Any) -> bytes:
        nonce = os.urandom(NONCE_SIZE)
        return nonce + self._cipher.encrypt(nonce, canonical.dumps_tidy(document), span)

    def open(self, span: bytes, sealed: bytes) -> Any:
        return canonical.loads(self._cipher.decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], span))

    @cached_property
    def _cipher(self) -> AESGCM:
        return AESGCM(hmac.digest(self.secret, b"encrypt", "sha256"))


def span_name(system: str, trace_id: UUID, span_id: str) -> bytes:
    """What a sealed payload is bound to: moved to another row, it does not open."""
    return f"{system}\n{trace_id.hex}\n{span_id}".encode()


def keys_for(system: str, days: Iterable[date], *, now: datetime) -> dict[date, DataKey]:
    """The data keys of these days, made where there are none yet. Read at every batch: what was destroyed is gone."""
    wanted = set(days)
    keys = {row.day: _unwrapped(row) for row in PayloadKey.objects.filter(system=system, day__in=wanted)}
    for day in wanted - keys.keys():
        keys[day] = _make(system, day, now)
    return keys


def _unwrapped(row: PayloadKey) -> DataKey:
    wrapping = next((key for key in keys() if key.id == row.kek_id), None)
    if wrapping is None:
        raise VaultError(f"The key {row.kek_id} is not among READINESS_ENCRYPTION_KEYS, so this cannot be read.")
    wrapped = bytes(row.wrapped)
    cipher = AESGCM(wrapping.derive("span-payloads"))
    return DataKey(row.pk, cipher.decrypt(wrapped[:NONCE_SIZE], wrapped[NONCE_SIZE:], _context(row.system, row.day)))


def _make(system: str, day: date, now: datetime) -> DataKey:
    secret = os.urandom(32)
    try:
        with transaction.atomic():
            row = PayloadKey.objects.create(system=system, day=day, created_at=now, **_wrap(secret, system, day))
    except IntegrityError:  # another process was first; its key is the key
        return _unwrapped(PayloadKey.objects.get(system=system, day=day))
    return DataKey(row.pk, secret)


def _wrap(secret: bytes, system: str, day: date) -> dict[str, Any]:
    newest, nonce = keys()[0], os.urandom(NONCE_SIZE)
    sealed = AESGCM(newest.derive("span-payloads")).encrypt(nonce, secret, _context(system, day))
    return {"wrapped": nonce + sealed, "kek_id": newest.id}


def rewrap() -> int:
    """Wrap every data key with the newest key of the settings. Returns how many were moved."""
    count = 0
    for row in PayloadKey.objects.exclude(kek_id=keys()[0].id):
        secret = _unwrapped(row).secret
        rows = PayloadKey.objects.filter(pk=row.pk, kek_id=row.kek_id)
        count += rows.update(**_wrap(secret, row.system, row.day))
    return count


def _context(system: str, day: date) -> bytes:
    return f"payload-key {system} {day}".encode()


def read(span: Span) -> dict[str, Any] | None:
    """The payload of a span: `{"mode", "input", "output"}`; None where none was kept, or its key was destroyed."""
    row = SpanPayload.objects.filter(
        trace_id=span.trace_id, span_id=span.span_id, started_at=span.started_at, system=span.system
    ).first()
    if row is None:
        return None
    key_row = PayloadKey.objects.filter(pk=row.key_id).first()
    return None if key_row is None else opened(row, key_row)


def opened(row: SpanPayload, key_row: PayloadKey) -> dict[str, Any] | None:
    """What a sealed row says, or a refusal where it was altered."""
    try:
        document = _unwrapped(key_row).open(span_name(row.system, row.trace_id, row.span_id), bytes(row.sealed))
    except InvalidTag:
        raise Altered(f"The stored payload of span {row.span_id} was altered and is not handed out.") from None
    return document if isinstance(document, dict) else None
