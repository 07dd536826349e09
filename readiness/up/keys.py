"""Secrets of one machine: made once, kept in the data folder, readable by its owner alone."""

import base64
import secrets
from collections.abc import Callable
from pathlib import Path

from readiness.up.folder import write_private


def kept(path: Path, make: Callable[[], str]) -> str:
    """The secret in the file; made and written at its first use."""
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        write_private(path, make() + "\n")
        return path.read_text().strip()


def password() -> str:
    return secrets.token_urlsafe(32)


def key() -> str:
    """32 random bytes, base64."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def of_the_application(folder: Path) -> dict[str, str]:
    """The variables of settings.py that are secrets, as far as nobody else hands them over."""
    return {
        "SECRET_KEY": kept(folder / "secret_key", lambda: secrets.token_urlsafe(64)),
        "READINESS_ENCRYPTION_KEYS": kept(folder / "encryption_keys", key),
    }
