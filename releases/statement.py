"""The statement that is signed: exactly what the signer was shown, and what signing it means. Pure.

A passkey signs the challenge, which is SHA-256 over a domain tag, the nonce and the canonical statement: whoever has the
statement, the assertion and the public key can check it without this program.
"""

import hashlib
from datetime import datetime
from typing import Any

from audit import canonical
from releases.gate.types import Verdict

DOMAIN = b"readiness/sign-off/v1\x00"

MEANING = {
    (
        "canary",
        "engineering",
    ): "I have checked correctness and evaluation results. This release may meet its first users.",
    ("canary", "operations"): "I have checked monitoring, alerts and rollback. This release may meet its first users.",
    (
        "release",
        "engineering",
    ): "I have checked what the rollout showed of correctness. This release may serve everybody.",
    ("release", "operations"): "I have checked what the rollout showed of operation. This release may serve everybody.",
}


def build(
    *,
    release: str,
    label: str,
    system: str,
    side: str,
    person: dict[str, str],
    state_digest: str,
    verdict: Verdict,
    live: dict[str, Any],
    nonce: str,
    shown_at: datetime,
) -> dict[str, Any]:
    """`live` are the facts that move by themselves, as the page shows them."""
    statement: Any = canonical.plain(
        {
            "type": "readiness/sign-off/v1",
            "release": release,
            "label": label,
            "system": system,
            "question": verdict.question,
            "side": side,
            "meaning": MEANING[verdict.question.value, side],
            "person": person,
            "state_digest": state_digest,
            "verdict": {"outcome": verdict.outcome, "gate_version": verdict.gate_version},
            "live": live,
            "nonce": nonce,
            "shown_at": shown_at,
        }
    )
    return statement  # type: ignore[no-any-return]


def challenge(statement: dict[str, Any]) -> bytes:
    return hashlib.sha256(DOMAIN + statement["nonce"].encode() + b"\x00" + canonical.dumps(statement)).digest()
