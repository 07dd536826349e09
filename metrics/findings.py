"""What "Test connection" found, in words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    ok: bool
    sentence: str
