"""Asking a source: ordered by a person or by its schedule, done by a worker, once.

1. The order is a Pull row and a job, written together. The run key names both, so ordering twice is ordering once.
2. The worker asks the source outside of any transaction, reads the answer and checks what it is about.
3. One transaction stores the raw answer, what was read from it, the entry in the ledger, the event, and that the pull
   is over. A worker that is killed before it leaves the pull open, and the job is done again; after it, nothing is
   left to do, because only an open pull is closed.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q

from accounts.access import require_role
from accounts.models import User
from audit import ledger, vault
from audit.actors import SYSTEM, Actor
from jobs.outbox import emit
from jobs.queue import enqueue, report
from metrics import evaluation
from metrics.actions.sources import MANAGING
from metrics.connecting import read_file, secret_of
from metrics.connectors import prometheus, trail
from metrics.identity import refusals
from metrics.judges.canary import WindowFacts
from metrics.judges.latency import quantile
from metrics.models import EvaluationRun, Measurement, Pull, Source, Target
from metrics.problems import Invalid, MetricsError, Mismatch, Unreadable

TASK = "metrics.pull_source"
MEASURED = timedelta(hours=1)


def order_pull(*, source: Source, by: User, now: datetime, release_label: str = "") -> list[Pull]:
    """Asks for what releases wait for, or for one release. Pressed twice within a second, it is one order."""
    require_role(by, *MANAGING, system=source.system.slug, now=now)
    if source.retired_at:
        raise MetricsError(f"{source.name} is retired: it is asked no more.")
    labels = _labels(source, release_label)
    if not labels:
        if source.gives_evaluations:
            raise MetricsError(
                "No release waits for this source. Open one and pin its dataset; then its evaluation is asked for."
            )
        raise Invalid("Say which release is to be measured.")
    with transaction.atomic():
        pulls = [_order(source, label, f"pull:{source.pk}:{label}:{now:%Y%m%dT%H%M%S}", by, now) for label in labels]
        ledger.append(
            kind="source.asked",
            by=by,
            subject=f"source:{source.pk}",
            system=source.system.slug,
            now=now,
            payload={"releases": labels},
        )
    return pulls


def order_due(*, now: datetime) -> None:
    """Orders what is scheduled. The slot of time is part of the key, so a beat that comes twice orders once."""
    scheduled = Source.objects.filter(retired_at=None, schedule_seconds__isnull=False).select_related("system")
    for source in scheduled:
        if source.gives_evaluations and source.schedule_seconds:
            slot = int(now.timestamp()) // source.schedule_seconds * source.schedule_seconds
            at = datetime.fromtimestamp(slot, UTC)
            for label in _labels(source, ""):
                _order(source, label, f"pull:{source.pk}:{label}:every:{at:%Y%m%dT%H%M%S}", SYSTEM, now)


def _labels(source: Source, release_label: str) -> list[str]:
    targets = Target.objects.filter(source=source, ended_at=None)
    if source.gives_evaluations:
        wanted = targets.filter(release_label=release_label) if release_label else targets
        return sorted(set(wanted.values_list("release_label", flat=True)))
    return [release_label] if release_label else []


def _order(source: Source, release_label: str, run_key: str, by: Actor, now: datetime) -> Pull:
    with transaction.atomic():
        pull, created = Pull.objects.get_or_create(
            run_key=run_key,
            defaults={
                "source": source,
                "release_label": release_label,
                "asked_by": by.actor_id,
                "started_at": now,
            },
        )
        if created:
            enqueue(TASK, key=run_key, now=now, args={"pull_id": str(pull.pk)})
    return pull


def perform(*, pull_id: str, now: datetime) -> None:
    """Does an ordered pull. An expected failure ends it with its sentence; asking again is another pull."""
    pull = Pull.objects.select_related("source__system").get(pk=pull_id)
    if pull.outcome != Pull.Outcome.RUNNING:
        return
    report(10, f"Asking {pull.source.name}")
    try:
        if pull.source.gives_evaluations:
            _pull_evaluation(pull, now=now)
        else:
            _pull_measurements(pull, now=now)
    except AlreadyDone:
        return
    except (Mismatch, Unreadable) as refusal:
        _end(pull, Pull.Outcome.REFUSED, now=now, error=refusal.detail)
    except MetricsError as failure:
        _end(pull, Pull.Outcome.FAILED, now=now, error=failure.detail)


def _pull_evaluation(pull: Pull, *, now: datetime) -> None:
    source = pull.source
    target = Target.objects.filter(source=source, release_label=pull.release_label, ended_at=None).first()
    if target is None:
        raise Mismatch(f"No release {pull.release_label} waits for this source any more.")
    name, raw, answer = read_file(source, release_label=pull.release_label)
    report(50, f"Read {name}: {len(answer.cases):,} cases")
    reasons = refusals(
        answer.claims,
        release_label=target.release_label,
        dataset_hash=target.dataset_hash,
        pins=target.pins,
        finished_at=answer.finished_at,
        now=now,
        fresh_days=source.config.get("fresh_days"),
    )
    if reasons:
        raise Mismatch(f"{name}: " + " ".join(reasons))
    with transaction.atomic():
        run, created = evaluation.record_run(
            system=source.system,
            answer=answer,
            raw=raw,
            origin=EvaluationRun.Origin.PULLED,
            by=SYSTEM,
            source=source,
            now=now,
        )
        outcome = Pull.Outcome.RECORDED if created else Pull.Outcome.UNCHANGED
        _end(pull, outcome, now=now, run=run, raw_digest=run.raw_digest)


def _pull_measurements(pull: Pull, *, now: datetime) -> None:
    """One hour of a release as frozen numbers. The windows of a rollout are a matter of their own (metrics.windows)."""
    source = pull.source
    connector: Any = prometheus if source.kind == prometheus.NAME else trail
    until = now - connector.SETTLE
    span = (until - MEASURED, until)
    if source.kind == trail.NAME:
        facts, raw = trail.windows(
            source.config, system=source.system.slug, release_label=pull.release_label, spans=[span]
        )
    else:
        facts, raw = prometheus.windows(
            source.config,
            secret=secret_of(source),
            release_label=pull.release_label,
            spans=[span],
            counted_before=False,
        )
    if not facts[0].answered:
        raise Unreadable(facts[0].reason)
    with transaction.atomic():
        digest = vault.put(raw, kind="measurement", media_type="application/json", now=now, system=source.system.slug)
        Measurement.objects.bulk_create(
            Measurement(
                source=source,
                pull=pull,
                release_label=pull.release_label,
                what=what,
                value=value,
                unit=unit,
                count=facts[0].requests,
                window_from=span[0],
                window_to=span[1],
                raw_digest=digest,
                created_at=now,
            )
            for what, value, unit in _measured(facts[0])
        )
        subject = f"source:{source.pk}"
        payload = {"source_id": str(source.pk), "pull_id": str(pull.pk), "release_label": pull.release_label}
        ledger.append(
            kind="source.measured",
            by=SYSTEM,
            subject=subject,
            system=source.system.slug,
            now=now,
            payload={**payload, "raw_digest": digest},
        )
        emit("metrics.measured", subject=subject, payload=payload, now=now)
        _end(pull, Pull.Outcome.RECORDED, now=now, raw_digest=digest)


def _measured(facts: WindowFacts) -> list[tuple[str, Decimal, str]]:
    """A rate without requests is not zero: it is left out."""
    found = [("requests", Decimal(facts.requests), "requests"), ("errors", Decimal(facts.errors), "requests")]
    if facts.requests:
        found.append(("error-rate", Decimal(facts.errors) / facts.requests, "share"))
    if (p95 := quantile(facts.latency, Decimal("0.95"))) is not None:
        found.append(("p95-latency", p95, "ms"))
    return found


def _end(
    pull: Pull,
    outcome: Pull.Outcome,
    *,
    now: datetime,
    error: str = "",
    run: EvaluationRun | None = None,
    raw_digest: str = "",
) -> None:
    """Closes the pull, if it is still open: of two workers one does."""
    ended = Pull.objects.filter(pk=pull.pk, outcome=Pull.Outcome.RUNNING).update(
        outcome=outcome, error=error[:2000], run=run, raw_digest=raw_digest, finished_at=now
    )
    if ended != 1:
        raise AlreadyDone("Another worker has done this pull.")
    failed = outcome == Pull.Outcome.FAILED
    health: dict[str, Any] = {"state": Source.State.OK, "last_error": "", "last_ok_at": now}
    if error:
        health = {"state": Source.State.FAILING if failed else Source.State.OK, "last_error": error[:2000]}
    Source.objects.filter(Q(pk=pull.source_id)).update(**health)
    report(100, outcome.label)


class AlreadyDone(MetricsError):
    """Rolls back what a second worker was about to store once more."""
