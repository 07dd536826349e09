"""Checking a passkey's signature offline: no Django, no database, no network.

What a person signs with a passkey can be checked years later, from what is kept here and the challenge, by somebody who
has nothing else of ours.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

from fido2 import cbor
from fido2.cose import CoseKey
from fido2.webauthn import AuthenticatorData, CollectedClientData


class InvalidAssertion(ValueError):
    """The signature does not hold. The message says which step failed."""


@dataclass(frozen=True)
class PasskeyAssertion:
    """A passkey's answer to a challenge (WebAuthn calls it an assertion), with the key it must be checked against."""

    credential_id: bytes
    public_key: bytes  # COSE_Key in CBOR
    authenticator_data: bytes
    client_data_json: bytes
    signature: bytes


def verify_assertion(assertion: PasskeyAssertion, *, challenge: bytes, rp_id: str, origin: str) -> None:
    """Raises `InvalidAssertion` unless the key signed this challenge, on this site, with the person verified.

    The steps are those of WebAuthn Level 3, section 7.2, as far as they need no memory: whether the challenge was ours
    and unused, and the counter, were checked when it was signed.
    """
    # 1. It is an assertion, not a registration (7.2 step 11).
    client = _read(CollectedClientData, assertion.client_data_json, "The signed client data cannot be read.")
    if client.type != CollectedClientData.TYPE.GET.value:
        raise InvalidAssertion("The signed data is not an assertion.")
    # 2. Over this challenge (step 12): that binds it to the statement.
    if not hmac.compare_digest(client.challenge, challenge):
        raise InvalidAssertion("It was signed over another challenge.")
    # 3. Given to a page of this origin, not inside of another's (steps 13 and 14).
    if client.origin != origin or client.cross_origin:
        raise InvalidAssertion(f"It was signed for {client.origin}, not for {origin}.")
    # 4. By a key of this site, the person present and verified (steps 15 to 17).
    data = _read(AuthenticatorData, assertion.authenticator_data, "The authenticator's data cannot be read.")
    if not hmac.compare_digest(data.rp_id_hash, hashlib.sha256(rp_id.encode()).digest()):
        raise InvalidAssertion("The key belongs to another site.")
    if not (data.is_user_present() and data.is_user_verified()):
        raise InvalidAssertion("The person was not verified by fingerprint, face or PIN.")
    # 5. The signature itself (step 20), over the authenticator's data and the hash of the client's.
    key = _read(_cose_key, assertion.public_key, "The public key cannot be read.")
    try:
        key.verify(assertion.authenticator_data + client.hash, assertion.signature)
    except Exception as error:  # each kind of key has its own way to say no
        raise InvalidAssertion("The signature does not match the key.") from error


def _cose_key(raw: bytes) -> CoseKey:
    decoded = cbor.decode(raw)
    if not isinstance(decoded, dict):
        raise TypeError
    return CoseKey.parse(decoded)


def _read[T](parse: Callable[[bytes], T], raw: bytes, otherwise: str) -> T:
    try:
        return parse(raw)
    except Exception as error:  # whatever a forged file makes the parser raise, the answer is no
        raise InvalidAssertion(otherwise) from error
