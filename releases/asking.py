"""Asking for signatures: as soon as the gate says go, both sides hear that their signature is what remains.

While it stays so, they are reminded once a day. Another state of the release is another request.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from jobs.outbox import emit
from jobs.queue import enqueue
from releases.actions.opening import label_of
from releases.decisions import standing
from releases.locking import open_questions
from releases.models import Release


def look(*, now: datetime) -> int:
    """Orders a request for each release whose open question is a go without its signatures, once for each state."""
    asked = 0
    waiting = (Release.State.PRE_PRODUCTION, *Release.IN_ROLLOUT)
    for release in Release.objects.filter(state__in=waiting).select_related("system", "standard", "policy"):
        found = standing(release, open_questions(release)[0], now=now)
        if found.verdict.go and not found.cleared:
            key = f"sign-off:{release.pk}:{found.question.value}:{found.state_digest}"
            args: dict[str, Any] = {"release_id": str(release.pk)}
            asked_at = enqueue("releases.request_sign_off", key=key, now=now, args=args).created_at
            if days := (now - asked_at).days:
                args |= {"days": days}
                enqueue("releases.remind_sign_off", key=f"{key}:day-{days}", now=now, args=args)
            asked += 1
    return asked


def request_sign_off(*, release_id: str, now: datetime) -> None:
    release = Release.objects.select_related("system").get(pk=UUID(release_id))
    with transaction.atomic():
        emit("releases.sign-off-requested", subject=release.subject, payload=label_of(release), now=now)


def remind_sign_off(*, release_id: str, days: int, now: datetime) -> None:
    """Unless it was signed, changed or blocked while the job waited: then nobody wants to be reminded."""
    release = Release.objects.select_related("system", "standard", "policy").get(pk=UUID(release_id))
    questions = open_questions(release)
    if not questions:
        return
    found = standing(release, questions[0], now=now)
    if not found.verdict.go or found.cleared:
        return
    with transaction.atomic():
        said = label_of(release) | {"days": days}
        emit("releases.sign-off-reminder", subject=release.subject, payload=said, now=now)
