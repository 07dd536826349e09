"""Records of operations (a drill, a review, a runbook, a post-mortem) become evidence of the items that ask for them.

Only where nothing living is attached: what people chose, and others verified, is never replaced behind their backs. The
record is attached as the person who made it, so another one verifies it, as always.
"""

import logging
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from accounts.models import User
from audit import vault
from audit.actors import SYSTEM
from releases.actions import items
from releases.actions.checklist import attach_evidence
from releases.locking import changing
from releases.models import Evidence, Release
from releases.standard.published import definition_of
from web.problems import Problem

# The item of the shipped standard that asks everybody's word on what they answer for.
OWNERSHIP = "ownership.acknowledged"

log = logging.getLogger(__name__)


def feed(record: dict[str, Any], *, now: datetime) -> list[Evidence]:
    """Attaches a record to every item of the system's unfinished releases that accepts it and has nothing yet."""
    by = User.objects.get(pk=str(record["by"]).removeprefix("user:"))
    attached = []
    for release in _unfinished(record["system"], record.get("label", "")):
        keys = waiting(release, f"record:{record['record']}")
        # Of acknowledgements the product knows one: who answers for what. The others are a person's own words.
        for key in keys if record["record"] != "acknowledgement" else {OWNERSHIP} & set(keys):
            try:
                attached.append(
                    attach_evidence(
                        release_id=release.pk,
                        key=key,
                        kind=Evidence.Kind.RECORD,
                        title=record["title"],
                        content=vault.get(record["digest"]),
                        media_type=record.get("media_type", "application/json"),
                        by=by,
                        now=now,
                        via="operations",
                    )
                )
            except Problem as problem:  # not this person's to attach, or the item is closed: people decide
                log.info("%s was not attached to %s of %s: %s", record["title"], key, release, problem)
    return attached


def _unfinished(system: str, label: str = "") -> QuerySet[Release]:
    states = (*Release.OPEN, *Release.IN_ROLLOUT, Release.State.LIVE)
    releases = Release.objects.filter(system__slug=system, state__in=states).select_related("standard", "system")
    return releases.filter(label=label) if label else releases


def unsettle_ownership(system: str, area: str, *, now: datetime) -> list[Release]:
    """Somebody else answers for an area since `now`: what was acknowledged before is not the map any more.

    Told late (the broker was away), it leaves alone what was attached after the change, which names the new owner."""
    why = f"The ownership of {area.replace('_', ' ')} changed after it was acknowledged. Acknowledge it again."
    unsettled = []
    for release in _unfinished(system).filter(state__in=Release.OPEN):
        with changing(release.pk, by=SYSTEM, now=now, why=why) as locked:
            item = locked.items.filter(key=OWNERSHIP).exclude(verified_by=None, evidence=None).distinct().first()
            if item is None or item.stale_reason:
                continue
            living = item.evidence.filter(superseded_at=None)
            if living.exists() and not living.filter(attached_at__lte=now).exists():
                continue
            living.filter(via="operations").update(superseded_at=now)
            items.unverify(item, sent_back="", stale=why)
            items.record("item.stale", item, locked, by=SYSTEM, now=now, reason=why)
            unsettled.append(locked)
    return unsettled


def waiting(release: Release, kind: str) -> list[str]:
    """Items that accept this kind of record and to which nothing is attached."""
    accepting = [item.key for item in definition_of(release.standard).items if kind in item.evidence]
    full = Evidence.objects.filter(item__release=release, superseded_at=None).values("item__key")
    return list(release.items.filter(key__in=accepting).exclude(key__in=full).values_list("key", flat=True))
