"""Evidence lapses by the clock, which writes nothing: the gate sees it at once, people hear of it from here."""

from datetime import datetime, timedelta

from django.db.models import Q

from jobs.models import Event
from jobs.outbox import emit
from releases.models import Evidence, Release

TOPIC = "releases.evidence-expired"
# Shorter than events are kept: what was told is found, and is told once. What lapsed before is on the page.
LOOK_BACK = timedelta(days=7)


def look(*, now: datetime) -> None:
    """Says of each piece of living evidence, once, that it is not valid any more."""
    lapsed = Evidence.objects.filter(
        Q(item__release__state__in=(*Release.OPEN, *Release.IN_ROLLOUT, Release.State.LIVE)),
        superseded_at=None,
        valid_until__gt=now - LOOK_BACK,
        valid_until__lte=now,
    ).select_related("item__release__system")
    subjects = {f"evidence:{evidence.pk}": evidence for evidence in lapsed}
    told = set(Event.objects.filter(topic=TOPIC, subject__in=subjects).values_list("subject", flat=True))
    for subject, evidence in subjects.items():
        if subject in told:
            continue
        release = evidence.item.release
        assert evidence.valid_until is not None
        emit(
            TOPIC,
            subject=subject,
            payload={
                "system": release.system.slug,
                "release": str(release.pk),
                "label": release.label,
                "item": evidence.item.key,
                "title": evidence.title,
                "breach_at": evidence.valid_until.isoformat(),
            },
            now=now,
        )
