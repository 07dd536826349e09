"""What every test starts from. Factories are in tests/factories.py: they reach a state through actions."""

import os

import pytest

# Before Django reads its settings: tests need no environment but a database.
os.environ.setdefault("READINESS_DEBUG", "1")
os.environ.setdefault("DATABASE_URL", "postgres://postgres:dev@127.0.0.1:5544/dev")


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    """Hashing a password takes half a second by design; a test hashes dozens."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
