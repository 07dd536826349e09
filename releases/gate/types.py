"""What the gate sees and what it says: frozen dataclasses that go to canonical JSON and back without loss.

Numbers that are measured or compared are exact decimals (text in JSON), times are aware UTC, shares are 0 to 1.
`None` means unknown. No field has a default that would let a missing fact pass.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import msgspec

# Who did something, and what was pinned or verified: an id and a digest, never any other text. Facts that say otherwise
# cannot be read, so a spoiled name is not taken for a person, nor a spoiled digest for a pin.
Id = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Digest = Annotated[str, msgspec.Meta(pattern="^(sha256:[0-9a-f]{64})?$")]  # empty: none, and the gate says no to it


class Question(StrEnum):
    CANARY = "canary"  # may it meet its first users?
    RELEASE = "release"  # may it serve everybody?


class Outcome(StrEnum):
    GO = "go"
    NO_GO = "no-go"


class ItemState(StrEnum):
    VERIFIED = "verified"
    NOT_APPLICABLE = "not-applicable"
    WAITING = "waiting"  # evidence is there, nobody has verified it
    MISSING = "missing"  # no evidence
    SENT_BACK = "sent-back"
    STALE = "stale"  # something it depends on has changed since
    LAPSED = "lapsed"  # its evidence is, or will be, too old
    FAILED = "failed"  # measured, and not good enough
    UNKNOWN = "unknown"  # it cannot be measured, so it counts as not done

    @property
    def done(self) -> bool:
        return self in (ItemState.VERIFIED, ItemState.NOT_APPLICABLE)


@dataclass(frozen=True)
class EvidenceFact:
    digest: Digest
    kind: str
    attached_by: Id | None  # None: the product itself, which only measures
    attached_at: datetime
    valid_until: datetime | None


@dataclass(frozen=True)
class ItemFact:
    """One requirement, as recorded. Its state is not here: the gate derives it."""

    key: str
    title: str
    phase: str
    question: str | None  # the question that it blocks; None: it blocks neither (post-launch)
    verification: str  # auto | evidence | recurring
    rule: str | None  # for auto items: the name of the gate's rule
    side: str
    owner_role: str
    owner: Id | None
    evidence: tuple[EvidenceFact, ...]  # the living ones
    verified_by: Id | None
    verified_at: datetime | None
    verified_digests: tuple[Digest, ...]
    sent_back_reason: str | None
    stale_reason: str | None
    not_applicable_reason: str | None
    not_applicable_proposed_by: Id | None
    not_applicable_confirmed_by: Id | None
    conditional: bool


@dataclass(frozen=True)
class PinFact:
    component: str
    kind: str
    version: int | None  # None: the component has no pin
    sha256: Digest | None
    state: str | None
    reviewed: bool


@dataclass(frozen=True)
class VersionFact:
    name: str
    sha256: Digest
    approved: bool
    superseded_at: datetime | None


@dataclass(frozen=True)
class AnswerFact:
    key: str
    question: str
    answer: str | None  # yes | no
    text: str
    evidence: str | None


@dataclass(frozen=True)
class EvaluationFact:
    """The candidate's run against the baseline's, as the judge of metrics found it, with what it rests on."""

    run: str
    raw_digest: str
    tool: str
    tool_version: str
    dataset_hash: str | None
    dataset_matches: bool
    pins_match: bool
    mismatch: str
    origin_proven: bool
    metric: str
    cases: int
    errored: int
    score: Decimal | None
    baseline_run: str | None
    baseline_score: Decimal | None
    delta: Decimal | None
    lower: Decimal | None
    upper: Decimal | None
    outcome: str  # pass | fail | inconclusive
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class RatesFact:
    """What a release's own requests showed, from the request trail."""

    since: datetime
    until: datetime
    requests: int
    errors: int
    schema_checked: int
    schema_valid: int
    with_sources: int
    with_request_id: int
    cost_known: int  # requests
    cost_usd: Decimal  # of those
    baseline_cost_per_request_usd: Decimal | None
    unapproved: int


@dataclass(frozen=True)
class BudgetFact:
    state: str  # ok | alert | exceeded | unknown
    spent_usd: Decimal
    cap_usd: Decimal | None
    alert_usd: Decimal | None
    channels: int  # live channels that an alarm would reach
    worst_alarm_delay_seconds: int | None


@dataclass(frozen=True)
class FreezeFact:
    id: str
    reason: str
    since: datetime
    spares: str | None  # label of the release that its mitigation names


@dataclass(frozen=True)
class PlanFact:
    strategy: str
    share: Decimal
    hours: Decimal
    error_rate_max: Decimal
    p95_ms_max: int
    source: Id | None


@dataclass(frozen=True)
class CanaryFact:
    state: str  # running | ended
    started_at: datetime
    covered_hours: Decimal
    breaches: int
    requests: int
    outcome: str  # pass | fail | inconclusive | running
    reasons: tuple[str, ...]
    windows_digest: str


@dataclass(frozen=True)
class DrillFact:
    """The latest passed drill of a kind: its times were taken by the product, never typed."""

    kind: str
    id: str
    ended_at: datetime
    seconds: int


@dataclass(frozen=True)
class RejectionFact:
    side: str
    by: Id
    at: datetime
    reason: str


@dataclass(frozen=True)
class Facts:
    release: str
    label: str
    system: str
    question: Question
    first_release: bool
    standard: VersionFact
    policy: VersionFact
    ownership_gaps: tuple[str, ...]
    pins: tuple[PinFact, ...]
    asked_items: tuple[str, ...]  # keys of the standard: an item or answer that is not among the facts is missing
    asked_questions: tuple[str, ...]
    items: tuple[ItemFact, ...]
    answers: tuple[AnswerFact, ...]
    evaluation: EvaluationFact | None
    rates: RatesFact | None
    budget: BudgetFact | None
    freezes: tuple[FreezeFact, ...]
    plan: PlanFact | None
    canary: CanaryFact | None
    drills: tuple[DrillFact, ...]
    rejections: tuple[RejectionFact, ...]
    retained_release: str | None  # the release that a rollback would restore; None: the fallback serves
    planned_promotion: datetime


@dataclass(frozen=True)
class SignatureFact:
    """One signature on a question. Whether its signer still holds the role is read afresh each time it is counted."""

    side: str  # engineering | operations
    signer: str
    state_digest: str
    signed_at: datetime
    method: str  # passkey | two-factor
    voided: bool
    holds_role: bool
    is_author: bool


@dataclass(frozen=True)
class Reason:
    """One thing that stands in the way: what is wrong, who can clear it, and where."""

    code: str
    sentence: str
    who: str
    where: str  # "item:<key>", "rollout", "pins", "questions", "budget", "freeze", "sign-off"


@dataclass(frozen=True)
class ItemVerdict:
    key: str
    state: ItemState
    sentence: str


@dataclass(frozen=True)
class Verdict:
    question: Question
    outcome: Outcome
    reasons: tuple[Reason, ...]
    items: tuple[ItemVerdict, ...]
    gate_version: int
    at: datetime

    @property
    def go(self) -> bool:
        return self.outcome is Outcome.GO


# The way to JSON is `audit.canonical.plain`: decimals and times become text, so nothing is lost on the way back.


def facts_from_json(data: Any) -> Facts:
    """The facts of a stored decision. Raises `msgspec.ValidationError`, which names the field that is wrong."""
    _refuse_floats(data)
    return msgspec.convert(data, Facts)


def _refuse_floats(value: Any) -> None:
    """Numbers are integers, or decimals as text. A float was never written by us, and would be read as a decimal."""
    if isinstance(value, float):
        raise msgspec.ValidationError(f"Expected a decimal as text, got the float {value}")
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            _refuse_floats(inner)


def verdict_from_json(data: Any) -> Verdict:
    return msgspec.convert(data, Verdict)
