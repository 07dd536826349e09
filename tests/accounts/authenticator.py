"""A passkey made of software, for tests that need no browser: it signs what a real authenticator signs."""

import hashlib
import json
import struct
from dataclasses import dataclass, field
from typing import Any

from allauth.mfa.models import Authenticator
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData

from accounts.models import User

UP, UV, AT = 0x01, 0x04, 0x40


@dataclass
class SoftKey:
    rp_id: str = "localhost"
    origin: str = "http://localhost:8000"
    counter: int = 0
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    credential_id: bytes = b"soft-key-0000001"

    @property
    def cose(self) -> bytes:
        return cbor.encode(dict(ES256.from_cryptography_key(self.key.public_key())))

    def enrol(self, user: User) -> Authenticator:
        """The row that allauth keeps of a registration."""
        credential = AttestedCredentialData.create(
            Aaguid(b"\0" * 16), self.credential_id, ES256.from_cryptography_key(self.key.public_key())
        )
        data = AuthenticatorData.create(self._rp_hash(), AuthenticatorData.FLAG(UP | UV | AT), 0, credential)
        response = {
            "clientDataJSON": websafe_encode(self._client(b"x" * 32, "webauthn.create")),
            "attestationObject": websafe_encode(AttestationObject.create("none", data, {})),
        }
        raw = websafe_encode(self.credential_id)
        stored = {"id": raw, "rawId": raw, "type": "public-key", "response": response, "clientExtensionResults": {}}
        return Authenticator.objects.create(user=user, type="webauthn", data={"name": "Soft key", "credential": stored})

    def answer(self, challenge: bytes, *, flags: int = UP | UV, kind: str = "webauthn.get", **client: Any) -> dict:
        """What navigator.credentials.get gives back, as JSON."""
        data = self._rp_hash() + struct.pack(">BI", flags, self.counter)
        client_data = self._client(challenge, kind, **client)
        signature = self.key.sign(data + hashlib.sha256(client_data).digest(), ec.ECDSA(hashes.SHA256()))
        raw = websafe_encode(self.credential_id)
        return {
            "id": raw,
            "rawId": raw,
            "type": "public-key",
            "response": {
                "clientDataJSON": websafe_encode(client_data),
                "authenticatorData": websafe_encode(data),
                "signature": websafe_encode(signature),
            },
            "clientExtensionResults": {},
        }

    def _rp_hash(self) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest()

    def _client(self, challenge: bytes, kind: str, **more: Any) -> bytes:
        body = {"type": kind, "challenge": websafe_encode(challenge), "origin": self.origin, "crossOrigin": False}
        return json.dumps({**body, **more}).encode()
