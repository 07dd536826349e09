"""The keys of settings.ENCRYPTION_KEYS, and what is derived from them: one key per purpose, so no two uses share one.

Newest first: it encrypts; the others only decrypt, until `manage.py rotate_keys` has moved everything to the newest.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


@dataclass(frozen=True, repr=False)
class Key:
    id: str
    secret: bytes

    def derive(self, purpose: str) -> bytes:
        """A 32-byte key for one purpose (HKDF, RFC 5869)."""
        return HKDF(SHA256(), 32, salt=None, info=b"readiness/" + purpose.encode()).derive(self.secret)


def keys() -> tuple[Key, ...]:
    return _parse(tuple(settings.ENCRYPTION_KEYS))


@lru_cache(maxsize=8)
def _parse(texts: tuple[str, ...]) -> tuple[Key, ...]:
    parsed = []
    for text in texts:
        secret = base64.b64decode(text)
        if len(secret) < 32:
            raise ValueError("an encryption key is 32 bytes, base64")
        parsed.append(Key(hashlib.sha256(b"readiness/key-id\n" + secret).hexdigest()[:16], secret))
    return tuple(parsed)
