"""What every test starts from. Factories are in tests/factories.py: they reach a state through actions."""

import gc
import shutil
from pathlib import Path

import pytest

from tests.browser import axe_clean, browser_page, browser_type_launch_args, site
from tests.pristine import Pristine

__all__ = ["axe_clean", "browser_page", "browser_type_launch_args", "site"]


@pytest.fixture(autouse=True)
def _quick_passwords(settings):
    """Hashing a password takes half a second by design; a test hashes dozens."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _quick_clients(settings):
    """A server reads the list of static files once, as it starts; each test client is a server of its own."""
    settings.WHITENOISE_AUTOREFRESH = True


# Minutes each, most of them spent waiting: begun first, they end while others compute.
SLOWEST = (
    "journeys/test_release.py",
    "journeys/test_demo.py",
    "readiness/test_up.py",
    "readiness/test_containers.py",
    "journeys/test_keyboard.py",
    "journeys/test_connectors.py",
    "jobs/test_worker.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    ranks = {Path(__file__).parent / name: rank for rank, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


def pytest_collection_finish():
    """What is there by now stays to the end: collecting garbage need not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


PRISTINE = pytest.StashKey[Pristine]()


@pytest.fixture(scope="session")
def django_db_setup(request, django_db_setup, django_db_blocker, _data_folder):
    """The test database, and a copy of it for those who come after somebody that committed."""
    pristine = request.config.stash[PRISTINE] = Pristine(django_db_blocker, _data_folder)
    yield
    pristine.drop()


def commits(item):
    marker = item.get_closest_marker("django_db")
    asked = marker is not None and marker.kwargs.get("transaction")
    return bool(asked or {"live_server", "transactional_db"} & set(item.fixturenames))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Tests of one module that commit see what those before them left, as their workers do; others do not."""
    pristine = item.config.stash.get(PRISTINE, None)
    if pristine is None:
        return
    module = item.path if commits(item) else None
    if pristine.spoiled_by not in (None, module):
        pristine.restore()
    pristine.spoiled_by = module


@pytest.fixture(scope="session")
def _data_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(autouse=True)
def _own_data_folder(request, settings, _data_folder, tmp_path_factory):
    """Keys and signed heads live as long as the database they belong to: committed ones for the whole session.

    A test whose transaction is rolled back works on a copy, which goes with it.
    """
    if commits(request.node):
        settings.DATA_DIR = _data_folder
    else:
        settings.DATA_DIR = shutil.copytree(_data_folder, tmp_path_factory.mktemp("own") / "data")
