"""Watching a rollout: every window pulled once, judged at once, rolled back on a breach."""

import logging
from datetime import datetime, timedelta

from django.db import transaction

from audit import canonical, ledger
from audit.actors import SYSTEM
from metrics import windows
from metrics.judges import canary
from releases import shadow
from releases.actions.checklist import attach_measurement
from releases.actions.rollout import step_up, watched
from releases.actions.shadow import finish_shadow
from releases.facts import judge_rollout
from releases.models import Rollout, ShadowRun
from releases.representing import attach_comparison
from releases.standard.published import definition_of
from systems.policy import release_bars

log = logging.getLogger(__name__)


def watch_all(*, now: datetime) -> None:
    """One look at each running rollout. What fails for one is said, and does not stop the others."""
    running = Rollout.objects.filter(state=Rollout.State.RUNNING, started_at__lte=now)
    for rollout in running.select_related("release__system", "release__policy", "release__standard", "source"):
        try:
            watch(rollout, now=now)
        except Exception:  # its windows stay unanswered, which counts against it
            log.exception("Watching %s failed; it is tried again at the next beat.", rollout.release)
    for run in ShadowRun.objects.filter(state=ShadowRun.State.RUNNING, started_at__lte=now):
        try:
            watch_shadow(run, now=now)
        except Exception:
            log.exception("Watching the shadow of %s failed; it is tried again at the next beat.", run.release)


def watch(rollout: Rollout, *, now: datetime) -> None:
    """Pulls the windows since the last look, judges the whole rollout, and rolls back on a breach.

    Each window is a row, unique by source, release and start: a worker killed in between loses none and doubles none.
    """
    release = rollout.release
    bars = release_bars(release.policy.body)
    since = rollout.watched_until or rollout.began
    while stored := windows.pull_window(
        source=rollout.source, release_label=release.label, since=since, until=now, now=now
    ):
        # The live release in the same minutes. Its gaps cost comparison, and too little comparison is no pass.
        if rollout.baseline_label:
            windows.pull_window(
                source=rollout.source,
                release_label=rollout.baseline_label,
                since=since,
                until=stored[-1].until,
                now=now,
            )
        since = stored[-1].until
        judged = judge_rollout(release, rollout, bars, now=since)
        breach = " ".join(judged.reasons) if judged.outcome in canary.ENDING else ""
        watched(rollout=rollout, until=since, breach=breach, now=now)
        if breach:
            return
        step_up(rollout=rollout, covered_hours=judged.covered_hours, now=now)
    rollout.refresh_from_db()
    _freeze_progress(rollout, now=now)


def watch_shadow(run: ShadowRun, *, now: datetime) -> None:
    """Pulls the windows of the shadow and of the live release since the last look; ends the run when its hours are
    full, when a trigger is breached, or when twice its hours have passed without filling them."""
    since, plan = run.watched_until, run.release.rollout
    while stored := windows.pull_window(
        source=run.source, release_label=run.release.label, since=since, until=now, now=now
    ):
        until = stored[-1].until
        windows.pull_window(source=plan.source, release_label=run.live_label, since=since, until=until, now=now)
        ShadowRun.objects.filter(pk=run.pk, state=ShadowRun.State.RUNNING).update(watched_until=until)
        since = until
        judged = shadow.judge_shadow(run, until=until)
        late = until >= run.started_at + 2 * timedelta(hours=run.hours)
        if judged.outcome in canary.ENDING or judged.covered_hours >= run.hours or late:
            finish_shadow(run=run, report=canonical.plain(shadow.report(run, judged, until=until)), now=now)  # type: ignore[arg-type]
            return


def _freeze_progress(rollout: Rollout, *, now: datetime) -> None:
    """Once the hours are full, what was measured is kept as evidence of the item that asks for it."""
    release = rollout.release
    if now < rollout.began + timedelta(hours=rollout.hours):
        return  # its hours cannot be full, and judging a day's windows takes its time
    judged = judge_rollout(release, rollout, release_bars(release.policy.body), now=now)
    if judged.outcome != "pass":
        return
    attach_comparison(rollout, now=now)
    for item in definition_of(release.standard).items:
        if item.auto_fact != "canary-clean":
            continue
        if release.items.filter(key=item.key, evidence__kind="measurement").exists():
            continue
        title = f"{judged.covered_hours} covered hours without a breach"
        with transaction.atomic():
            attach_measurement(
                release_id=release.pk, key=item.key, title=title, measured=canonical.plain(judged), by=SYSTEM, now=now
            )
            ledger.append(
                kind="release.canary-clean",
                by=SYSTEM,
                subject=release.subject,
                system=release.system.slug,
                now=now,
                payload={"covered_hours": judged.covered_hours, "windows": judged.windows_digest},
            )
