"""Who may do what, when: pure functions that return the reasons against an act (none: it is allowed).

The action refuses with them, the API answers with them, the page explains its greyed button with them.
"""

from collections.abc import Collection
from dataclasses import dataclass

# May write: systems' parts, versions, policies. What they write another person approves.
EDITORS = ("product", "engineering", "operations")
MAY_CREATE = ("admin", "product", "engineering", "operations", "platform")
MAY_ASSIGN = ("admin", *EDITORS)

LABELS = {"platform": "platform owner"}


@dataclass(frozen=True)
class Reason:
    """Why not, as a sentence a person can act on. `forbidden`: another person could do it now."""

    text: str
    forbidden: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Person:
    """Who asks: the id the record knows them by, and the roles they hold on the system (or everywhere) now."""

    id: str
    roles: frozenset[str]


@dataclass(frozen=True)
class VersionState:
    state: str
    author: str
    reviewer_role: str  # engineering, or product for datasets
    component_retired: bool = False


@dataclass(frozen=True)
class PolicyState:
    state: str
    author: str | None
    weakens: tuple[str, ...]
    approver: str | None
    platform_approver: str | None


def create_system(person: Person) -> list[Reason]:
    """`person.roles`: those for the whole organisation. A system does not exist yet, so no role on it can count."""
    return _needs(person, MAY_CREATE, "for the whole organisation")


def assign_ownership(person: Person) -> list[Reason]:
    return _needs(person, MAY_ASSIGN)


def edit(person: Person) -> list[Reason]:
    """Adding components, drafting versions, proposing policies, retiring a component."""
    return _needs(person, EDITORS)


def draft_version(person: Person, *, component_retired: bool) -> list[Reason]:
    reasons = edit(person)
    if component_retired:
        reasons.append(Reason("The component is retired: nothing new is made of it."))
    return reasons


def submit(person: Person, version: VersionState) -> list[Reason]:
    """Its author hands it over, or another editor in their stead: the author stays who wrote it."""
    reasons = edit(person)
    if version.state != "draft":
        reasons.append(Reason("Only a draft is submitted for review."))
    return reasons


def review(person: Person, version: VersionState) -> list[Reason]:
    """Approving and sending back: the second person."""
    reasons = _needs(person, (version.reviewer_role,))
    if person.id == version.author:
        reasons.append(Reason("You wrote this version. Another person reviews it.", forbidden=True))
    if version.state != "in_review":
        reasons.append(Reason("It is not in review."))
    return reasons


def deprecate(person: Person, version: VersionState) -> list[Reason]:
    reasons = _needs(person, (version.reviewer_role,))
    if version.state != "approved":
        reasons.append(Reason("Only an approved version is deprecated."))
    return reasons


def retire(person: Person, version: VersionState) -> list[Reason]:
    reasons = _needs(person, (version.reviewer_role,))
    if version.state != "deprecated":
        reasons.append(Reason("A version is deprecated first, and retired once nobody uses it any more."))
    return reasons


def propose_policy(person: Person, *, waiting: int | None) -> list[Reason]:
    """`waiting`: number of a proposal that nobody has decided on yet."""
    reasons = edit(person)
    if waiting is not None:
        reasons.append(Reason(f"Version {waiting} waits for a decision. Approve or decline it first."))
    return reasons


def approve_policy(person: Person, policy: PolicyState, *, role: str) -> list[Reason]:
    """Product approves. Where a bar would ask for less than the shipped one, the platform owner approves besides."""
    if role not in ("product", "platform"):
        return [Reason("A policy is approved as product or as platform owner.")]
    reasons = _needs(person, (role,))
    if policy.state != "draft":
        reasons.append(Reason("It has been decided on already."))
    if person.id == policy.author:
        reasons.append(Reason("You proposed it. Another person approves it.", forbidden=True))
    if role == "platform" and not policy.weakens:
        reasons.append(Reason("It weakens no bar, so product's approval is enough."))
    if (policy.approver if role == "product" else policy.platform_approver) is not None:
        reasons.append(Reason(f"It has been approved as {_label(role)} already."))
    if person.id in (policy.approver, policy.platform_approver):
        reasons.append(Reason("You have approved it. The other approval is another person's.", forbidden=True))
    return reasons


def decline_policy(person: Person, policy: PolicyState) -> list[Reason]:
    """Whoever could approve it may say no; its author may take it back."""
    reasons = [] if person.id == policy.author else _needs(person, ("product", "platform"))
    if policy.state != "draft":
        reasons.append(Reason("It has been decided on already."))
    return reasons


def _needs(person: Person, roles: Collection[str], where: str = "on this system") -> list[Reason]:
    if person.roles & set(roles):
        return []
    names = [_label(role) for role in roles]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return [Reason(f"This takes the role {listed} {where}.", forbidden=True)]


def _label(role: str) -> str:
    return LABELS.get(role, role)
