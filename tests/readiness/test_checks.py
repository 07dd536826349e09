import base64

import pytest
from django.core.checks import Error
from django.core.management import call_command
from django.db import connection

from readiness import checks

GOOD_KEY = base64.b64encode(b"k" * 32).decode()


def ids(messages):
    return [message.id for message in messages]


@pytest.fixture
def production(settings):
    settings.DEBUG = False
    settings.SECRET_KEY = "a-long-and-random-enough-secret-for-this-test-only"
    settings.ENCRYPTION_KEYS = [GOOD_KEY]
    return settings


def test_sound_settings_pass(production):
    assert checks.secrets_are_secret(None) == []
    assert checks.cache_is_shared(None) == []
    assert checks.work_is_redelivered_in_time(None) == []


def test_secrets_that_can_be_guessed_are_refused(production):
    production.SECRET_KEY = "only-for-development"
    production.ENCRYPTION_KEYS = [checks.DEVELOPMENT_KEY]
    assert "readiness.E001" in ids(checks.secrets_are_secret(None))
    assert "readiness.E009" in ids(checks.secrets_are_secret(None))
    production.DEBUG = True
    assert checks.secrets_are_secret(None) == []


@pytest.mark.parametrize("key", ["short", "not base64!", base64.b64encode(b"k" * 31).decode()])
def test_a_key_of_another_size_is_refused(production, key):
    production.ENCRYPTION_KEYS = [GOOD_KEY, key]
    assert ids(checks.secrets_are_secret(None)) == ["readiness.E002"]


@pytest.mark.parametrize("backend", ["locmem.LocMemCache", "dummy.DummyCache"])
def test_a_cache_of_each_process_is_refused(production, backend):
    production.CACHES = {"default": {"BACKEND": f"django.core.cache.backends.{backend}"}}
    assert ids(checks.cache_is_shared(None)) == ["readiness.E003"]


def test_a_task_must_end_before_it_is_given_away(production):
    production.CELERY_TASK_TIME_LIMIT = 600
    assert ids(checks.work_is_redelivered_in_time(None)) == ["readiness.E004"]


@pytest.mark.parametrize(("url", "warned"), [("http://127.0.0.1:8000", True), ("http://localhost:8000", False)])
def test_a_bare_address_is_warned_about(settings, url, warned):
    settings.BASE_URL = url
    assert bool(checks.passkeys_can_work(None)) is warned


@pytest.mark.django_db
def test_a_guarded_database_has_no_error():
    found = checks.database_holds_the_record(None, databases=["default"])
    assert [message for message in found if isinstance(message, Error)] == []


@pytest.mark.django_db
def test_a_ledger_without_a_guard_is_refused(capsys):
    """A trigger is dropped (inside the test's transaction), and no process starts."""
    with connection.cursor() as cursor:
        cursor.execute("DROP EVENT TRIGGER IF EXISTS audit_guard_ddl")
        cursor.execute("DROP EVENT TRIGGER IF EXISTS audit_guard_rewrite")
        cursor.execute("DROP TRIGGER audit_entry_keep ON audit_entry")
    (error,) = [m for m in checks.database_holds_the_record(None, databases=["default"]) if isinstance(m, Error)]
    assert error.id == "readiness.E007"
    assert "audit_entry_keep" in error.msg


@pytest.mark.django_db
def test_a_first_migration_finds_no_ledger_and_may_go_on():
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'audit'")
        cursor.execute("DROP EVENT TRIGGER IF EXISTS audit_guard_ddl")
        cursor.execute("DROP EVENT TRIGGER IF EXISTS audit_guard_rewrite")
        cursor.execute("DROP TABLE audit_entry CASCADE")
    assert checks.database_holds_the_record(None, databases=["default"]) == []


def test_what_is_found_ends_the_process(monkeypatch, capsys):
    found = [Error("the moon is wrong", id="readiness.E999")]
    monkeypatch.setattr(checks, "run_checks", lambda **_: found)
    with pytest.raises(SystemExit, match="Not started"):
        checks.refuse_nonsense()
    assert "the moon is wrong" in capsys.readouterr().err


@pytest.mark.django_db
def test_prepare_leaves_a_database_that_is_ready(capsys):
    call_command("prepare")
    printed = capsys.readouterr().out
    assert '"migrations": 0' in printed
    assert "/setup/" in printed
