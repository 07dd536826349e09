"""Starting, watching the end of, promoting and rolling back. Neither start nor promotion happens without clearance."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from accounts.models import User
from audit import fingerprints, ledger
from audit.actors import SYSTEM, Actor
from releases import rules
from releases.decisions import standing, store
from releases.errors import refuse
from releases.gate.types import Question
from releases.locking import lock
from releases.models import Decision, Release, Rollout
from releases.people import person


def start_rollout(*, release_id: UUID, by: User, now: datetime) -> Release:
    """Lets the release meet its first users. Closes question one: its decision and signatures are frozen from here on."""
    with transaction.atomic():
        release = lock(release_id)
        plan = Rollout.objects.filter(release=release).first()
        found = standing(release, Question.CANARY, now=now)
        refuse(
            rules.start_refusals(
                person(by, release, now=now),
                release_state=release.state,
                cleared=found.cleared,
                other_in_rollout=other_in_rollout(release),
                has_plan=plan is not None,
            )
        )
        assert plan is not None
        decision = store(release, found, occasion=Decision.Occasion.STARTED, now=now)
        release.state = Release.State.CANARY
        release.save(update_fields=["state"])
        plan.state, plan.started_by, plan.started_at, plan.watched_until = Rollout.State.RUNNING, by, now, now
        plan.save(update_fields=["state", "started_by", "started_at", "watched_until"])
        _approve_traffic(good, share=None, now=now)
    return good


def last_known_good(release: Release) -> Release | None:
    """The latest once-live release of the system that was not itself rolled back."""
    return (
        Release.objects.filter(system=release.system, state=Release.State.SUPERSEDED, live_at__isnull=False)
        .exclude(pk=release.pk)
        .order_by("-live_at")
        .first()
    )


def _end(release: Release, state: str, why: str, *, now: datetime) -> None:
    release.state, release.ended_at, release.end_reason = state, now, why
    release.save(update_fields=["state", "ended_at", "end_reason"])
    fingerprints.withdraw(release_id=str(release.pk), now=now)


def _record(kind: str, release: Release, decision: Decision, *, by: Actor, now: datetime, **payload: object) -> None:
    ledger.append(
        kind=kind,
        by=by,
        subject=release.subject,
        system=release.system.slug,
        now=now,
        payload={"label": release.label, "decision": str(decision.pk), "decision_digest": decision.digest, **payload},
    )


def watched(*, rollout: Rollout, until: datetime, breach: str, now: datetime) -> None:
    """Notes how far a rollout was judged, and rolls it back where a trigger was breached."""
    Rollout.objects.filter(pk=rollout.pk, state=Rollout.State.RUNNING).update(watched_until=until)
    if breach:
        roll_back(release_id=rollout.release_id, reason=breach, by=SYSTEM, now=now, breach=True)
