"""Clearance: a go, and two different people who hold the two sides now and signed exactly this state."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases import gate
from releases.gate.clearance import missing_signatures
from releases.gate.types import Outcome, SignatureFact
from systems.policy import ReleaseBars
from tests.releases.sample_facts import NOW, digest, go_facts

BARS = ReleaseBars()
GO = gate.judge(go_facts(), BARS, now=NOW)
STATE = digest("1")


def signature(side: str, signer: str, **changes: object) -> SignatureFact:
    whole = SignatureFact(side, signer, STATE, NOW, "passkey", False, True, False)
    return replace(whole, **changes)  # type: ignore[arg-type]


def missing(*signatures: SignatureFact, verdict=GO, bars=BARS, state=STATE) -> list[str]:
    return [reason.code for reason in missing_signatures(verdict, signatures, state_digest=state, bars=bars)]


def test_both_sides_by_two_people_clear_it():
    assert missing(signature("engineering", "ann"), signature("operations", "ben")) == []


def test_one_side_is_not_enough():
    assert missing() == ["sign-off-missing", "sign-off-missing"]
    assert missing(signature("engineering", "ann")) == ["sign-off-missing"]


def test_one_person_is_not_two():
    assert missing(signature("engineering", "ann"), signature("operations", "ann")) == ["sign-off-same-person"]


def test_signatures_that_do_not_count():
    good = signature("operations", "ben")
    for change in ({"voided": True}, {"holds_role": False}, {"is_author": True}, {"state_digest": digest("2")}):
        assert missing(signature("engineering", "ann", **change), good) == ["sign-off-missing"], change


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (({"voided": True},), "Engineering signed an earlier state. It changed since"),
        (({"state_digest": digest("2")}, {"holds_role": False}), "Engineering signed an earlier state."),
        (({"holds_role": False},), "The person who signed for engineering no longer holds that role."),
        (({"is_author": True},), "An author of the release signed for engineering"),
        ((), "Engineering has not signed."),
    ],
)
def test_what_is_missing_is_said_with_its_reason(changes, words):
    signed = [signature("engineering", "ann", **change) for change in changes]
    rows = [*signed, signature("operations", "ben")]
    [reason] = missing_signatures(GO, rows, state_digest=STATE, bars=BARS)
    assert reason.sentence.startswith(words)


def test_a_no_go_without_a_reason_is_still_a_no_go():
    silent = replace(GO, outcome=Outcome.NO_GO)
    assert missing(signature("engineering", "ann"), signature("operations", "ben"), verdict=silent) == ["no-go"]


def test_a_policy_may_let_an_author_sign_their_own_side():
    bars = replace(BARS, author_may_sign_own_side=True)
    signed = signature("engineering", "ann", is_author=True), signature("operations", "ben")
    assert missing(*signed, bars=bars) == []


def test_no_state_nothing_signed():
    assert missing(signature("engineering", "ann"), signature("operations", "ben"), state="") == ["no-state"]


def test_a_no_go_is_never_cleared_whoever_signed():
    refused = gate.judge(replace(go_facts(), budget=None), BARS, now=NOW)
    assert missing(signature("engineering", "ann"), signature("operations", "ben"), verdict=refused)


@given(st.lists(st.tuples(st.sampled_from(["engineering", "operations"]), st.sampled_from("abcd")), max_size=6))
def test_agrees_with_brute_force_over_who_signed_what(signed):
    """Overlapping groups: some assignment of two different people to the two sides exists, or it is not cleared."""
    possible = any(
        a[0] == "engineering" and b[0] == "operations" and a[1] != b[1] for a, b in itertools.permutations(signed, 2)
    )
    assert (missing(*(signature(side, who) for side, who in signed)) == []) == possible
