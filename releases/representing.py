"""The golden set beside the requests of the rollout: measured once, as evidence that a second person verifies."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from audit import canonical
from audit.datasets import questions
from audit.environments import production
from audit.models import Request
from metrics.judges import representative
from releases.actions.checklist import attach_evidence
from releases.locking import lock
from releases.models import Evidence, Release, Rollout
from releases.standard.published import definition_of
from systems.content import questions_in
from systems.kinds import Kind
from systems.models import RunningPolicy, System
from systems.policy import SHIPPED_RUNNING_LIMITS, running_limits
from systems.registry import content_of

KEY, KIND = "evaluation.representative", "record:measurement"
SAMPLE = 2_000
LATELY, LOOKED_AT = timedelta(days=7), 300  # for a page that is looked at


def attach_comparison(rollout: Rollout, *, now: datetime) -> Evidence | None:
    """Attached in the name of whoever started the rollout, where the standard asks for it and nothing is attached."""
    release = rollout.release
    asked = any(item.key == KEY and KIND in item.evidence for item in definition_of(release.standard).items)
    if not asked or _attached(release):
        return None
    assert rollout.started_by is not None
    found = compare(release, since=rollout.began, until=now)
    with transaction.atomic():
        lock(release.pk)
        if _attached(release):  # by somebody, while this was compared: they may have it verified by now
            return None
        return attach_evidence(
            release_id=release.pk,
            key=KEY,
            kind=Evidence.Kind.RECORD,
            title=f"Golden set beside {found.requests:,} requests: {found.outcome}",
            content=canonical.dumps(canonical.plain(found)),
            media_type="application/json",
            by=rollout.started_by,
            now=now,
            via="metrics",
        )


def _attached(release: Release) -> bool:
    return Evidence.objects.filter(item__release=release, item__key=KEY, superseded_at=None).exists()


def compare(release: Release, *, since: datetime, until: datetime) -> representative.Report:
    """The pinned golden sets beside a fair sample of what was sent to the release in this time."""
    return _compare(release, Request.objects.filter(release=release.label), since=since, until=until, at_most=SAMPLE)


def beside_production(release: Release, *, now: datetime) -> representative.Report:
    """The same beside what all releases were sent lately: known before the release meets anybody."""
    return _compare(release, Request.objects.all(), since=now - LATELY, until=now, at_most=LOOKED_AT)


def measured(system: System) -> QuerySet[Evidence]:
    """The comparisons that were attached to releases of a system, newest first."""
    return Evidence.objects.filter(item__release__system=system, item__key=KEY, via="metrics").select_related(
        "item__release__system"
    )


def _compare(
    release: Release, asked: QuerySet[Request], *, since: datetime, until: datetime, at_most: int
) -> representative.Report:
    system = release.system
    policy = RunningPolicy.objects.filter(system=system, state=RunningPolicy.State.APPROVED).first()
    limits = running_limits(policy.body) if policy else SHIPPED_RUNNING_LIMITS
    pins = release.pins.filter(component__kind=Kind.DATASET).select_related("version")
    cases = [question for pin in pins for question in questions_in(content_of(pin.version))]
    # Trace ids are random, so the smallest of them are a fair sample.
    sent = asked.filter(
        production(system.slug), system=system.slug, started_at__gte=since, started_at__lt=until
    ).order_by("trace_id")[:at_most]
    return representative.judge(cases, questions(list(sent)), psi_max=limits.psi)
