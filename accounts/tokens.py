"""API tokens: `rdy_` + public id + secret + checksum.

The prefix and the checksum let secret scanners spot a leaked token, and let us refuse a mistyped one without asking the
database. Only a hash is stored. It is a plain SHA-256: the secret has 256 random bits, so there is nothing to guess.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from datetime import datetime, timedelta

from django.db.models import Q

from accounts.models import ApiToken
from web.prepared import Prepared

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID, _SECRET, _CHECK = 10, 43, 6  # 43 characters of 62 hold 256 bits; 6 hold a CRC-32
_FORM = re.compile(rf"rdy_[0-9A-Za-z]{{{_ID + _SECRET + _CHECK}}}")
_USED_GRAIN = timedelta(minutes=1)

_named = Prepared(lambda public_id: ApiToken.objects.select_related("owner").filter(public_id=public_id))


def generate() -> tuple[str, str]:
    """A new token's public id, and the whole token as its owner gets to see it once."""
    public_id = "".join(secrets.choice(_ALPHABET) for _ in range(_ID))
    body = f"rdy_{public_id}{_base62(secrets.randbits(256), _SECRET)}"
    return public_id, body + _checksum(body)


def hash_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def authenticate(token: str, now: datetime) -> ApiToken | None:
    """The living token with this secret, of an active owner. One query; a second one at most once a minute."""
    if not _FORM.fullmatch(token) or not hmac.compare_digest(_checksum(token[:-_CHECK]), token[-_CHECK:]):
        return None
    named = _named(public_id=token[4 : 4 + _ID])
    if not named or not hmac.compare_digest(named[0].secret_hash, hash_of(token)):
        return None
    found = named[0]
    if found.revoked_at or (found.expires_at and found.expires_at <= now) or not found.owner.is_active:
        return None
    if found.last_used_at is None or found.last_used_at <= now - _USED_GRAIN:
        # Conditional, so that of many requests in the same second one writes.
        stale = Q(last_used_at=None) | Q(last_used_at__lte=now - _USED_GRAIN)
        ApiToken.objects.filter(stale, pk=found.pk).update(last_used_at=now)
    return found


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, rest = divmod(number, 62)
        digits.append(_ALPHABET[rest])
    return "".join(reversed(digits))
