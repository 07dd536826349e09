"""The statement that is signed: exactly what the signer was shown, and what signing it means. Pure.

A passkey signs the challenge: SHA-256 over a domain tag, the nonce and the canonical statement. Whoever has statement,
assertion and public key can check it without this program.
"""

import base64
import hashlib
from datetime import datetime
from typing import Any

from accounts.passkeys import InvalidAssertion, PasskeyAssertion, verify_assertion
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
    **{
        (question, section): f"I have checked {what} of this release, as far as my role answers for it."
        for question in ("canary", "release")
        for section, what in {
            "platform": "the security",
            "privacy": "the privacy",
            "compliance": "the handling of regulated data",
        }.items()
    },
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
    return dict(statement)


def challenge(statement: dict[str, Any]) -> bytes:
    return hashlib.sha256(DOMAIN + statement["nonce"].encode() + b"\x00" + canonical.dumps(statement)).digest()


def assertion_json(assertion: PasskeyAssertion, *, rp_id: str, origin: str) -> dict[str, str]:
    """A passkey's answer as it is stored: base64, with the site that it must have been given to."""
    return {
        "credential_id": _text(assertion.credential_id),
        "public_key": _text(assertion.public_key),
        "authenticator_data": _text(assertion.authenticator_data),
        "client_data_json": _text(assertion.client_data_json),
        "signature": _text(assertion.signature),
        "rp_id": rp_id,
        "origin": origin,
    }


def check_assertion(statement: dict[str, Any], stored: dict[str, str]) -> str:
    """Why a stored passkey answer does not sign this statement; empty where it does."""
    try:
        assertion = PasskeyAssertion(
            credential_id=_bytes(stored["credential_id"]),
            public_key=_bytes(stored["public_key"]),
            authenticator_data=_bytes(stored["authenticator_data"]),
            client_data_json=_bytes(stored["client_data_json"]),
            signature=_bytes(stored["signature"]),
        )
        verify_assertion(assertion, challenge=challenge(statement), rp_id=stored["rp_id"], origin=stored["origin"])
    except InvalidAssertion as error:
        return str(error)
    except (KeyError, ValueError):
        return "The stored answer of the passkey is not complete."
    return ""


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
