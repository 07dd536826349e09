"""Why a number of a release is missing or old: what its sources last answered, where it could not be used.

The gate says that a number is missing. Whoever is to clear that needs to know why: a file that is cut off, a baseline
on other cases, a query that found nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from metrics.models import Pull, Source, Window
from releases.facts import live_release
from releases.models import Release, Rollout

EVALUATIONS = ("evaluation-stored", "evaluation-gate", "baseline-stored")


@dataclass(frozen=True)
class Untaken:
    name: str  # of the source, or of the tool where a run was pushed
    about: str
    outcome: str
    reason: str
    at: datetime
    source: UUID | None = None
    run: UUID | None = None

    @property
    def sentence(self) -> str:
        return f"{self.name}, about {self.about}: {self.reason}"


def untaken(release: Release, rule: str | None) -> list[Untaken]:
    """For an item that the product judges by this rule. An answer that was taken since leaves nothing to say."""
    if rule in EVALUATIONS:
        return [*_pulls(release), *_runs(release)]
    if rule == "canary-clean":
        return list(_canary(release))
    return []


def _pulls(release: Release) -> Iterator[Untaken]:
    """The release's own, and the live release's: it is the baseline."""
    labels = [one.label for one in (release, live_release(release)) if one]
    ended = Pull.objects.filter(source__system=release.system, source__retired_at=None, release_label__in=labels)
    ended = ended.exclude(outcome=Pull.Outcome.RUNNING).select_related("source")
    for pull in ended.order_by("source_id", "release_label", "-started_at", "-id").distinct(
        "source_id", "release_label"
    ):
        if pull.source.gives_evaluations and pull.error and pull.finished_at:
            yield _from(pull.source, pull.release_label, pull.outcome, pull.error, pull.finished_at)


def _runs(release: Release) -> Iterator[Untaken]:
    """The newest judgement, where run and baseline gave no score: the gate knows no more than that."""
    judged = release.judgements.select_related("run__source").first()
    if judged and judged.fact["score"] is None:
        run = judged.run
        name = run.source.name if run.source else run.tool
        reason = " ".join(judged.fact["reasons"])
        yield Untaken(name, run.release_label, "not comparable", reason, judged.judged_at, run=run.pk)


def _canary(release: Release) -> Iterator[Untaken]:
    """Of its rollout, the last window: of the release, and of the live release in the same minutes."""
    plan = Rollout.objects.filter(release=release, started_at__isnull=False).select_related("source").first()
    if plan is None:
        return
    for label in filter(None, (release.label, plan.baseline_label)):
        windows = Window.objects.filter(source=plan.source, release_label=label, since__gte=plan.began)
        last = windows.order_by("-since").first()
        if last and not last.answered:
            yield _from(plan.source, label, "unanswered", last.reason, last.until)


def _from(source: Source, about: str, outcome: str, reason: str, at: datetime) -> Untaken:
    return Untaken(source.name, about, str(outcome), reason, at, source=source.pk)
