"""What must be true before anything is served: Django system checks, and the database's own.

Web and worker run all of them as they start (`refuse_nonsense`); `manage.py check --database default` does on demand.
"""

import base64
import binascii
import ipaddress
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register, run_checks
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from audit import guards

OLDEST_POSTGRESQL = 15
DEVELOPMENT_KEY = "ZGV2ZWxvcG1lbnQta2V5LW5vdC1mb3ItcHJvZHVjdCE="
DEVELOPMENT_SECRET = "only-for-development"  # noqa: S105  it is no secret: that is the point
# Caches that each process has for itself: rate limits and the tick's heartbeat would differ from process to process.
PRIVATE_CACHES = ("locmem.LocMemCache", "dummy.DummyCache")

Apps = Sequence[AppConfig] | None


@register(Tags.security)
def secrets_are_secret(app_configs: Apps, **_: Any) -> list[CheckMessage]:
    return [] if settings.DEBUG else list(_secrets())


def _secrets() -> Iterator[CheckMessage]:
    if settings.SECRET_KEY == DEVELOPMENT_SECRET or len(settings.SECRET_KEY) < 32:
        yield Error("SECRET_KEY can be guessed.", hint="Set 50 or more random characters.", id="readiness.E001")
    if DEVELOPMENT_KEY in settings.ENCRYPTION_KEYS:
        yield Error("READINESS_ENCRYPTION_KEYS has the key of development, which is public.", id="readiness.E009")
    for key in settings.ENCRYPTION_KEYS:
        try:
            size = len(base64.b64decode(key, validate=True))
        except binascii.Error:
            size = 0
        if size != 32:
            yield Error(
                "READINESS_ENCRYPTION_KEYS has an entry that is not 32 bytes in base64.",
                hint="Make one with: openssl rand -base64 32",
                id="readiness.E002",
            )


@register(Tags.caches)
def cache_is_shared(app_configs: Apps, **_: Any) -> list[CheckMessage]:
    backend = str(settings.CACHES["default"]["BACKEND"])
    if settings.DEBUG or not backend.endswith(PRIVATE_CACHES):
        return []
    return [Error(f"The cache {backend} is not shared between processes.", id="readiness.E003")]


@register()
def work_is_redelivered_in_time(app_configs: Apps, **_: Any) -> list[CheckMessage]:
    """A task that still runs when the broker's patience ends is handed to a second worker."""
    patience = settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]
    if patience > settings.CELERY_TASK_TIME_LIMIT:
        return []
    return [Error("CELERY_TASK_TIME_LIMIT must be below the broker's visibility_timeout.", id="readiness.E004")]


@register(Tags.security)
def passkeys_can_work(app_configs: Apps, **_: Any) -> list[CheckMessage]:
    host = urlsplit(settings.BASE_URL).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return []
    return [
        Warning(
            f"READINESS_BASE_URL has the bare address {host}: browsers refuse passkeys there.",
            hint="Use a name, such as localhost.",
            id="readiness.W001",
        )
    ]


@register(Tags.database)
def database_holds_the_record(
    app_configs: Apps, databases: Sequence[str] | None = None, **_: Any
) -> list[CheckMessage]:
    return [message for alias in databases or [] for message in _database(alias)]


def _database(alias: str) -> Iterator[CheckMessage]:
    connection = connections[alias]
    if connection.vendor != "postgresql":
        yield Error("Readiness needs PostgreSQL.", id="readiness.E005")
        return
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version_num")
        version = int(cursor.fetchone()[0]) // 10000
    if version < OLDEST_POSTGRESQL:
        yield Error(f"PostgreSQL {version} is too old: {OLDEST_POSTGRESQL} or newer.", id="readiness.E006")
    if not any(app == "audit" for app, _ in MigrationRecorder(connection).applied_migrations()):
        return  # there is no ledger yet: this is a first migration (and /readyz asks for it)
    if absent := guards.missing(connection):
        for sentence in absent:
            hint = "Run manage.py prepare as the owner of the tables."
            yield Error(f"The ledger is not guarded: {sentence}.", hint=hint, id="readiness.E007")
        return
    for sentence in guards.advice(connection):
        hint = "docs/how-to/run.md says which roles to make."
        yield Warning(f"The ledger could be guarded better: {sentence}.", hint=hint, id="readiness.W002")


def refuse_nonsense() -> None:
    """End this process, with the reasons, where a check finds an error. Leaves no database connection behind."""
    found = run_checks(databases=["default"])
    connections.close_all()
    for message in found:
        if not message.is_silenced():
            print(message, file=sys.stderr, flush=True)
    if any(message.is_serious() and not message.is_silenced() for message in found):
        sys.exit("Not started: the errors above come first.")
