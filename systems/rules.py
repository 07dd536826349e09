"""Who may do what, when: pure functions that return the reasons against an act (none: it is allowed).

The action refuses with them, the API answers with them, the page explains its greyed button with them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

# May write: systems' parts, versions, policies. What they write another person approves.
EDITORS = ("product", "engineering", "operations")
MAY_CREATE = ("admin", "product", "engineering", "operations", "platform")
MAY_ASSIGN = ("admin", *EDITORS)

# Answer for what is kept of the traffic.
GUARDIANS = ("privacy", "platform")

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
    deprecated_until: datetime | None = None
    breaks: tuple[str, ...] = ()  # against the newest reviewed version, as computed now
    has_compatibility_note: bool = False
    consumers: tuple[str, ...] = ()


@dataclass(frozen=True)
class EnvironmentState:
    state: str  # waiting, ok, ended
    proposer: str
    proposed_as: str  # admin or platform


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
    return reasons + _compatible(version)


def _compatible(version: VersionState) -> list[Reason]:
    """A breaking change says what others have to change, and how long the old form still counts."""
    if not version.breaks or version.has_compatibility_note:
        return []
    return [
        Reason(f"It breaks others ({version.breaks[0]}). Write a compatibility note and a deprecation window first.")
    ]


def review(person: Person, version: VersionState) -> list[Reason]:
    """Approving and sending back: the second person."""
    reasons = _needs(person, (version.reviewer_role,))
    if person.id == version.author:
        reasons.append(Reason("You wrote this version. Another person reviews it.", forbidden=True))
    if version.state != "in_review":
        reasons.append(Reason("It is not in review."))
    return reasons


def approve(person: Person, version: VersionState) -> list[Reason]:
    return review(person, version) + _compatible(version)


def write_compatibility(person: Person, version: VersionState) -> list[Reason]:
    reasons = edit(person)
    if version.state not in ("draft", "in_review"):
        reasons.append(Reason("It is reviewed already; its compatibility note was reviewed with it."))
    return reasons


def deprecate(person: Person, version: VersionState) -> list[Reason]:
    reasons = _needs(person, (version.reviewer_role,))
    if version.state != "approved":
        reasons.append(Reason("Only an approved version is deprecated."))
    return reasons


def retire(person: Person, version: VersionState, *, now: datetime) -> list[Reason]:
    reasons = _needs(person, (version.reviewer_role,))
    if version.state != "deprecated":
        reasons.append(Reason("A version is deprecated first, and retired once nobody uses it any more."))
    if version.deprecated_until is not None and now < version.deprecated_until:
        reasons.append(Reason(f"Its deprecation window ends on {version.deprecated_until:%-d %B %Y}. Not before."))
    return reasons


def acknowledge(person: Person, *, contact: str | None, note: str, done: bool) -> list[Reason]:
    """The contact of a consumer says so themselves; an editor records it for them, with where they said so."""
    if done:
        return [Reason("It is acknowledged already.")]
    if person.id == contact:
        return []
    reasons = edit(person)
    if not reasons and not note.strip():
        reasons.append(Reason("You are not this consumer's contact. Say where they acknowledged it."))
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


def set_data_policy(person: Person, *, looser: Collection[str]) -> list[Reason]:
    """Whoever builds may keep less of the traffic; to keep or let through more takes who answers for it."""
    if looser:
        return _needs(person, GUARDIANS, f"on this system, to loosen {', '.join(sorted(looser))}")
    return _needs(person, (*EDITORS, *GUARDIANS))


AGREEING = ("admin", "platform")


def propose_environment(person: Person) -> list[Reason]:
    """An environment that is no production: proposed by one of the two, confirmed by the other."""
    return _needs(person, AGREEING)


def confirm_environment(person: Person, environment: EnvironmentState, *, actor: str) -> list[Reason]:
    other = "platform" if environment.proposed_as == "admin" else "admin"
    reasons = _needs(person, (other,))
    if environment.state != "waiting":
        reasons.append(Reason("It has been decided on already."))
    if actor == environment.proposer:
        reasons.append(Reason("You proposed it. Another person confirms it.", forbidden=True))
    return reasons


def end_environment(person: Person, environment: EnvironmentState) -> list[Reason]:
    reasons = _needs(person, (*AGREEING, *EDITORS))
    if environment.state == "ended":
        reasons.append(Reason("It counts as production already."))
    return reasons


def _needs(person: Person, roles: Collection[str], where: str = "on this system") -> list[Reason]:
    if person.roles & set(roles):
        return []
    names = [_label(role) for role in roles]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return [Reason(f"This takes the role {listed} {where}.", forbidden=True)]


def _label(role: str) -> str:
    return LABELS.get(role, role)
