"""What every test starts from. Factories are in tests/factories.py: they reach a state through actions."""

import pytest

from tests.browser import axe_clean, browser_page, browser_type_launch_args, site

__all__ = ["axe_clean", "browser_page", "browser_type_launch_args", "site"]


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    """Hashing a password takes half a second by design; a test hashes dozens."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def _data_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def _own_data_folder(settings, _data_folder):
    """Keys and signed heads beside the test database, and as long-lived as it: the logs outlast a single test."""
    settings.DATA_DIR = _data_folder
