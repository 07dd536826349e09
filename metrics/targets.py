"""What the answers of a source must be about. Written by releases, in its transactions and under its entries."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from metrics.models import EvaluationRun, Source, Target
from systems.models import System


def set_target(
    *,
    source: Source,
    release_label: str,
    dataset_hash: str,
    pins: Mapping[str, Sequence[str]] | None = None,
    baseline_run: EvaluationRun | None = None,
    now: datetime,
) -> Target:
    """From now on the source is asked for this release on this dataset; another dataset of it is asked for no more."""
    Target.objects.filter(source=source, release_label=release_label, ended_at=None).exclude(
        dataset_hash=dataset_hash
    ).update(ended_at=now)
    target, _ = Target.objects.update_or_create(
        source=source,
        release_label=release_label,
        dataset_hash=dataset_hash,
        defaults={
            "pins": {name: list(values) for name, values in (pins or {}).items()},
            "baseline_run": baseline_run,
            "set_at": now,
            "ended_at": None,
        },
    )
    return target


def end_targets(*, system: System, release_label: str, now: datetime) -> None:
    """No source is asked about the release any more: it was superseded, abandoned or rolled back."""
    Target.objects.filter(source__system=system, release_label=release_label, ended_at=None).update(ended_at=now)
