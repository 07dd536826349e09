"""What other tools read of a decision: the verdict (SLSA VSA), the evaluation (test result), each signature. Pure.

The verdict is a SLSA Verification Summary: https://slsa.dev/spec/v1.1/verification_summary. It needs clearance, names
its question, and expires: within that time it is the answer, so that a deploy tool decides without asking us. Fields of
our own have names that are URIs, as the specification wants; consumers ignore those that they do not know.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from audit import canonical
from audit.dsse import Statement
from releases.gate.types import EvaluationFact, Facts, Question

VSA = "https://slsa.dev/verification_summary/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
SIGN_OFF = "urn:readiness:sign-off:v1"

QUESTION = "urn:readiness:question"
EXPIRES = "urn:readiness:expires"
DECISION = "urn:readiness:decision"
STATE = "urn:readiness:state"
CHECKPOINT = "urn:readiness:ledger-checkpoint"

LEVELS = {Question.CANARY: "READINESS_CANARY_SIGNED", Question.RELEASE: "READINESS_ENG_OPS_SIGNED"}
VALID_FOR = timedelta(hours=1)


@dataclass(frozen=True)
class About:
    """What the statements are about, and where it lives."""

    system: str
    label: str
    state_digest: str
    images: tuple[tuple[str, str], ...]  # name and digest of each artifact that is deployed
    base_url: str
    standard: str
    standard_digest: str

    @property
    def resource(self) -> str:
        return f"{self.base_url}/systems/{self.system}/"

    def subject(self) -> tuple[dict[str, Any], ...]:
        """The recorded state, which fixes every pin, and beside it the images that a cluster can compare."""
        named = ((f"{self.system}:{self.label}", self.state_digest), *self.images)
        return tuple({"name": name, "digest": digests(digest)} for name, digest in named)


def digests(digest: str) -> dict[str, str]:
    """`sha256:<hex>` as in-toto writes it."""
    algorithm, _, value = digest.partition(":")
    return {algorithm: value}


def verdict(
    about: About,
    *,
    question: Question,
    cleared: bool,
    decision: str | None,
    inputs: Iterable[tuple[str, str]],
    checkpoint: str | None,
    verifier_version: str,
    at: datetime,
    valid_for: timedelta = VALID_FOR,
) -> Statement:
    """`inputs`: name and digest of everything the verdict rests on: the specification wants all or none."""
    predicate = {
        "verifier": {"id": about.base_url, "version": {"readiness-gate": verifier_version}},
        "timeVerified": seconds(at),
        "resourceUri": about.resource,
        "policy": {
            "uri": f"{about.base_url}/standard/{about.standard}/",
            "digest": digests(about.standard_digest),
        },
        "inputAttestations": [
            {"uri": f"{about.resource}#{name}", "digest": digests(digest)} for name, digest in sorted(set(inputs))
        ],
        "verificationResult": "PASSED" if cleared else "FAILED",
        "verifiedLevels": [LEVELS[question]] if cleared else ["FAILED"],
        "slsaVersion": "1.1",
        QUESTION: question.value,
        EXPIRES: seconds(at + valid_for),
        STATE: about.state_digest,
        DECISION: decision,
        CHECKPOINT: checkpoint,
    }
    return Statement(about.subject(), VSA, _plain(predicate))


def inputs_of(facts: Facts, signatures: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Name and digest of each piece of evidence, of the evaluation's raw answer, and of each signed statement."""
    found = [(f"item/{item.key}", evidence.digest) for item in facts.items for evidence in item.evidence]
    if facts.evaluation:
        found.append(("evaluation", facts.evaluation.raw_digest))
    return [*found, *((f"sign-off/{side}", digest) for side, digest in signatures)]


def evaluation(about: About, fact: EvaluationFact) -> Statement:
    """The candidate's run as an in-toto test result. What the judge could not decide is a warning, never a pass."""
    bucket = {"pass": "passedTests", "fail": "failedTests"}.get(fact.outcome, "warnedTests")
    predicate = {
        "result": {"pass": "PASSED", "fail": "FAILED"}.get(fact.outcome, "WARNED"),
        "configuration": [
            {"name": "dataset", "digest": digests(fact.dataset_hash or fact.raw_digest)},
            {"name": f"{fact.tool} {fact.tool_version}", "digest": digests(fact.raw_digest)},
        ],
        "passedTests": [],
        "warnedTests": [],
        "failedTests": [],
    } | {bucket: [fact.metric]}
    return Statement(about.subject(), TEST_RESULT, _plain(predicate))


def sign_off(about: About, signature: Mapping[str, Any]) -> Statement:
    """One person's signature with its statement: in-toto has no accepted predicate for a human's review."""
    return Statement(about.subject(), SIGN_OFF, _plain(signature))


def seconds(at: datetime) -> str:
    """RFC 3339 in whole seconds, as the specification's examples have it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(predicate: Any) -> dict[str, Any]:
    plain: Any = canonical.plain(predicate)
    return dict(plain)
