"""Records of operations (a drill, a review, a runbook, a post-mortem) become evidence of the items that ask for them.

Only where nothing living is attached: what people chose, and others verified, is never replaced behind their backs. The
record is attached as the person who made it, so another one verifies it, as always.
"""

import logging
from datetime import datetime
from typing import Any

from accounts.models import User
from audit import vault
from releases.actions.checklist import attach_evidence
from releases.models import Evidence, Release
from releases.standard.published import definition_of
from web.problems import Problem

log = logging.getLogger(__name__)


def feed(record: dict[str, Any], *, now: datetime) -> list[Evidence]:
    """Attaches a record to every item of the system's unfinished releases that accepts it and has nothing yet."""
    by = User.objects.get(pk=str(record["by"]).removeprefix("user:"))
    releases = Release.objects.filter(
        system__slug=record["system"], state__in=(*Release.OPEN, *Release.IN_ROLLOUT, Release.State.LIVE)
    )
    if record.get("label"):
        releases = releases.filter(label=record["label"])
    attached = []
    for release in releases.select_related("standard", "system"):
        for key in waiting(release, f"record:{record['record']}"):
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


def waiting(release: Release, kind: str) -> list[str]:
    """Items that accept this kind of record and to which nothing is attached."""
    accepting = [item.key for item in definition_of(release.standard).items if kind in item.evidence]
    full = Evidence.objects.filter(item__release=release, superseded_at=None).values("item__key")
    return list(release.items.filter(key__in=accepting).exclude(key__in=full).values_list("key", flat=True))
