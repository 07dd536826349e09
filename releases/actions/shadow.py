"""Running a release in the shadow of the live one: it gets a copy of the requests, and nobody sees its answers.

It asks the verdict only and closes no question. When it is over, the release is in pre-production again, with a report.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import User
from audit import fingerprints, ledger
from audit.actors import SYSTEM, Actor
from jobs.outbox import emit
from releases import rules
from releases.actions.instructing import instruct
from releases.actions.opening import label_of
from releases.actions.rollout import approve_traffic, close_shadow, other_in_rollout
from releases.decisions import standing, store
from releases.errors import refuse
from releases.facts import live_release
from releases.gate.types import Question
from releases.locking import lock
from releases.models import Decision, Instruction, Release, Rollout, ShadowRun
from releases.people import person


def refusals(release: Release, *, by: User, go: bool, now: datetime) -> tuple[str, ...]:
    plan = Rollout.objects.filter(release=release).first()
    return rules.shadow_refusals(
        person(by, release, now=now),
        release_state=release.state,
        go=go,
        other_in_rollout=other_in_rollout(release),
        planned=plan is not None and plan.strategy == Rollout.Strategy.SHADOW,
        live=live_release(release) is not None,
    )


def start_shadow(*, release_id: UUID, by: User, now: datetime) -> ShadowRun:
    with transaction.atomic():
        release = lock(release_id)
        found = standing(release, Question.CANARY, now=now)
        refuse(refusals(release, by=by, go=found.verdict.go, now=now))
        live = live_release(release)
        plan = release.rollout
        assert live is not None
        assert plan.shadow_source is not None
        assert plan.shadow_hours is not None
        store(release, found, occasion=Decision.Occasion.SHADOW, now=now)
        release.state = Release.State.SHADOW
        release.save(update_fields=["state"])
        run = ShadowRun.objects.create(
            release=release,
            source=plan.shadow_source,
            live_label=live.label,
            hours=plan.shadow_hours,
            state_digest=found.state_digest,
            started_by=by,
            started_at=now,
            watched_until=now,
        )
        approve_traffic(release, share=None, now=now)
        instruct(release, Instruction.Act.START_SHADOW, share=Decimal(0), serves=live, now=now)
        _record("release.shadow-started", run, by=by, now=now, hours=run.hours, beside=live.label)
        return run


def end_shadow(*, release_id: UUID, by: User, now: datetime) -> Release:
    """A person ends it early: it counts as not done."""
    with transaction.atomic():
        release = lock(release_id)
        refuse(rules.end_shadow_refusals(person(by, release, now=now), release_state=release.state))
        _end(release, ShadowRun.State.ABORTED, "It was ended by hand.", report=None, by=by, now=now)
        return release


def finish_shadow(*, run: ShadowRun, report: dict[str, Any], now: datetime) -> None:
    """Freezes what the run showed. Of two workers one does: the other finds the release out of the shadow."""
    with transaction.atomic():
        release = lock(run.release_id)
        if release.state == Release.State.SHADOW:
            reason = " ".join(report["reasons"]) or f"{report['covered_hours']} covered hours, no worse than it."
            _end(release, report["outcome"], reason, report=report, by=SYSTEM, now=now)


def _end(release: Release, state: str, reason: str, *, report: dict[str, Any] | None, by: Actor, now: datetime) -> None:
    run = release.shadow_runs.get(state=ShadowRun.State.RUNNING)
    close_shadow(release, state, reason, now=now, report=report)
    release.state = Release.State.PRE_PRODUCTION
    release.save(update_fields=["state"])
    fingerprints.withdraw(release_id=str(release.pk), now=now)
    instruct(
        release, Instruction.Act.END_SHADOW, share=Decimal(0), serves=live_release(release), reason=reason, now=now
    )
    run.refresh_from_db()
    _record("release.shadow-ended", run, by=by, now=now, outcome=state, reason=reason, report=run.report_digest)
    payload = label_of(release) | {"outcome": run.get_state_display().lower(), "reason": reason}
    emit("releases.shadow-ended", subject=release.subject, payload=payload, now=now)


def _record(kind: str, run: ShadowRun, *, by: Actor, now: datetime, **payload: object) -> None:
    release = run.release
    ledger.append(
        kind=kind,
        by=by,
        subject=release.subject,
        system=release.system.slug,
        now=now,
        payload={"label": release.label, "run": str(run.pk), **payload},
    )
