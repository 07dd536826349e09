"""Signing through the API with a passkey made of software: what a browser does, without one."""

import json
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from fido2.utils import websafe_decode

from tests.accounts.authenticator import SoftKey
from tests.factories import sign_in


class Caller:
    """One signed-in person, over real HTTP: each call has a connection of its own, as browsers behind a proxy have."""

    def __init__(self, url: str, user: Any, key: SoftKey | None = None) -> None:
        self.host = urlsplit(url).netloc
        self.key = key
        if key is not None:
            key.enrol(user)
        cookies = sign_in(user).cookies
        self.cookie = f"{'sessionid' if 'sessionid' in cookies else next(iter(cookies))}="
        self.cookie += next(iter(cookies.values())).value if "sessionid" not in cookies else cookies["sessionid"].value
        self.csrf = "c" * 32

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        connection = HTTPConnection(self.host, timeout=60)
        sent = {
            "Cookie": f"{self.cookie}; csrftoken={self.csrf}",
            "X-CSRFToken": self.csrf,
            "Content-Type": "application/json",
            **headers,
        }
        try:
            connection.request(method, path, None if body is None else json.dumps(body), sent)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text.startswith((b"{", b"[")) else text
        finally:
            connection.close()

    def prepare(self, release: Any, side: str) -> dict[str, Any]:
        """Reads the statement and has the passkey answer it; the result is what is sent to sign."""
        status, offer = self.call("GET", f"/api/releases/{release.pk}/sign-off/{side}")
        assert status == 200, offer
        assert self.key is not None
        challenge = websafe_decode(offer["passkey_options"]["publicKey"]["challenge"])
        return {
            "sealed": offer["sealed"],
            "state_digest": offer["state_digest"],
            "passkey": self.key.answer(challenge),
        }

    def sign(self, release: Any, side: str, prepared: dict[str, Any]) -> tuple[int, Any]:
        return self.call("POST", f"/api/releases/{release.pk}/sign-off/{side}", prepared)
