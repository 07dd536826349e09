"""Watching a rollout: every window pulled once, judged at once, rolled back on a breach."""

import logging
from datetime import datetime

from django.db import transaction

from audit import canonical, ledger
from audit.actors import SYSTEM
from metrics import windows
from metrics.judges import canary
from releases.actions.checklist import attach_measurement
from releases.actions.rollout import watched
from releases.facts import judge_rollout
from releases.models import Rollout
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
    rollout.refresh_from_db()
    _freeze_progress(rollout, now=now)


def _freeze_progress(rollout: Rollout, *, now: datetime) -> None:
    """Once the hours are full, what was measured is kept as evidence of the item that asks for it."""
    release = rollout.release
    judged = judge_rollout(release, rollout, release_bars(release.policy.body), now=now)
    if judged.outcome != "pass":
        return
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
