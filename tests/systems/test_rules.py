import dataclasses

import pytest

from systems import rules
from systems.rules import Person, PolicyState, Reason, VersionState
from tests.factories import NOW

ENGINEER = Person("e", frozenset({"engineering"}))
ENGINEER2 = Person("e2", frozenset({"engineering"}))
PRODUCT = Person("p", frozenset({"product"}))
PRODUCT2 = Person("p2", frozenset({"product"}))
PLATFORM = Person("o", frozenset({"platform"}))
AUDITOR = Person("a", frozenset({"auditor"}))
ADMIN = Person("r", frozenset({"admin"}))
EVERYTHING = Person("all", frozenset({"product", "platform", "engineering"}))

IN_REVIEW = VersionState("in_review", author="e", reviewer_role="engineering")
PROPOSED = PolicyState("draft", author="e", weakens=(), approver=None, platform_approver=None)
WEAKER = dataclasses.replace(PROPOSED, weakens=("error_rate_max",))


def texts(reasons: list[Reason]) -> str:
    return " ".join(reason.text for reason in reasons)


def test_a_second_person_with_the_right_role_reviews() -> None:
    assert rules.review(ENGINEER2, IN_REVIEW) == []
    assert "Another person reviews it" in texts(rules.review(ENGINEER, IN_REVIEW))
    assert "role engineering" in texts(rules.review(PRODUCT, IN_REVIEW))
    assert "role engineering" in texts(rules.review(ADMIN, IN_REVIEW)), "an admin reviews nothing by being admin"
    dataset = dataclasses.replace(IN_REVIEW, reviewer_role="product")
    assert rules.review(PRODUCT, dataset) == []
    assert "role product" in texts(rules.review(ENGINEER2, dataset))


@pytest.mark.parametrize("state", ["draft", "approved", "deprecated", "retired"])
def test_only_what_is_in_review_is_reviewed(state: str) -> None:
    reasons = rules.review(ENGINEER2, dataclasses.replace(IN_REVIEW, state=state))
    assert texts(reasons) == "It is not in review."
    assert not reasons[0].forbidden, "nobody else could do it either"


def test_a_version_goes_one_way() -> None:
    def at(state: str) -> VersionState:
        return dataclasses.replace(IN_REVIEW, state=state)

    assert rules.submit(ENGINEER2, at("draft")) == []
    assert rules.submit(ENGINEER2, at("approved"))
    assert rules.deprecate(ENGINEER, at("approved")) == []
    assert rules.deprecate(ENGINEER, at("draft"))
    assert rules.retire(ENGINEER, at("deprecated"), now=NOW) == []
    assert "deprecated first" in texts(rules.retire(ENGINEER, at("approved"), now=NOW))


@pytest.mark.parametrize("person", [AUDITOR, ADMIN, PLATFORM])
def test_only_editors_write(person: Person) -> None:
    for reasons in (
        rules.edit(person),
        rules.draft_version(person, component_retired=False),
        rules.submit(person, dataclasses.replace(IN_REVIEW, state="draft")),
        rules.propose_policy(person, waiting=None),
    ):
        assert reasons
        assert reasons[0].forbidden


def test_nothing_new_is_made_of_a_retired_component() -> None:
    assert "retired" in texts(rules.draft_version(ENGINEER, component_retired=True))


def test_product_approves_a_policy_that_another_proposed() -> None:
    assert rules.approve_policy(PRODUCT, PROPOSED, role="product") == []
    assert "role product" in texts(rules.approve_policy(ENGINEER2, PROPOSED, role="product"))
    own = dataclasses.replace(PROPOSED, author="p")
    assert "You proposed it" in texts(rules.approve_policy(PRODUCT, own, role="product"))
    decided = dataclasses.replace(PROPOSED, state="approved", approver="p2")
    assert "decided" in texts(rules.approve_policy(PRODUCT, decided, role="product"))


def test_asking_for_less_takes_the_platform_owner_too_and_two_people() -> None:
    assert rules.approve_policy(PLATFORM, WEAKER, role="platform") == []
    assert "product's approval is enough" in texts(rules.approve_policy(PLATFORM, PROPOSED, role="platform"))
    approved = dataclasses.replace(WEAKER, approver="all")
    assert "other approval" in texts(rules.approve_policy(EVERYTHING, approved, role="platform"))
    assert "already" in texts(rules.approve_policy(PRODUCT2, approved, role="product"))
    assert rules.approve_policy(PLATFORM, approved, role="platform") == []
    assert rules.approve_policy(PLATFORM, approved, role="engineering")


def test_declining_is_for_approvers_and_the_author() -> None:
    assert rules.decline_policy(PRODUCT, PROPOSED) == []
    assert rules.decline_policy(ENGINEER, PROPOSED) == []
    assert rules.decline_policy(ENGINEER2, PROPOSED)
    assert rules.decline_policy(PRODUCT, dataclasses.replace(PROPOSED, state="declined"))


def test_one_proposal_at_a_time() -> None:
    assert "Version 4 waits" in texts(rules.propose_policy(ENGINEER, waiting=4))


def test_creating_takes_a_role_for_the_organisation() -> None:
    assert rules.create_system(ADMIN) == []
    assert "for the whole organisation" in texts(rules.create_system(AUDITOR))
    assert "platform owner" in texts(rules.create_system(AUDITOR))
