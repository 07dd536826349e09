"""The weekly drift report: one calendar week of a system beside the week before, kept with its numbers.

Inputs, outputs and cost come from the request trail, scores from the evaluation runs that were recorded in each week.
A report is made once for each system and week, and never changes: what it rests on may be erased later by retention.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from audit import ledger
from audit.actors import SYSTEM
from audit.canonical import digest, plain
from audit.environments import production
from audit.models import Request
from jobs.outbox import emit
from metrics import exact
from metrics.judges import drift as judge
from metrics.models import CaseResult, DriftReport
from systems.models import RunningPolicy, System
from systems.policy import SHIPPED_RUNNING_LIMITS, running_limits

WEEK = timedelta(days=7)
SAMPLE = 20_000
NUMBERS = {
    "input tokens": "tokens_in",
    "output tokens": "tokens_out",
    "latency (ms)": "duration_us",
    "cost per request (USD)": "cost_nanousd",
}
SCALE = {"duration_us": 1_000, "cost_nanousd": 1_000_000_000}
CATEGORIES = {
    "model": "model",
    "prompt version": "prompt_version",
    "output fits its schema": "output_ok",
    "error": "error_type",
    "fallback": "fallback",
    "tenant": "tenant",
}


def week_before(now: datetime) -> datetime:
    """The Monday (UTC) on which the last whole week ended."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today - timedelta(days=today.weekday())


def report_due(*, now: datetime) -> list[DriftReport]:
    """Reports of the last whole week for the systems that have none yet. Systems that served nobody get none."""
    until = week_before(now)
    made = []
    for system in System.objects.exclude(drift_reports__until=until):
        served = Request.objects.filter(system=system.slug, started_at__gte=until - WEEK, started_at__lt=until)
        if served.exists() and (report := make_report(system=system, until=until, now=now)):
            made.append(report)
    return made


def make_report(*, system: System, until: datetime, now: datetime) -> DriftReport | None:
    """The week that ended at `until` beside the one before; None where another worker was quicker."""
    policy = RunningPolicy.objects.filter(system=system, state=RunningPolicy.State.APPROVED).first()
    limits = running_limits(policy.body) if policy else SHIPPED_RUNNING_LIMITS
    spans = ((until - 2 * WEEK, until - WEEK), (until - WEEK, until))
    rows = [_requests(system, since, end) for since, end in spans]
    scores = [_scores(system, since, end) for since, end in spans]
    features = judge.compare(
        {name: (_values(rows[0], column), _values(rows[1], column)) for name, column in NUMBERS.items()}
        | {f"score {m}": (scores[0].get(m, []), scores[1].get(m, [])) for m in sorted({*scores[0], *scores[1]})},
        {
            name: tuple([row[column] for row in side if row[column] is not None] for side in rows)  # type: ignore[misc]
            for name, column in CATEGORIES.items()
        },
        psi_max=limits.psi,
    )
    figures: list[Any] = [plain(feature) for feature in features]
    drifted = [feature.name for feature in features if feature.outcome == "drifted"]
    said = " ".join(feature.sentence for feature in features if feature.outcome == "drifted")
    try:
        with transaction.atomic():
            report = DriftReport.objects.create(
                system=system,
                since=until - WEEK,
                until=until,
                requests=len(rows[1]),
                requests_before=len(rows[0]),
                psi_max=limits.psi,
                figures=figures,
                digest=digest({"figures": figures, "psi_max": str(limits.psi)}),
                drifted=drifted,
                created_at=now,
            )
            payload = {"report": str(report.pk), "until": until, "drifted": drifted, "digest": report.digest}
            subject = f"drift:{report.pk}"
            ledger.append(
                kind="drift.reported", by=SYSTEM, subject=subject, system=system.slug, now=now, payload=payload
            )
            emit(
                "metrics.drift-reported",
                subject=subject,
                payload={"system": system.slug, "report": str(report.pk), "drifted": drifted, "said": said[:2000]},
                now=now,
            )
    except IntegrityError:
        return None
    return report


def _requests(system: System, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Up to SAMPLE requests of the span. Trace ids are random, so the smallest of them are a fair sample."""
    rows = Request.objects.filter(
        production(system.slug), system=system.slug, started_at__gte=since, started_at__lt=until
    )
    return list(rows.order_by("trace_id").values(*NUMBERS.values(), *CATEGORIES.values())[:SAMPLE])


def _values(rows: list[dict[str, Any]], column: str) -> list[float]:
    """What is unknown is left out: an unknown cost is not a cost of zero."""
    return [row[column] / SCALE.get(column, 1) for row in rows if row[column] is not None]


def _scores(system: System, since: datetime, until: datetime) -> dict[str, list[float]]:
    """Per metric, the scores of all cases of the runs that were recorded in the span."""
    cases = CaseResult.objects.filter(run__system=system, run__created_at__gte=since, run__created_at__lt=until)
    found: dict[str, list[float]] = {}
    for scores in cases.order_by("-pk").values_list("scores", flat=True)[:SAMPLE]:
        for metric, score in scores.items():
            if score is not None:
                found.setdefault(metric, []).append(float(exact.parse(score)))
    return found
