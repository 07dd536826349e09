"""Evaluations of a release: what sources must answer about, and the judge's word. No person can mark one passed."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from audit import canonical, ledger
from audit.actors import SYSTEM
from jobs.outbox import emit
from metrics.evaluation import paired_cases
from metrics.judges import evaluation
from metrics.models import EvaluationRun, Source
from metrics.targets import set_target
from releases.actions.checklist import attach_measurement
from releases.actions.opening import label_of
from releases.facts import live_release
from releases.fingerprint import claimed_pins, dataset_hash, mismatch_of
from releases.gate.types import EvaluationFact
from releases.models import Judgement, Release
from releases.standard.published import definition_of
from systems.policy import release_bars

JUDGED = (*Release.OPEN, *Release.IN_ROLLOUT)


def aim_sources(release: Release, *, now: datetime) -> None:
    """Tells the evaluation sources what their answers must be about: this release, and the one it is compared with."""
    digest = dataset_hash(release)
    for subject in filter(None, (release, live_release(release))):
        for source in Source.objects.filter(system=release.system, retired_at=None):
            if source.gives_evaluations:
                set_target(
                    source=source,
                    release_label=subject.label,
                    dataset_hash=digest,
                    pins=claimed_pins(subject),
                    baseline_run=None,
                    now=now,
                )


def judge_run(*, run_id: str, now: datetime) -> Judgement | None:
    """Judges a new run for the release that it names; a baseline's run makes the open releases be judged again."""
    run = EvaluationRun.objects.select_related("system").get(pk=UUID(run_id))
    release = Release.objects.filter(system=run.system, label=run.release_label).first()
    if release is None:
        return None
    if release.state in JUDGED:
        return judge(release, run, now=now)
    judge_waiting(now=now, system=run.system_id)
    return None


def judge_waiting(*, now: datetime, system: UUID | None = None) -> int:
    """Judges what changed since: another release went live, its run arrived late, another policy was pinned."""
    releases = Release.objects.filter(state__in=JUDGED).select_related("system", "standard", "policy")
    if system is not None:
        releases = releases.filter(system=system)
    judged = 0
    for release in releases:
        run = newest_run(release)
        if run is not None and judge(release, run, now=now) is not None:
            judged += 1
    return judged


def newest_run(release: Release) -> EvaluationRun | None:
    digest = dataset_hash(release)
    runs = EvaluationRun.objects.filter(system=release.system, release_label=release.label, dataset_hash=digest)
    return runs.order_by("-created_at").first() if digest else None


def baseline_of(release: Release, run: EvaluationRun) -> EvaluationRun | None:
    """The live release's newest run on the candidate's dataset: never one on an older dataset."""
    live = live_release(release)
    if live is None:
        return None
    runs = EvaluationRun.objects.filter(system=release.system, release_label=live.label, dataset_hash=run.dataset_hash)
    return runs.order_by("-created_at").first()


def judge(release: Release, run: EvaluationRun, *, now: datetime) -> Judgement | None:
    """Stores the judge's word on this run, once for each baseline and policy, and freezes it as evidence.

    Returns None where that was done already.
    """
    baseline = baseline_of(release, run)
    if Judgement.objects.filter(release=release, run=run, baseline_run=baseline, policy=release.policy).exists():
        return None
    fact = fact_of(release, run, baseline)
    with transaction.atomic():
        judgement, created = Judgement.objects.get_or_create(
            release=release,
            run=run,
            baseline_run=baseline,
            policy=release.policy,
            defaults={"fact": canonical.plain(fact), "judged_at": now},
        )
        if not created:
            return None
        ledger.append(
            kind="release.evaluation-judged",
            by=SYSTEM,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={
                "run": str(run.pk),
                "raw_digest": run.raw_digest,
                "baseline_run": baseline and str(baseline.pk),
                "policy": release.policy.number,
                "outcome": fact.outcome,
                "score": fact.score,
            },
        )
        for item in definition_of(release.standard).items:
            if item.auto_fact == "evaluation-gate":
                numberless = f", {fact.errored} without a number" if fact.errored else ""
                title = f"{run.tool} run, {fact.cases} cases{numberless}: {fact.outcome}"
                attach_measurement(release_id=release.pk, key=item.key, title=title, measured=fact, by=SYSTEM, now=now)
        emit(
            "releases.evaluation-judged",
            subject=release.subject,
            payload=label_of(release) | {"outcome": fact.outcome},
            now=now,
        )
    return judgement


def fact_of(release: Release, run: EvaluationRun, baseline: EvaluationRun | None) -> EvaluationFact:
    bars = evaluation.EvaluationBars.of(release_bars(release.policy.body))
    verdict = evaluation.judge(paired_cases(run), paired_cases(baseline) if baseline else None, bars)
    mismatch = mismatch_of(release, run)
    return EvaluationFact(
        run=str(run.pk),
        raw_digest=run.raw_digest,
        tool=run.tool,
        tool_version=run.tool_version,
        dataset_hash=run.dataset_hash or None,
        dataset_matches=bool(run.dataset_hash) and run.dataset_hash == dataset_hash(release),
        pins_match=not mismatch,
        mismatch=mismatch,
        origin_proven=run.origin_proven,
        metric=verdict.metric,
        cases=verdict.cases,
        errored=run.errored,
        score=verdict.candidate_score,
        baseline_run=str(baseline.pk) if baseline else None,
        baseline_score=verdict.baseline_score,
        delta=verdict.delta,
        lower=verdict.lower,
        upper=verdict.upper,
        outcome=verdict.outcome,
        reasons=tuple(verdict.reasons),
    )
