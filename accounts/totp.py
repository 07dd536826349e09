"""Time-based one-time codes (RFC 6238: HMAC-SHA-1, six digits, thirty seconds). No Django here.

One step of clock drift is allowed either way, and every code counts once: who uses it remembers the step it belongs to
and accepts only later ones (section 5.2).
"""

import base64
import hmac
import struct
from datetime import datetime

PERIOD = 30
DIGITS = 6
DRIFT = 1


def code_at(secret: str, at: datetime) -> str:
    """The code that an authenticator app with this seed (base32) shows at that time."""
    return _code(secret, int(at.timestamp()) // PERIOD)


def step_of(secret: str, code: str, at: datetime) -> int | None:
    """The time step that a code belongs to, or None where it is not one of the codes that are good at that time."""
    given = "".join(character for character in code if not character.isspace())
    now = int(at.timestamp()) // PERIOD
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(_code(secret, step).encode(), given.encode()):
            return step
    return None


def _code(secret: str, step: int) -> str:
    digest = hmac.digest(base64.b32decode(secret, casefold=True), struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"
