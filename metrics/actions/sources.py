"""Sources: where the numbers of a system come from. Each change is recorded; a secret never leaves its column."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from accounts.access import require_role
from accounts.models import User
from accounts.roles import Role
from audit import ledger, secrets
from jobs.outbox import emit
from metrics.connecting import check_config
from metrics.models import Source
from metrics.problems import Invalid, MetricsError
from systems.models import System

MANAGING = (Role.PRODUCT, Role.ENGINEERING, Role.OPERATIONS)


def managing_refusal(roles: Collection[str]) -> str:
    """Why the holder of these roles may not manage sources, for a greyed button; empty: they may."""
    return "" if set(roles) & set(MANAGING) else "This takes product, engineering or operations on this system."


def require_managing(by: User, source: Source, *, now: datetime) -> None:
    require_role(by, *MANAGING, system=source.system.slug, now=now)


def create_source(
    *,
    system: System,
    kind: str,
    name: str,
    config: Mapping[str, Any],
    by: User,
    now: datetime,
    secret: str = "",
    schedule_seconds: int | None = None,
) -> Source:
    require_role(by, *MANAGING, system=system.slug, now=now)
    check_config(kind, config)
    source = Source(
        system=system,
        kind=kind,
        name=name,
        config=dict(config),
        secret=secrets.encrypt(secret) if secret else "",
        schedule_seconds=schedule_seconds,
        created_by=by,
        created_at=now,
    )
    return _save(source, "source.created", by=by, now=now, insert=True)


def change_source(
    *,
    source: Source,
    name: str,
    config: Mapping[str, Any],
    by: User,
    now: datetime,
    secret: str | None = None,
    schedule_seconds: int | None = None,
) -> Source:
    """`secret` None leaves it as it is, an empty one removes it. What kind of source it is never changes."""
    require_role(by, *MANAGING, system=source.system.slug, now=now)
    _living(source)
    check_config(source.kind, config)
    source.name, source.config, source.schedule_seconds = name, dict(config), schedule_seconds
    if secret is not None:
        source.secret = secrets.encrypt(secret) if secret else ""
    source.state, source.last_error = Source.State.NEW, ""
    return _save(source, "source.changed", by=by, now=now)


def retire_source(*, source: Source, by: User, now: datetime) -> Source:
    """It is asked no more. What it answered stays."""
    require_role(by, *MANAGING, system=source.system.slug, now=now)
    _living(source)
    source.retired_at = now
    return _save(source, "source.retired", by=by, now=now)


def _living(source: Source) -> None:
    if source.retired_at:
        raise MetricsError(f"{source.name} is retired and does not change any more.")


def _save(source: Source, kind: str, *, by: User, now: datetime, insert: bool = False) -> Source:
    if not source.name.strip():
        raise Invalid("Give the source a name.")
    try:
        with transaction.atomic():
            source.save(force_insert=insert)
            ledger.append(
                kind=kind,
                by=by,
                subject=f"source:{source.pk}",
                system=source.system.slug,
                now=now,
                payload={
                    "kind": source.kind,
                    "name": source.name,
                    "config": source.config,
                    "has_secret": bool(source.secret),
                    "schedule_seconds": source.schedule_seconds,
                },
            )
            if not source.retired_at:
                # Releases whose review began before tell it what it must be about.
                told = {"system": source.system.slug, "source": str(source.pk)}
                emit("metrics.source-saved", subject=f"source:{source.pk}", payload=told, now=now)
    except IntegrityError as error:
        if "metrics_source_name" in str(error):
            raise Invalid(f"There is a source named {source.name} already.") from None
        raise
    return source
