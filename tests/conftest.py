"""What every test starts from. Factories are in tests/factories.py: they reach a state through actions."""

import pytest


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    """Hashing a password takes half a second by design; a test hashes dozens."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
