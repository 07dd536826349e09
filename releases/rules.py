"""Who may do what, and when. Each `..._refusals` returns every reason why not; an empty tuple means yes.

The POST refuses with them, the API answers them, the page shows them beside the greyed button: one rule, three uses.
Pure functions over small frozen views of what is stored.
"""

from dataclasses import dataclass

EDITORS = frozenset({"product", "engineering", "operations"})
SIDES = frozenset({"engineering", "operations"})
# Who signs a section beside the two sides: security, privacy, regulated data. Clearance counts the sides alone; what a
# section demands stands in the checklist, as items that only its owner verifies.
SECTIONS = frozenset({"platform", "privacy", "compliance"})
OPEN = frozenset({"draft", "pre-production"})
IN_ROLLOUT = frozenset({"shadow", "canary"})


@dataclass(frozen=True)
class Person:
    id: str
    roles: frozenset[str]


@dataclass(frozen=True)
class ItemView:
    """What the rules of one item need to know about it."""

    owner: str | None
    owner_role: str
    side: str
    verification: str
    conditional: bool
    release_state: str
    asked_after_start: bool  # launch and post-launch items stay open while the release runs
    attached_by: frozenset[str]
    not_applicable_by: str | None


def edit_refusals(person: Person, *, release_state: str) -> tuple[str, ...]:
    """Opening, pinning, planning, answering."""
    reasons = []
    if person.roles.isdisjoint(EDITORS):
        reasons.append("Only product, engineering and operations of this system may change a release.")
    if release_state not in OPEN:
        reasons.append("From the start of the rollout on, pins, plan and answers are fixed. Open another release.")
    return tuple(reasons)


def _item_closed(item: ItemView) -> list[str]:
    if item.release_state in OPEN or (item.asked_after_start and item.release_state in IN_ROLLOUT | {"live"}):
        return []
    return ["The question that this item belongs to is closed. It can no longer be changed."]


def attach_refusals(person: Person, item: ItemView) -> tuple[str, ...]:
    reasons = _item_closed(item)
    if item.verification == "auto":
        reasons.append("The product verifies this item itself, from what it measures.")
    if person.id != item.owner and person.roles.isdisjoint(EDITORS | {item.owner_role}):
        reasons.append("Only product, engineering, operations and the item's owner attach evidence.")
    return tuple(reasons)


def assign_refusals(person: Person, item: ItemView) -> tuple[str, ...]:
    reasons = _item_closed(item)
    if person.roles.isdisjoint(EDITORS):
        reasons.append("Only product, engineering and operations of this system assign items.")
    return tuple(reasons)


def verify_refusals(person: Person, item: ItemView, *, somebody_else_holds: bool) -> tuple[str, ...]:
    """Verifying and sending back: another person than the one who attached, with the owner's role or its side's.

    Where nobody else holds either role, the other side may.
    """
    reasons = _item_closed(item)
    if item.verification == "auto":
        reasons.append("The product verifies this item itself, from what it measures.")
    if item.owner is None:
        reasons.append("The item has no owner. Assign one first.")
    if not item.attached_by:
        reasons.append("There is no evidence to verify.")
    if person.id in item.attached_by:
        reasons.append("You attached this evidence. Another person verifies it.")
    reasons += _second_person(person, item, somebody_else_holds)
    return tuple(reasons)


def propose_refusals(person: Person, item: ItemView) -> tuple[str, ...]:
    reasons = _item_closed(item)
    if not item.conditional:
        reasons.append("The standard asks this of every release: it cannot be set not applicable.")
    if person.id != item.owner and person.roles.isdisjoint(EDITORS):
        reasons.append("Only product, engineering, operations and the item's owner propose that.")
    return tuple(reasons)


def confirm_refusals(person: Person, item: ItemView, *, somebody_else_holds: bool) -> tuple[str, ...]:
    reasons = _item_closed(item)
    if item.not_applicable_by is None:
        reasons.append("Nobody has proposed that this does not apply.")
    if person.id == item.not_applicable_by:
        reasons.append("You proposed it. Another person confirms it.")
    reasons += _second_person(person, item, somebody_else_holds)
    return tuple(reasons)


def _second_person(person: Person, item: ItemView, somebody_else_holds: bool) -> list[str]:
    wanted = {item.owner_role, item.side}
    if not person.roles.isdisjoint(wanted):
        return []
    if not somebody_else_holds and not person.roles.isdisjoint(SIDES):
        return []
    return [f"This takes the role {' or '.join(sorted(wanted))}."]


def write_standard_refusals(person: Person) -> tuple[str, ...]:
    """Drafting, changing, submitting, giving up: of a standard of one system, or of the whole organisation."""
    if person.roles.isdisjoint(EDITORS):
        return ("Only product, engineering and operations write a standard, each where they hold the role.",)
    return ()


def approve_standard_refusals(
    person: Person, role: str, *, submitted: bool, authors: frozenset[str], weakens: bool, others: frozenset[str]
) -> tuple[str, ...]:
    if role not in ("product", "platform"):
        return ("A standard is approved as product or as platform owner.",)
    reasons = []
    if role not in person.roles:
        reasons.append(f"Approving this takes the role {role}.")
    if not submitted:
        reasons.append("It is not submitted.")
    if person.id in authors:
        reasons.append("You wrote in this draft. Another person approves it.")
    if person.id in others:
        reasons.append("You have approved it already. Two different people approve.")
    if role == "platform" and not weakens:
        reasons.append("It weakens nothing, so product's approval is enough.")
    return tuple(reasons)


@dataclass(frozen=True)
class SigningView:
    """What the rules of signing need to know about a release and one of its questions."""

    release_state: str
    question: str
    question_open: bool
    go: bool
    authors: frozenset[str]
    other_side_signers: frozenset[str]  # people who hold the other side of this release, for either question
    already_signed: bool
    author_may_sign_own_side: bool


def sign_refusals(person: Person, side: str, view: SigningView) -> tuple[str, ...]:
    reasons = []
    if side not in SIDES | SECTIONS:
        reasons.append(
            "There are two sides, engineering and operations, and sections for platform, privacy, compliance."
        )
    elif side not in person.roles:
        reasons.append(f"Signing for {side} takes the role {side} on this system.")
    if not view.question_open:
        reasons.append("This question is closed: its decision and signatures are frozen.")
    elif view.release_state == "draft":
        reasons.append("The release is a draft. Begin the review first.")
    elif view.question == "release" and view.release_state != "canary":
        reasons.append("The second signature is given during the rollout, to what it showed.")
    if person.id in view.authors and not view.author_may_sign_own_side:
        reasons.append("You are an author of this release. Its authors sign neither side.")
    if person.id in view.other_side_signers:
        reasons.append("You signed the other side of this release, or a section. Different people sign.")
    if view.already_signed:
        reasons.append("You have signed exactly this state already.")
    if not view.go:
        reasons.append("The verdict is no-go. A signature needs a go to sign.")
    return tuple(reasons)


def reject_refusals(person: Person, side: str, *, question_open: bool, already: bool) -> tuple[str, ...]:
    reasons = []
    if side not in SIDES or side not in person.roles:
        reasons.append(f"Rejecting for {side} takes the role {side} on this system.")
    if not question_open:
        reasons.append("Nothing is open to be rejected. To stop a running release, roll it back.")
    if already:
        reasons.append("You have rejected it already.")
    return tuple(reasons)


def lift_refusals(person: Person, *, side: str, author: str, author_holds_role: bool) -> tuple[str, ...]:
    """A rejection is lifted by its author or, that role ended, by another holder of it."""
    if person.id == author:
        return ()
    if author_holds_role:
        return ("Only the person who rejected it lifts the rejection, as long as they hold the role.",)
    return () if side in person.roles else (f"Lifting it takes the role {side} on this system.",)


def start_refusals(
    person: Person,
    *,
    release_state: str,
    cleared: bool,
    other_in_rollout: str | None,
    has_plan: bool,
    shadow_missing: bool = False,
) -> tuple[str, ...]:
    reasons = []
    if person.roles.isdisjoint(SIDES):
        reasons.append("Only engineering and operations of this system start a rollout.")
    if release_state != "pre-production":
        reasons.append("A rollout starts from pre-production.")
    if not has_plan:
        reasons.append("There is no rollout plan.")
    if other_in_rollout:
        reasons.append(f"Release {other_in_rollout} is in canary or shadow. One at a time.")
    if shadow_missing:
        reasons.append("The plan begins with a shadow run, and none has passed with what the release is made of now.")
    if not cleared:
        reasons.append("There is no clearance: a go, signed by both sides, is needed.")
    return tuple(reasons)


def shadow_refusals(
    person: Person, *, release_state: str, go: bool, other_in_rollout: str | None, planned: bool, live: bool
) -> tuple[str, ...]:
    """Nobody sees a shadow run's answers, so it asks the verdict only, and no signatures."""
    reasons = []
    if person.roles.isdisjoint(SIDES):
        reasons.append("Only engineering and operations of this system start a shadow run.")
    if release_state != "pre-production":
        reasons.append("A shadow run starts from pre-production.")
    if not planned:
        reasons.append("The plan has no shadow run.")
    if not live:
        reasons.append("No release is live, so there is nothing to run beside: a first release starts with its canary.")
    if other_in_rollout:
        reasons.append(f"Release {other_in_rollout} is in canary or shadow. One at a time.")
    if not go:
        reasons.append("The verdict is no-go.")
    return tuple(reasons)


def end_shadow_refusals(person: Person, *, release_state: str) -> tuple[str, ...]:
    reasons = []
    if person.roles.isdisjoint(SIDES):
        reasons.append("Only engineering and operations of this system end a shadow run.")
    if release_state != "shadow":
        reasons.append("No shadow run is going on.")
    return tuple(reasons)


def promote_refusals(person: Person, *, release_state: str, cleared: bool) -> tuple[str, ...]:
    reasons = []
    if person.roles.isdisjoint(SIDES):
        reasons.append("Only engineering and operations of this system promote a release.")
    if release_state != "canary":
        reasons.append("Only a release in canary can be promoted.")
    if not cleared:
        reasons.append("There is no clearance: a go, signed by both sides, is needed.")
    return tuple(reasons)


def roll_back_refusals(person: Person, *, release_state: str) -> tuple[str, ...]:
    """Never gated: whoever holds operations or engineering does it at once."""
    reasons = []
    if person.roles.isdisjoint(SIDES):
        reasons.append("Only engineering and operations of this system roll back.")
    if release_state not in IN_ROLLOUT | {"live"}:
        reasons.append("Only a release in shadow, canary or live can be rolled back.")
    return tuple(reasons)


def abandon_refusals(person: Person, *, release_state: str) -> tuple[str, ...]:
    reasons = list(edit_refusals(person, release_state="draft"))
    if release_state not in OPEN:
        reasons.append("A release that has met users is rolled back, not abandoned.")
    return tuple(reasons)
