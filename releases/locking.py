"""One way to change what a signature covers: `changing`. It locks first, and voids the signatures that no longer fit.

A trigger refuses writes to pins, items, evidence, answers and plans in any transaction that has not come this way.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from audit import ledger
from audit.actors import Actor
from jobs.outbox import emit
from releases.gate.types import Question
from releases.models import Release, SignOff
from releases.state import state_digest


@contextmanager
def changing(release_id: UUID, *, by: Actor, now: datetime, why: str) -> Iterator[Release]:
    """Holds the release's row for the whole transaction. Signatures given to the state before are void afterwards.

    1. Take the row lock (everybody who changes or signs takes it first, so they come one after another).
    2. Where somebody has signed: digest the recorded state, let the caller change it, digest it again.
    3. Where it moved, void the living signatures of every open question, with `why` as the reason.
    """
    with transaction.atomic():
        release = lock(release_id)
        before = state_digest(release) if _living(release).exists() else None
        yield release
        if before is not None:
            release = _fresh(release_id)
            if state_digest(release) != before:
                _void(release, by=by, now=now, why=why)


def lock(release_id: UUID) -> Release:
    """The release, its row locked until the transaction ends. The database notes it for its triggers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT releases_lock(%s)", [release_id])
    return _fresh(release_id)


def _fresh(release_id: UUID) -> Release:
    """Without the text of its standard, which `definition_of` holds already."""
    return Release.objects.select_related("system", "standard", "policy").defer("standard__body").get(pk=release_id)


def open_questions(release: Release) -> tuple[Question, ...]:
    """Questions that are not closed yet: starting the canary closes the first, promoting the second; a shadow run
    closes none."""
    if release.state in (*Release.OPEN, Release.State.SHADOW):
        return (Question.CANARY, Question.RELEASE)
    return (Question.RELEASE,) if release.state == Release.State.CANARY else ()


def _living(release: Release) -> QuerySet[SignOff]:
    """Signatures on open questions that nothing has voided yet."""
    return SignOff.objects.filter(
        release=release, question__in=open_questions(release), voided_at=None, withdrawn_at=None
    )


def _void(release: Release, *, by: Actor, now: datetime, why: str) -> None:
    for sign_off in _living(release).select_related("signer"):
        sign_off.voided_at, sign_off.void_reason = now, why
        sign_off.save(update_fields=["voided_at", "void_reason"])
        ledger.append(
            kind="release.sign-off-voided",
            by=by,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={"sign_off": str(sign_off.pk), "side": sign_off.side, "question": sign_off.question, "why": why},
        )
        emit(
            "releases.voided",
            subject=release.subject,
            payload={
                "release": str(release.pk),
                "system": release.system.slug,
                "label": release.label,
                "side": sign_off.side,
                "question": sign_off.question,
                "signer": str(sign_off.signer_id),
                "why": why,
            },
            now=now,
        )
