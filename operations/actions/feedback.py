from datetime import datetime

from django.db import transaction

from accounts.models import User
from audit import trail
from audit.ledger import append
from operations.errors import InvalidInput
from operations.models import Feedback
from systems.models import System


def record_feedback(
    *,
    system: System,
    rating: str,
    by: User,
    now: datetime,
    via: str,
    text: str = "",
    request_id: str = "",
    release_label: str = "",
) -> Feedback:
    """What a user thought of an answer. Where only the request is named, its release is taken from the trail.

    The record holds that it came and what it is about; the words stay in their row, since users write about people.
    """
    if rating not in Feedback.Rating.values:
        raise InvalidInput(f"A rating is one of {', '.join(Feedback.Rating.values)}.")
    if rating == Feedback.Rating.NONE and not text.strip():
        raise InvalidInput("Give a rating, or say something.")
    if request_id and not release_label:
        found = trail.find(request_id, system=system.slug)
        release_label = found[0].release if found else ""
    with transaction.atomic():
        feedback = Feedback.objects.create(
            system=system,
            release_label=release_label,
            request_id=request_id.strip(),
            rating=rating,
            text=text.strip(),
            via=via,
            recorded_by=by,
            received_at=now,
        )
        append(
            kind="feedback.recorded",
            by=by,
            subject=f"feedback:{feedback.pk}",
            system=system.slug,
            now=now,
            payload={"rating": rating, "release": release_label, "request": feedback.request_id, "via": via},
        )
    return feedback
