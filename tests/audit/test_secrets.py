import base64

import pytest

from audit import keyring, secrets
from audit.secrets import SecretError


def key(number: int) -> str:
    return base64.b64encode(bytes([number]) * 32).decode()


@pytest.fixture(autouse=True)
def _keys(settings):
    settings.ENCRYPTION_KEYS = [key(1)]


def test_a_secret_comes_back_and_is_never_the_same_twice():
    first, second = secrets.encrypt("hunter2"), secrets.encrypt("hunter2")
    assert first != second
    assert "hunter2" not in first
    assert secrets.decrypt(first) == secrets.decrypt(second) == "hunter2"


def test_a_new_key_encrypts_and_the_old_one_still_decrypts(settings):
    old = secrets.encrypt("hunter2")
    settings.ENCRYPTION_KEYS = [key(2), key(1)]
    assert secrets.decrypt(old) == "hunter2"
    assert not secrets.is_current(old)
    moved = secrets.rotate(old)
    assert secrets.is_current(moved)
    settings.ENCRYPTION_KEYS = [key(2)]
    assert secrets.decrypt(moved) == "hunter2"
    with pytest.raises(SecretError, match="READINESS_ENCRYPTION_KEYS"):
        secrets.decrypt(old)
    with pytest.raises(SecretError, match="READINESS_ENCRYPTION_KEYS"):
        secrets.rotate(old)


@pytest.mark.parametrize("text", ["", "hunter2", "enc1:", "enc1:AAAA"])
def test_what_is_no_secret_of_ours_is_refused(text):
    with pytest.raises(SecretError):
        secrets.decrypt(text)


def test_an_altered_secret_is_refused():
    text = secrets.encrypt("hunter2")
    with pytest.raises(SecretError):
        secrets.decrypt(text[:-5] + ("A" if text[-5] != "A" else "B") + text[-4:])


def test_each_purpose_has_a_key_of_its_own():
    [first] = keyring.keys()
    assert first.derive("secrets") != first.derive("vault") != first.secret
    assert first.secret.hex() not in repr(first)


def test_a_short_key_is_refused(settings):
    settings.ENCRYPTION_KEYS = [base64.b64encode(b"short").decode()]
    with pytest.raises(ValueError, match="32 bytes"):
        keyring.keys()
