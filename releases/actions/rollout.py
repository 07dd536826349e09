"""Starting, watching the end of, promoting and rolling back. Neither start nor promotion happens without clearance."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import User
from audit import canonical, fingerprints, ledger
from audit.actors import SYSTEM, Actor
from jobs.outbox import emit
from metrics.targets import end_targets
from operations.actions.status import change_status
from releases import rules
from releases.actions.instructing import instruct
from releases.actions.opening import label_of
from releases.decisions import standing, store
from releases.errors import InvalidInput, Refused, refuse
from releases.facts import live_release
from releases.fingerprint import fingerprint_of
from releases.gate.types import Question
from releases.locking import lock
from releases.models import Decision, Instruction, Release, Rollout, ShadowRun
from releases.people import person
from releases.phase_reports import freeze_report


def start_rollout(*, release_id: UUID, by: User, now: datetime) -> Release:
    """Lets the release meet its first users. Closes question one: its signatures are frozen now."""
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
                shadow_missing=plan is not None and shadow_missing(release, plan, found.state_digest),
            )
        )
        assert plan is not None
        decision = store(release, found, occasion=Decision.Occasion.STARTED, now=now)
        freeze_report(release, "pre-production", found, by=by, now=now)
        release.state = Release.State.CANARY
        release.save(update_fields=["state"])
        plan.state, plan.started_by, plan.started_at, plan.watched_until = Rollout.State.RUNNING, by, now, now
        live = live_release(release)
        plan.baseline_label = live.label if live else ""
        plan.save(update_fields=["state", "started_by", "started_at", "watched_until", "baseline_label"])
        approve_traffic(release, share=plan.share_now, now=now)
        instruct(release, Instruction.Act.START, share=plan.share_now, serves=live, now=now)
        _record(
            "release.rollout-started",
            release,
            decision,
            by=by,
            now=now,
            strategy=plan.strategy,
            share=plan.share_now,
            hours=plan.hours,
            steps=plan.steps,
            baseline=plan.baseline_label,
        )
        emit("releases.canary-started", subject=release.subject, payload=label_of(release), now=now)
        return release


def approve_traffic(release: Release, *, share: Decimal | None, now: datetime) -> None:
    """Tells the request trail by what it recognises this release's requests; a share of None is all traffic."""
    fingerprints.approve(
        system=release.system.slug,
        release_label=release.label,
        release_id=str(release.pk),
        fingerprint=fingerprint_of(release),
        share=share,
        now=now,
    )


def shadow_missing(release: Release, plan: Rollout, state_digest: str) -> bool:
    """Whether the plan begins with a shadow run, and none has passed with what the release is made of now."""
    if plan.strategy != Rollout.Strategy.SHADOW:
        return False
    return not release.shadow_runs.filter(state=ShadowRun.State.PASSED, state_digest=state_digest).exists()


def step_up(*, rollout: Rollout, covered_hours: Decimal, now: datetime) -> bool:
    """Gives the release the next share of its plan, once it has held the one before for the covered hours asked for."""
    with transaction.atomic():
        release = lock(rollout.release_id)
        plan = Rollout.objects.get(pk=rollout.pk)
        held = sum(covered_hours >= until for _, until in plan.stages[:-1])
        if plan.state != Rollout.State.RUNNING or held <= plan.step:
            return False
        before = plan.share_now
        plan.step = held
        plan.save(update_fields=["step"])
        approve_traffic(release, share=plan.share_now, now=now)
        instruct(release, Instruction.Act.STEP, share=plan.share_now, serves=live_release(release), now=now)
        ledger.append(
            kind="release.rollout-stepped",
            by=SYSTEM,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={"label": release.label, "before": before, "share": plan.share_now, "covered_hours": covered_hours},
        )
        return True


def other_in_rollout(release: Release) -> str | None:
    others = Release.objects.filter(system=release.system, state__in=Release.IN_ROLLOUT).exclude(pk=release.pk)
    return others.values_list("label", flat=True).first()


def promote(*, release_id: UUID, by: User, now: datetime) -> Release:
    """Lets the release serve everybody. The one that was live is superseded. Closes question two."""
    with transaction.atomic():
        live = _lock_live_first(release_id)
        release = lock(release_id)
        found = standing(release, Question.RELEASE, now=now)
        refuse(rules.promote_refusals(person(by, release, now=now), release_state=release.state, cleared=found.cleared))
        decision = store(release, found, occasion=Decision.Occasion.PROMOTED, now=now)
        freeze_report(release, "launch", found, by=by, now=now)
        if live is not None:
            freeze_report(live, "post-launch", standing(live, Question.RELEASE, now=now), by=by, now=now)
            _end(live, Release.State.SUPERSEDED, f"Release {release.label} was promoted.", now=now)
        release.state, release.live_at = Release.State.LIVE, now
        release.save(update_fields=["state", "live_at"])
        Rollout.objects.filter(release=release).update(state=Rollout.State.PASSED, ended_at=now)
        approve_traffic(release, share=None, now=now)
        instruct(release, Instruction.Act.PROMOTE, share=Decimal(1), serves=None, now=now)
        _record("release.promoted", release, decision, by=by, now=now, superseded=live.label if live else None)
        emit("releases.promoted", subject=release.subject, payload=label_of(release), now=now)
        return release


def _lock_live_first(release_id: UUID) -> Release | None:
    """The system's live release, locked. Always before the candidate, so that two promotions cannot lock crosswise."""
    system_id = Release.objects.values_list("system_id", flat=True).get(pk=release_id)
    live = Release.objects.filter(system_id=system_id, state=Release.State.LIVE).exclude(pk=release_id).first()
    return lock(live.pk) if live else None


def roll_back(*, release_id: UUID, reason: str, by: Actor, now: datetime, breach: bool = False) -> Release | None:
    """Takes the release back, and restores the latest once-live one that was not itself rolled back. Never gated.

    Returns the restored release, or None where there is none: then the fallback serves. A person needs engineering or
    operations; the product itself rolls back on a breach.
    """
    with transaction.atomic():
        release = lock(release_id)
        if isinstance(by, User):
            refuse(rules.roll_back_refusals(person(by, release, now=now), release_state=release.state))
        elif release.state not in (*Release.IN_ROLLOUT, Release.State.LIVE):
            raise Refused("Only a release in shadow, canary or live can be rolled back.")
        if not reason.strip():
            raise InvalidInput("Say why it is rolled back.")
        was_live = release.state == Release.State.LIVE
        if was_live:
            freeze_report(release, "post-launch", standing(release, Question.RELEASE, now=now), by=by, now=now)
        _end(release, Release.State.ROLLED_BACK, reason.strip(), now=now)
        Rollout.objects.filter(release=release, state=Rollout.State.RUNNING).update(
            state=Rollout.State.BREACHED if breach else Rollout.State.ABORTED, ended_at=now, end_reason=reason.strip()
        )
        close_shadow(release, ShadowRun.State.ABORTED, reason.strip(), now=now)
        restored = _restore(release, was_live=was_live, now=now)
        instruct(release, Instruction.Act.ROLL_BACK, share=Decimal(0), serves=restored, reason=reason.strip(), now=now)
        if restored is None:
            why = f"Release {release.label} was rolled back and there is none to restore: the fallback serves."
            change_status(system=release.system, status="stopped", reason=why, by=None, now=now)
        ledger.append(
            kind="release.rolled-back",
            by=by,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={
                "label": release.label,
                "reason": reason.strip(),
                "breach": breach,
                "restored": restored.label if restored else None,
            },
        )
        topic = "releases.canary-breach" if breach else "releases.rolled-back"
        emit(
            topic,
            subject=release.subject,
            now=now,
            payload=label_of(release) | {"reason": reason.strip(), "restored": restored.label if restored else ""},
        )
        return restored


def close_shadow(
    release: Release, state: str, reason: str, *, now: datetime, report: dict[str, Any] | None = None
) -> None:
    """Ends the running shadow run of a release, where there is one."""
    digest = canonical.digest(report) if report is not None else ""
    release.shadow_runs.filter(state=ShadowRun.State.RUNNING).update(
        state=state, end_reason=reason, ended_at=now, report=report, report_digest=digest
    )


def _restore(release: Release, *, was_live: bool, now: datetime) -> Release | None:
    """A canary's rollback leaves the live release serving; a live one's brings the last good one back."""
    if not was_live:
        return Release.objects.filter(system=release.system, state=Release.State.LIVE).first()
    good = last_known_good(release)
    if good is None:
        return None
    good.state, good.live_at, good.ended_at, good.end_reason = Release.State.LIVE, now, None, ""
    good.save(update_fields=["state", "live_at", "ended_at", "end_reason"])
    approve_traffic(good, share=None, now=now)
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
    end_targets(system=release.system, release_label=release.label, now=now)


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
