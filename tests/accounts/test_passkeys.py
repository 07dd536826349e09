"""The offline check against forgeries. It must say no, with a sentence, to whatever a bundle holds."""

import subprocess
import sys
from dataclasses import replace

import pytest
from fido2.utils import websafe_decode
from hypothesis import given
from hypothesis import strategies as st

from accounts.passkeys import InvalidAssertion, PasskeyAssertion, verify_assertion
from tests.accounts.authenticator import UP, UV, SoftKey

CHALLENGE = b"c" * 32
SITE = {"rp_id": "localhost", "origin": "http://localhost:8000"}


def assertion(key: SoftKey, answer: dict) -> PasskeyAssertion:
    response = answer["response"]
    return PasskeyAssertion(
        credential_id=websafe_decode(answer["id"]),
        public_key=key.cose,
        authenticator_data=websafe_decode(response["authenticatorData"]),
        client_data_json=websafe_decode(response["clientDataJSON"]),
        signature=websafe_decode(response["signature"]),
    )


KEY = SoftKey()
GOOD = assertion(KEY, KEY.answer(CHALLENGE))


def test_a_true_signature_holds():
    verify_assertion(GOOD, challenge=CHALLENGE, **SITE)


@pytest.mark.parametrize(
    ("forged", "sentence"),
    [
        (assertion(KEY, KEY.answer(b"d" * 32)), "another challenge"),
        (assertion(KEY, KEY.answer(CHALLENGE, kind="webauthn.create")), "not an assertion"),
        (assertion(KEY, KEY.answer(CHALLENGE, origin="http://localhost:9000")), "signed for http://localhost:9000"),
        (assertion(KEY, KEY.answer(CHALLENGE, origin="https://evil.test")), "signed for https://evil.test"),
        (assertion(KEY, KEY.answer(CHALLENGE, crossOrigin=True)), "signed for"),
        (assertion(KEY, KEY.answer(CHALLENGE, flags=UP)), "not verified"),
        (assertion(KEY, KEY.answer(CHALLENGE, flags=UV)), "not verified"),
        (replace(GOOD, public_key=SoftKey().cose), "does not match"),
        (replace(GOOD, signature=b""), "does not match"),
        (replace(GOOD, signature=GOOD.signature[:-1]), "does not match"),
        (replace(GOOD, public_key=b""), "public key cannot be read"),
        (replace(GOOD, public_key=b"\x83\x01\x02\x03"), "public key cannot be read"),
        (replace(GOOD, client_data_json=b"[]"), "client data cannot be read"),
        (replace(GOOD, client_data_json=b"{}"), "client data cannot be read"),
        (replace(GOOD, authenticator_data=b"\0" * 10), "authenticator's data cannot be read"),
        (replace(GOOD, authenticator_data=b"\0" * 37), "another site"),
    ],
)
def test_a_forged_one_does_not_and_says_why(forged, sentence):
    with pytest.raises(InvalidAssertion, match=sentence):
        verify_assertion(forged, challenge=CHALLENGE, **SITE)


def test_another_site_s_key_does_not_count():
    stranger = SoftKey(rp_id="evil.test")
    with pytest.raises(InvalidAssertion, match="another site"):
        verify_assertion(assertion(stranger, stranger.answer(CHALLENGE)), challenge=CHALLENGE, **SITE)


@given(
    st.sampled_from(["public_key", "authenticator_data", "client_data_json", "signature"]),
    st.data(),
)
def test_no_flipped_bit_passes(part, data):
    value = bytearray(getattr(GOOD, part))
    # Of the key, the point's second coordinate: labels that the arithmetic does not read may differ.
    start = len(value) - 32 if part == "public_key" else 0
    bit = data.draw(st.integers(start * 8, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidAssertion):
        verify_assertion(replace(GOOD, **{part: bytes(value)}), challenge=CHALLENGE, **SITE)


@given(st.sampled_from(["public_key", "authenticator_data", "client_data_json", "signature"]), st.binary(max_size=200))
def test_rubbish_is_refused_never_an_error(part, rubbish):
    with pytest.raises(InvalidAssertion):
        verify_assertion(replace(GOOD, **{part: rubbish}), challenge=CHALLENGE, **SITE)


def test_it_needs_no_django():
    code = "import sys; import accounts.passkeys, accounts.totp; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
