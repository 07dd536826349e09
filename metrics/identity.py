"""Is the answer about what was asked? A run of another release, dataset, prompt or time is refused, with the reason."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from metrics.answers import Claims

FUTURE = timedelta(minutes=5)


def refusals(
    claims: Claims,
    *,
    release_label: str,
    dataset_hash: str,
    pins: Mapping[str, Sequence[str]],
    finished_at: datetime | None,
    now: datetime,
    fresh_days: int | None = None,
) -> list[str]:
    """Every way in which the file is about something else. What it does not claim, it has not shown.

    `fresh_days`: the source's own limit. Models behind one name move on; an older run says how it was.
    """
    reasons = []
    if claims.release != release_label:
        reasons.append(f"The file is about {_told('release', claims.release)}, not about release {release_label}.")
    if dataset_hash and claims.dataset_hash != dataset_hash:
        reasons.append(
            f"The file was made with {_told('dataset', claims.dataset_hash)}, "
            f"and the release pins {_short(dataset_hash)}."
        )
    for name, accepted in pins.items():
        claim = claims.pins.get(name, "")
        if accepted and claim not in accepted:
            reasons.append(
                f"The file was made with {_told(name.replace('_', ' '), claim)}, "
                f"and the release pins {' or '.join(map(_short, accepted))}."
            )
    if finished_at is None:
        reasons.append("The file does not say when the run ended.")
    elif finished_at > now + FUTURE:
        reasons.append(f"The run ended in the future ({finished_at:%Y-%m-%d %H:%M} UTC): a clock is wrong.")
    elif fresh_days is not None and finished_at < now - timedelta(days=fresh_days):
        reasons.append(f"The run ended on {finished_at:%Y-%m-%d}; this source's runs are fresh for {fresh_days} days.")
    return reasons


def _told(what: str, claim: str) -> str:
    return f"{what} {_short(claim)}" if claim else f"no {what} that it names"


def _short(claim: str) -> str:
    """A digest by its beginning: a person compares it, nobody types it."""
    return f"{claim[:19]}…" if claim.startswith("sha256:") and len(claim) == 71 else claim
