"""Whether a request is approved traffic: what it shows of itself against what releases may look like. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

KEYS = ("prompt_hash", "model", "release")


@dataclass(frozen=True, slots=True)
class Approved:
    """One release's approval: for each key the values that its requests may show, from when until when."""

    release_id: str
    release_label: str
    fingerprint: Mapping[str, Sequence[str]]
    from_at: datetime
    until_at: datetime | None


@dataclass(frozen=True, slots=True)
class Finding:
    state: str  # approved, incomplete, unapproved
    release_id: str = ""
    missing: tuple[str, ...] = ()


def model_names(deployment: Mapping[str, Any]) -> list[str]:
    """What requests may call a model that is pinned: its dated name, and the deployment that they go to."""
    return [name for key in ("model", "deployment") if (name := deployment.get(key))]


def judge(seen: Mapping[str, frozenset[str]], approvals: Iterable[Approved], *, at: datetime) -> Finding:
    """Compares everything the request shows with each release approved at that moment.

    Approved: some release allows every value seen, for every key that it pins. Incomplete: the same, but a pinned key
    was not reported (telemetry that hides the prompt hash proves nothing about the prompt). Else unapproved: one value
    that no approved release allows is enough.
    """
    incomplete: Finding | None = None
    for approval in approvals:
        if approval.from_at > at or (approval.until_at is not None and approval.until_at <= at):
            continue
        pinned = {key: frozenset(values) for key, values in approval.fingerprint.items() if values}
        if any(not seen.get(key, frozenset()) <= values for key, values in pinned.items()):
            continue
        missing = tuple(sorted(key for key in pinned if not seen.get(key)))
        if not missing:
            return Finding("approved", approval.release_id)
        # Nothing in common is no approval, however little the request says.
        if len(missing) < len(pinned) and (incomplete is None or len(missing) < len(incomplete.missing)):
            incomplete = Finding("incomplete", approval.release_id, missing)
    return incomplete or Finding("unapproved")
