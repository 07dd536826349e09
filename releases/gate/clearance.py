"""Clearance: the verdict is go, and both sides have signed the present state. Pure, like the gate."""

from collections.abc import Sequence

from releases.gate.types import Reason, SignatureFact, Verdict
from systems.policy import ReleaseBars

SIDES = ("engineering", "operations")


def missing_signatures(
    verdict: Verdict, signatures: Sequence[SignatureFact], *, state_digest: str, bars: ReleaseBars
) -> tuple[Reason, ...]:
    """What is missing before pipelines, canary start and promotion may go on. Empty means cleared.

    Two different people, one for each side, each holding that side's role now, each having signed exactly this state.
    """
    if not state_digest:
        return (
            Reason("no-state", "The state has no digest, so nothing can have been signed.", "engineering", "sign-off"),
        )
    reasons = list(verdict.reasons)
    counting = {
        side: {s.signer for s in signatures if s.side == side and _counts(s, state_digest, bars)} for side in SIDES
    }
    for side in SIDES:
        if not counting[side]:
            reasons.append(
                Reason("sign-off-missing", _why_missing(side, signatures, state_digest, bars), side, "sign-off")
            )
    if all(counting.values()) and not any(a != b for a in counting[SIDES[0]] for b in counting[SIDES[1]]):
        sentence = "The same person signed both sides. Two different people sign."
        reasons.append(Reason("sign-off-same-person", sentence, "engineering and operations", "sign-off"))
    if not verdict.go and not verdict.reasons:
        reasons.append(Reason("no-go", "The verdict is no-go.", "engineering", "sign-off"))
    return tuple(reasons)


def _counts(signature: SignatureFact, state_digest: str, bars: ReleaseBars) -> bool:
    if signature.voided or not signature.holds_role or signature.state_digest != state_digest:
        return False
    return bars.author_may_sign_own_side or not signature.is_author


def _why_missing(side: str, signatures: Sequence[SignatureFact], state_digest: str, bars: ReleaseBars) -> str:
    own = [signature for signature in signatures if signature.side == side]
    if any(s.state_digest != state_digest or s.voided for s in own):
        return f"{side.capitalize()} signed an earlier state. It changed since, so the signature is void."
    if any(not s.holds_role for s in own):
        return f"The person who signed for {side} no longer holds that role."
    if own:
        return f"An author of the release signed for {side}, which the policy does not allow."
    return f"{side.capitalize()} has not signed."
