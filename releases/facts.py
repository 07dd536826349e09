"""The one place that turns rows into facts. All is read from the table where it lives; nothing is copied up.

What cannot be read becomes None, and the gate says no to it. Nothing in here decides anything.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any

import msgspec
from django.db.models import Case, When

from audit import trail
from audit.models import Checkpoint
from metrics import windows
from metrics.judges import canary
from operations.budget import spending
from operations.models import Drill
from operations.queries import alarm_delays, freezes_at, latest_passed, proven_alarm_channels
from releases.fingerprint import dataset_hash, mismatch_of
from releases.gate.types import (
    AnswerFact,
    BudgetFact,
    CanaryFact,
    DrillFact,
    EvaluationFact,
    Facts,
    FreezeFact,
    ItemFact,
    PinFact,
    PlanFact,
    Question,
    RatesFact,
    RejectionFact,
    VersionFact,
)
from releases.models import Answer, Judgement, Pin, Rejection, Release, Rollout
from releases.standard.load import StandardDef
from releases.standard.published import definition_of
from releases.state import Checklist, Rows, read
from systems.models import Component, Version
from systems.policy import ReleaseBars, release_bars
from systems.registry import ownership_map
from web.prepared import Prepared

NANO = Decimal(10) ** 9
BASELINE_DAYS = timedelta(days=7)


def gather(release: Release, question: Question, *, now: datetime, rows: Rows | None = None) -> Facts:
    """All facts of one question, in a number of queries that does not grow with the checklist."""
    rows = rows or read(release)
    plan = rows.plan
    bars = release_bars(release.policy.body)
    once_live, live = _served(release)
    definition = definition_of(release.standard)
    return Facts(
        release=str(release.pk),
        label=release.label,
        system=release.system.slug,
        question=question,
        first_release=not once_live,
        standard=VersionFact(release.standard.number, release.standard.sha256, True, release.standard.superseded_at),
        policy=VersionFact(
            str(release.policy.number),
            release.policy.sha256,
            release.policy.state in ("approved", "superseded"),
            release.policy.superseded_at,
        ),
        ownership_gaps=_ownership_gaps(release, now=now),
        pins=_pins(release, rows.pins),
        asked_items=tuple(item.key for item in definition.items),
        asked_questions=tuple(question.key for question in definition.questions),
        items=_items(release, rows.checklist),
        answers=_answers(release, rows.answers),
        evaluation=_evaluation(release, live, rows.pins),
        rates=_rates(release, plan, live, now=now),
        budget=_budget(release, now=now),
        freezes=_freezes(release, now=now),
        plan=_plan(plan),
        canary=_canary(release, plan, bars, now=now),
        drills=_drills(release, bars, now=now),
        rejections=_rejections(release),
        retained_release=live,
        planned_promotion=_planned_promotion(plan, question, now=now),
    )


def live_release(release: Release) -> Release | None:
    """The baseline: what serves now, besides this one."""
    return Release.objects.filter(system=release.system, state=Release.State.LIVE).exclude(pk=release.pk).first()


_once_live = Prepared(
    lambda system, release: (
        Release.objects.filter(system=system, live_at__isnull=False)
        .exclude(pk=release)
        .order_by(Case(When(state=Release.State.LIVE, then=0), default=1))
        .values_list("label", "state")[:1]
    )
)


def _served(release: Release) -> tuple[bool, str | None]:
    """Whether another release of the system ever went live, and the label of the one that is live now."""
    others = _once_live(system=release.system_id, release=release.pk)
    return bool(others), next((label for label, state in others if state == Release.State.LIVE), None)


def references(release: Release, *, now: datetime) -> dict[str, Any]:
    """What the facts rest on and can be looked up again: the raw answers, the windows, the head of the request log."""
    judgement = release.judgements.select_related("run").first()
    plan = Rollout.objects.filter(release=release, started_at__isnull=False).first()
    seen = [
        (label, window)
        for label in ((release.label, plan.baseline_label) if plan else ())
        if plan and label
        for window in windows.series(source=plan.source, release_label=label, since=plan.began, until=now)
    ]
    head = Checkpoint.objects.order_by("-size").first()
    return {
        "evaluation_raw": judgement.run.raw_digest if judgement else None,
        "windows": [
            {"release": label, "since": w.since, "until": w.until, "raw_digest": w.raw_digest} for label, w in seen
        ],
        "request_log": trail.last_checkpoint(),
        "decision_log": {"size": head.size, "root": head.root.hex()} if head else None,
    }


def _ownership_gaps(release: Release, *, now: datetime) -> tuple[str, ...]:
    """Areas that nobody holds who can act: an owner who left, or lost the role, leaves a gap."""
    return tuple(owned.area.label for owned in ownership_map(release.system, now=now) if owned.gap)


_components = Prepared(
    lambda system: (
        Component.objects.filter(system=system).order_by("kind", "name").values_list("pk", "kind", "name", "retired_at")
    )
)


def _pins(release: Release, rows: Sequence[Pin]) -> tuple[PinFact, ...]:
    """One per component in use, pinned or not: a component without a pin is a gap, not an absence. What is pinned is
    judged even where its component was retired since: the release is still made of it."""
    pins = {pin.component_id: pin.version for pin in rows}
    facts = []
    for pk, kind, name, retired_at in _components(system=release.system_id):
        version: Version | None = pins.get(pk)
        if retired_at is not None and version is None:
            continue
        facts.append(
            PinFact(
                component=name,
                kind=kind,
                version=version.number if version else None,
                sha256=version.sha256 if version else None,
                state=version.state if version else None,
                reviewed=bool(version and version.reviewer_id and version.reviewer_id != version.author_id),
            )
        )
    return tuple(facts)


def _items(release: Release, checklist: Checklist) -> tuple[ItemFact, ...]:
    """Kept with the rows, under the standard that says what they mean."""
    made = checklist.made.get(release.standard.sha256)
    if made is None:
        made = checklist.made[release.standard.sha256] = _item_facts(definition_of(release.standard), checklist)
    return made


def _item_facts(definition: StandardDef, checklist: Checklist) -> tuple[ItemFact, ...]:
    rows = {item.key: item for item in checklist.items}
    facts = []
    for item in definition.items:
        row = rows.get(item.key)
        facts.append(
            ItemFact(
                key=item.key,
                title=item.title,
                phase=item.phase,
                question=item.question,
                verification=item.verification,
                rule=item.auto_fact,
                side=item.side,
                owner_role=item.owner_role,
                owner=str(row.owner_id) if row and row.owner_id else None,
                evidence=row.evidence if row else (),
                verified_by=str(row.verified_by_id) if row and row.verified_by_id else None,
                verified_at=row.verified_at if row else None,
                verified_digests=tuple(sorted(row.verified_digests)) if row else (),
                sent_back_reason=(row and row.sent_back_reason) or None,
                stale_reason=(row and row.stale_reason) or None,
                not_applicable_reason=(row and row.not_applicable_reason) or None,
                not_applicable_proposed_by=str(row.not_applicable_by_id) if row and row.not_applicable_by_id else None,
                not_applicable_confirmed_by=(
                    str(row.not_applicable_confirmed_by_id) if row and row.not_applicable_confirmed_by_id else None
                ),
                conditional=item.conditional is not None,
            )
        )
    return tuple(facts)


def _answers(release: Release, rows: Sequence[Answer]) -> tuple[AnswerFact, ...]:
    given = {answer.key: answer for answer in rows}
    facts = []
    for question in definition_of(release.standard).questions:
        answer = given.get(question.key)
        facts.append(
            AnswerFact(
                key=question.key,
                question=question.text,
                answer=answer.value if answer else None,
                text=answer.text if answer else "",
                evidence=answer.evidence.digest if answer and answer.evidence else None,
            )
        )
    return tuple(facts)


_judged = Prepared(
    lambda release, policy: Judgement.objects.filter(release=release, policy=policy).select_related(
        "run", "baseline_run"
    )[:1]
)


def _evaluation(release: Release, live: str | None, pins: Sequence[Pin]) -> EvaluationFact | None:
    """The newest judgement under this release's policy, if it compared with the release that is live now."""
    judgements = _judged(release=release.pk, policy=release.policy_id)
    if not judgements:
        return None
    judgement = judgements[0]
    baseline = judgement.baseline_run.release_label if judgement.baseline_run else None
    if baseline is not None and baseline != live:
        return None  # another release went live since: it is judged again
    fact = msgspec.convert(judgement.fact, EvaluationFact)
    # Whether the run belongs to the release is a question of now: pins can have changed since it was judged.
    mismatch = mismatch_of(release, judgement.run, pins)
    return replace(
        fact,
        dataset_matches=judgement.run.dataset_hash == dataset_hash(release, pins),
        pins_match=not mismatch,
        mismatch=mismatch,
        origin_proven=judgement.run.origin_proven,
    )


def _rates(release: Release, plan: Rollout | None, live: str | None, *, now: datetime) -> RatesFact | None:
    if plan is None or plan.started_at is None:
        return None
    seen = trail.rates(release.system.slug, since=plan.started_at, until=plan.ended_at or now, release=release.label)
    base = None
    if live is not None:
        before = trail.rates(release.system.slug, since=now - BASELINE_DAYS, until=now, release=live)
        if before.cost_known:
            base = Decimal(before.cost_nanousd) / NANO / before.cost_known
    return RatesFact(
        since=plan.started_at,
        until=plan.ended_at or now,
        requests=seen.requests,
        errors=seen.errors,
        schema_checked=seen.schema_checked,
        schema_valid=seen.schema_valid,
        with_sources=seen.with_sources,
        with_request_id=seen.with_request_id,
        cost_known=seen.cost_known,
        cost_usd=Decimal(seen.cost_nanousd) / NANO,
        baseline_cost_per_request_usd=base,
        unapproved=seen.unapproved,
    )


def _budget(release: Release, *, now: datetime) -> BudgetFact | None:
    state = spending(release.system, now)
    worst = alarm_delays(release.system, now).worst
    return BudgetFact(
        state=state.state,
        spent_usd=Decimal(state.spent_nanousd) / NANO,
        cap_usd=Decimal(state.cap_nanousd) / NANO,
        alert_usd=Decimal(state.alert_nanousd) / NANO,
        channels=proven_alarm_channels(release.system),
        worst_alarm_delay_seconds=ceil(worst.total_seconds()) if worst is not None else None,
    )


_frozen = Prepared(
    lambda system, now: freezes_at(system, now).values_list("pk", "reason", "imposed_at", "mitigation_release")
)


def _freezes(release: Release, *, now: datetime) -> tuple[FreezeFact, ...]:
    return tuple(
        FreezeFact(id=str(pk), reason=reason, since=since, spares=spared or None)
        for pk, reason, since, spared in _frozen(system=release.system_id, now=now)
    )


def _plan(plan: Rollout | None) -> PlanFact | None:
    if plan is None:
        return None
    return PlanFact(
        strategy=plan.strategy,
        share=plan.share,
        hours=Decimal(plan.hours),
        error_rate_max=plan.error_rate_max,
        p95_ms_max=plan.p95_ms_max,
        source=str(plan.source_id),
    )


def _canary(release: Release, plan: Rollout | None, bars: ReleaseBars, *, now: datetime) -> CanaryFact | None:
    """The rollout so far, judged afresh from the stored windows: never from a verdict that was stored with them."""
    if plan is None or plan.started_at is None:
        return None
    judged = judge_rollout(release, plan, bars, now=now)
    return CanaryFact(
        state="running" if plan.state == Rollout.State.RUNNING else "ended",
        started_at=plan.started_at,
        covered_hours=judged.covered_hours,
        breaches=judged.breaches,
        requests=judged.requests,
        outcome=judged.outcome,
        reasons=judged.reasons,
        windows_digest=judged.windows_digest,
    )


def judge_rollout(release: Release, plan: Rollout, bars: ReleaseBars, *, now: datetime) -> canary.CanaryVerdict:
    """The stored windows of the rollout, beside those of the release that was live when it started."""
    since, until = plan.began, plan.ended_at or now
    mine, live = (
        windows.series(source=plan.source, release_label=label, since=since, until=until) if label else ()
        for label in (release.label, plan.baseline_label)
    )
    return canary.judge(
        mine, limits_of(plan, bars), since=since, until=until, baseline=live, compared=bool(plan.baseline_label)
    )


def limits_of(plan: Rollout, bars: ReleaseBars) -> canary.Limits:
    return canary.Limits(
        error_rate_max=min(plan.error_rate_max, bars.error_rate_max),
        p95_ms_max=min(plan.p95_ms_max, bars.p95_ms_max),
        hours=max(plan.hours, bars.canary_hours),
        coverage=bars.coverage,
        failure_limit=bars.failure_limit,
        inconclusive_limit=bars.inconclusive_limit,
        consecutive_error_limit=bars.consecutive_error_limit,
        min_requests=bars.min_requests,
        least_effect=bars.canary_least_effect,
    )


def _drills(release: Release, bars: ReleaseBars, *, now: datetime) -> tuple[DrillFact, ...]:
    """The latest passed drill of each kind that the gate asks for, while it still counts."""
    kinds = Drill.Kind.ROLLBACK, Drill.Kind.INCIDENT
    found = latest_passed(release.system, *kinds, now=now, validity_days=bars.drill_validity_days)
    return tuple(
        DrillFact(kind=d.kind, id=str(d.pk), ended_at=d.ended_at, seconds=ceil(d.measured.total_seconds()))
        for d in found
        if d.ended_at is not None and d.measured is not None
    )


_rejected = Prepared(lambda release: Rejection.objects.filter(release=release, lifted_at=None).order_by("rejected_at"))


def _rejections(release: Release) -> tuple[RejectionFact, ...]:
    return tuple(
        RejectionFact(side=row.side, by=str(row.by_id), at=row.rejected_at, reason=row.reason)
        for row in _rejected(release=release.pk)
    )


def _planned_promotion(plan: Rollout | None, question: Question, *, now: datetime) -> datetime:
    """Evidence must last until then. Before the start: the whole rollout from now on."""
    if question is Question.RELEASE or plan is None:
        return now
    return now + timedelta(hours=plan.hours)
