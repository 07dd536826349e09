"""Asking for signatures: as soon as the gate says go, both sides hear that their signature is what remains."""

from datetime import datetime
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
            enqueue("releases.request_sign_off", key=key, now=now, args={"release_id": str(release.pk)})
            asked += 1
    return asked


def request_sign_off(*, release_id: str, now: datetime) -> None:
    release = Release.objects.select_related("system").get(pk=UUID(release_id))
    with transaction.atomic():
        emit("releases.sign-off-requested", subject=release.subject, payload=label_of(release), now=now)
