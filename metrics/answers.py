"""What a connector answers, whatever tool it reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

from metrics.problems import Unreadable

PREFIX = "readiness."
OUTPUT_KEPT = 2000
ERROR_KEPT = 300
TAGS_KEPT = 20


@dataclass(frozen=True)
class Claims:
    """What a file says it is about, in the tool's own metadata. Claimed: compared, never believed."""

    release: str = ""
    dataset_hash: str = ""
    pins: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CaseAnswer:
    """One case, its repeats averaged. `scores` leaves out metrics that do not apply to it; None is "no number"."""

    case_id: str
    scores: dict[str, Fraction | None]
    passed: bool | None
    error: str
    repeats: int
    output: str
    tags: tuple[str, ...] = ()  # of the golden set: what kind of case it is

    @property
    def errored(self) -> bool:
        return bool(self.error) or any(score is None for score in self.scores.values())


@dataclass(frozen=True)
class RunAnswer:
    tool: str
    tool_version: str
    tool_run_id: str
    task: str
    metric: str  # the one that is judged where the policy names none
    claims: Claims
    finished_at: datetime | None
    cases: tuple[CaseAnswer, ...]


def claims(*metadata: Mapping[str, Any] | None, model: str = "") -> Claims:
    """Reads `readiness.release`, `readiness.dataset_hash`, `readiness.prompt_hash`, ... out of a tool's own metadata.

    Flat keys, or one key `readiness` with an object. Where several places tell, they must tell the same. The tool's own
    word for the model counts where the metadata is silent.
    """
    told: dict[str, str] = {}
    for place in metadata:
        for name, value in _ours(place or {}):
            if not isinstance(value, str) or len(value) > 200:
                raise Unreadable(f"The metadata {PREFIX}{name} is not a short text.")
            if told.setdefault(name, value) != value:
                raise Unreadable(f"The file contradicts itself: {PREFIX}{name} is {told[name]} and {value}.")
    if model:
        told.setdefault("model", model)
    return Claims(told.pop("release", ""), told.pop("dataset_hash", ""), dict(sorted(told.items())))


def _ours(metadata: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    nested = metadata.get("readiness")
    if isinstance(nested, Mapping):
        yield from nested.items()
    for key, value in metadata.items():
        if key.startswith(PREFIX):
            yield key.removeprefix(PREFIX), value


def averaged(case_id: str, repeats: list[CaseAnswer]) -> CaseAnswer:
    """One answer out of a case's repeats (epochs). One repeat without a number leaves the case without one."""
    if len(repeats) == 1:
        return repeats[0]
    scores: dict[str, Fraction | None] = {}
    for name in dict.fromkeys(name for repeat in repeats for name in repeat.scores):
        known = [score for repeat in repeats if (score := repeat.scores.get(name)) is not None]
        scores[name] = sum(known, Fraction(0)) / len(repeats) if len(known) == len(repeats) else None
    passed = [repeat.passed for repeat in repeats]
    return CaseAnswer(
        case_id=case_id,
        scores=scores,
        passed=None if None in passed else all(passed),
        error=next((repeat.error for repeat in repeats if repeat.error), ""),
        repeats=len(repeats),
        output=repeats[0].output,
        tags=repeats[0].tags,
    )


def tags(*places: Any) -> tuple[str, ...]:
    """Tags of a case as its tool has them: a list of texts, or one text with commas. Anything else is no tag."""
    found: list[str] = []
    for place in places:
        parts = place.split(",") if isinstance(place, str) else place if isinstance(place, list) else []
        found += [part.strip()[:60] for part in parts if isinstance(part, str) and part.strip()]
    return tuple(dict.fromkeys(found))[:TAGS_KEPT]
