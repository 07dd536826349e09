"""Typed reading of the environment: a value is right, or the start is refused with a sentence that says why."""

import os
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

_TRUE = {"1", "true", "yes", "on"}
_FALSE = {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    """The variable, or the content of the file that NAME_FILE points to (how orchestrators hand over secrets)."""
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE names {path}, which cannot be read: {error.strerror}.") from error
    return os.environ.get(name, default)


def boolean(name: str, default: bool = False) -> bool:
    raw = os.environ.get(name)
    if raw is None:
        return default
    if raw.strip().lower() in _TRUE:
        return True
    if raw.strip().lower() in _FALSE:
        return False
    raise ImproperlyConfigured(f"{name} is {raw!r}: write 1 or 0.")


def number(name: str, default: int) -> int:
    raw = os.environ.get(name)
    if raw is None or raw == "":
        return default
    try:
        return int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {raw!r}: write a whole number.") from None


def listing(name: str, default: tuple[str, ...] = ()) -> list[str]:
    raw = text(name)
    if not raw:
        return list(default)
    return [part.strip() for part in raw.split(",") if part.strip()]


def named(name: str) -> dict[str, str]:
    """`name=value` pairs, separated by blanks or lines. A value may hold a secret: no complaint quotes it."""
    found: dict[str, str] = {}
    for number, pair in enumerate(text(name).split(), start=1):
        key, equals, value = pair.partition("=")
        if not (key and equals and "://" in value) or key in found or "://" in key:
            raise ImproperlyConfigured(f"{name}: entry {number} is no name=scheme://address of its own.")
        found[key] = value
    return found


def mailer(name: str, default: str) -> dict[str, Any]:
    """One entry of MAILERS from a URL. A mail server gets ten seconds: a slow one must not hold up a worker."""
    url = text(name, default)
    try:
        given = environ.Env.email_url_config(url)
    except (ImproperlyConfigured, ValueError) as error:
        raise ImproperlyConfigured(f"{name} cannot be read: write smtp://user:password@host:port.") from error
    backend = given["EMAIL_BACKEND"]
    if backend.endswith("smtp.EmailBackend"):
        options = {
            "host": given["EMAIL_HOST"] or "localhost",
            "port": given["EMAIL_PORT"],
            "username": given["EMAIL_HOST_USER"] or "",
            "password": given["EMAIL_HOST_PASSWORD"] or "",
            "use_tls": given.get("EMAIL_USE_TLS", False),
            "use_ssl": given.get("EMAIL_USE_SSL", False),
            "timeout": 10,
        }
    elif backend.endswith("filebased.EmailBackend"):
        options = {"file_path": "/" + given["EMAIL_FILE_PATH"]}
    else:
        options = {}
    return {"BACKEND": backend, "OPTIONS": options}
