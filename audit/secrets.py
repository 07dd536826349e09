"""Small secrets at rest (source credentials, webhook secrets, TOTP seeds): encrypted text in the column of their table.

The prefix says what it is, so that rotation finds every secret by looking, wherever a package keeps one.
"""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from audit.keyring import Key, keys

PREFIX = "enc1:"


class SecretError(ValueError):
    """Not encrypted by us, or by a key that is not configured any more."""


def encrypt(text: str) -> str:
    return PREFIX + _fernet(keys()).encrypt(text.encode()).decode()


def decrypt(text: str) -> str:
    try:
        return _fernet(keys()).decrypt(_token(text)).decode()
    except InvalidToken:
        raise SecretError(
            "This secret was encrypted with a key that READINESS_ENCRYPTION_KEYS does not hold."
        ) from None


def rotate(text: str) -> str:
    """The same secret under the newest key."""
    try:
        return PREFIX + _fernet(keys()).rotate(_token(text)).decode()
    except InvalidToken:
        raise SecretError(
            "This secret was encrypted with a key that READINESS_ENCRYPTION_KEYS does not hold."
        ) from None


def is_current(text: str) -> bool:
    """Whether the newest key made it."""
    try:
        _fernet(keys()[:1]).decrypt(_token(text))
    except InvalidToken:
        return False
    return True


def _token(text: str) -> bytes:
    if not text.startswith(PREFIX):
        raise SecretError("This is not an encrypted secret.")
    return text.removeprefix(PREFIX).encode()


@lru_cache(maxsize=8)
def _fernet(ring: tuple[Key, ...]) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key.derive("secrets"))) for key in ring])
