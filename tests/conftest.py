"""What every test starts from. Factories are in tests/factories.py: they reach a state through actions."""

import shutil

import pytest
from django.db import connection

from tests.browser import axe_clean, browser_page, browser_type_launch_args, site

__all__ = ["axe_clean", "browser_page", "browser_type_launch_args", "site"]


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    """Hashing a password takes half a second by design; a test hashes dozens."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Servers that tests started and stopped may hold a connection a moment longer than the database lives."""
    yield
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.fixture(scope="session")
def _data_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def _own_data_folder(request, settings, _data_folder, tmp_path_factory):
    """Keys and signed heads live as long as the database they belong to: committed ones for the whole session.

    A test whose transaction is rolled back works on a copy, which goes with it.
    """
    marker = request.node.get_closest_marker("django_db")
    commits = marker is not None and marker.kwargs.get("transaction")
    if commits or {"live_server", "transactional_db"} & set(request.fixturenames):
        settings.DATA_DIR = _data_folder
    else:
        settings.DATA_DIR = shutil.copytree(_data_folder, tmp_path_factory.mktemp("own") / "data")
