"""What a shadow run shows so far, and its report: read from the stored windows and the trail."""

from dataclasses import replace
from datetime import datetime

from metrics import shadowing, windows
from metrics.judges import canary
from metrics.judges import shadow as judge
from metrics.judges.canary import CanaryVerdict, WindowFacts
from releases.facts import limits_of
from releases.models import ShadowRun
from systems.models import RunningPolicy
from systems.policy import SHIPPED_RUNNING_LIMITS, release_bars, running_limits


def judge_shadow(run: ShadowRun, *, until: datetime) -> CanaryVerdict:
    """By the absolute triggers of the plan, over its own hours."""
    plan = run.release.rollout
    limits = replace(limits_of(plan, release_bars(run.release.policy.body)), hours=run.hours)
    return canary.judge(_windows(run, until)[0], limits, since=run.started_at, until=until)


def report(run: ShadowRun, judged: CanaryVerdict, *, until: datetime) -> judge.Report:
    system = run.release.system
    policy = RunningPolicy.objects.filter(system=system, state=RunningPolicy.State.APPROVED).first()
    limits = running_limits(policy.body) if policy else SHIPPED_RUNNING_LIMITS
    answers = shadowing.answers(
        shadow=run.source,
        label=run.release.label,
        live=run.release.rollout.source,
        live_label=run.live_label,
        since=run.started_at,
        until=until,
        psi_max=limits.psi,
    )
    mine, live = _windows(run, until)
    bars = release_bars(run.release.policy.body)
    return judge.judge(judged, mine, live, answers, since=run.started_at, min_requests=bars.min_requests)


def _windows(run: ShadowRun, until: datetime) -> tuple[tuple[WindowFacts, ...], tuple[WindowFacts, ...]]:
    def of(source: object, label: str) -> tuple[WindowFacts, ...]:
        return windows.series(source=source, release_label=label, since=run.started_at, until=until)  # type: ignore[arg-type]

    return of(run.source, run.release.label), of(run.release.rollout.source, run.live_label)
