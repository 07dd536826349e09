"""Whether a request is approved traffic: what it shows of itself against what releases may look like. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

KEYS = ("prompt_hash", "model", "release", "schema")
# Few applications report these. Where they do, it has to be approved; where they do not, nothing is missing.
ONLY_WHERE_REPORTED = ("schema",)
# Which schema an input or output was made for: its digest, or its number in the registry.
SCHEMAS = {
    "readiness.schema.input.hash": "input",
    "readiness.schema.input.version": "input",
    "readiness.schema.output.hash": "output",
    "readiness.schema.output.version": "output",
}
_SHA256 = re.compile(r"(?:sha256:)?[0-9a-f]{64}")


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


def schema_name(side: str, said: object) -> str:
    """One way to write a schema, however it was said. side: input or output; said: a digest, or a version's number."""
    text = str(said).strip().lower()
    if _SHA256.fullmatch(text):
        return f"{side} sha256:{text.removeprefix('sha256:')}"
    return f"{side} {text.removeprefix('v')}"


def judge(seen: Mapping[str, frozenset[str]], approvals: Iterable[Approved], *, at: datetime) -> Finding:
    """Compares everything the request shows with each release approved at that moment.

    Approved: some release allows every value seen, for every key that it pins. Incomplete: the same, but a pinned key
    was not reported (telemetry that hides the prompt hash proves nothing about the prompt). Else unapproved: one value
    that no approved release allows is enough. A key of `ONLY_WHERE_REPORTED` is never missing, and a release that
    pins none allows none; approvals from before the key was known say nothing about it.
    """
    incomplete: Finding | None = None
    for approval in approvals:
        if approval.from_at > at or (approval.until_at is not None and approval.until_at <= at):
            continue
        pinned = {key: frozenset(values) for key, values in approval.fingerprint.items() if values}
        where_said = {key: pinned.pop(key, frozenset()) for key in ONLY_WHERE_REPORTED if key in approval.fingerprint}
        if any(not seen.get(key, frozenset()) <= values for key, values in (pinned | where_said).items()):
            continue
        missing = tuple(sorted(key for key in pinned if not seen.get(key)))
        if not missing:
            return Finding("approved", approval.release_id)
        # Nothing in common is no approval, however little the request says.
        if len(missing) < len(pinned) and (incomplete is None or len(missing) < len(incomplete.missing)):
            incomplete = Finding("incomplete", approval.release_id, missing)
    return incomplete or Finding("unapproved")
