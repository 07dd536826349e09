"""Who may do what, when: pure functions that return the reasons against an act (none = allowed).

The action refuses with them, the API answers with them, the page explains its greyed button with them.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

ENGINEERING, OPERATIONS = "engineering", "operations"
SIDES = (ENGINEERING, OPERATIONS)
# Stopping is safe, so many may; starting again takes two sides.
MAY_FREEZE = ("product", ENGINEERING, OPERATIONS, "platform", "privacy", "compliance")
MAY_MITIGATE = ("product", ENGINEERING, OPERATIONS)
MAY_DRILL = (ENGINEERING, OPERATIONS)
MAY_SWITCH = (ENGINEERING, OPERATIONS)
MAY_RESEND = ("admin", ENGINEERING, OPERATIONS)

LONGEST_SWITCH = timedelta(days=7)
# A degraded mode ends by itself; a stop never does.
EXPIRING = ("degraded", "fallback")


@dataclass(frozen=True)
class Reason:
    """Why not, as a sentence a person can act on. `forbidden`: another person could do it now."""

    text: str
    forbidden: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Person:
    """Who asks: the id the record knows them by, and the roles they hold on the system now."""

    id: str
    roles: frozenset[str]


@dataclass(frozen=True)
class FreezeState:
    mitigated_by: str | None = None
    mitigation_digest: str = ""
    confirmed_by: tuple[tuple[str, str], ...] = ()  # (side, person)
    lifted: bool = False


@dataclass(frozen=True)
class DrillState:
    state: str  # planned | running | ended
    recovered: bool = False
    by_product: bool = False


@dataclass(frozen=True)
class StatusState:
    status: str
    changed_by: str | None
    until: datetime | None = None
    since: datetime | None = None
    reason: str = ""
    step: int | None = None
    plan: int | None = None  # the version of the plan that the step is of
    gives_up: str = ""  # what that step does


@dataclass(frozen=True)
class DeliveryState:
    state: str
    in_flight: bool = False
    channel_off: bool = False


def needs_role(person: Person, roles: Collection[str], act: str) -> list[Reason]:
    if person.roles.isdisjoint(roles):
        return [Reason(f"{act} takes the role {_either(roles)} on this system.", forbidden=True)]
    return []


def impose_freeze(person: Person) -> list[Reason]:
    return needs_role(person, MAY_FREEZE, "Freezing a system")


def record_mitigation(freeze: FreezeState, person: Person) -> list[Reason]:
    return needs_role(person, MAY_MITIGATE, "Recording a mitigation") + _still_frozen(freeze)


def confirm_mitigation(freeze: FreezeState, side: str, person: Person, *, seen: str | None = None) -> list[Reason]:
    """`seen` is the digest of the mitigation that was shown; None where only the button is being drawn."""
    if side not in SIDES:
        return [Reason("A mitigation is confirmed for engineering or for operations.")]
    reasons = needs_role(person, (side,), f"Confirming for {side}") + _still_frozen(freeze)
    if freeze.mitigated_by is None:
        return [*reasons, Reason("No mitigation is recorded yet: record what was done first.")]
    confirmed = dict(freeze.confirmed_by)
    if side in confirmed:
        reasons.append(Reason(f"{side.capitalize()} has confirmed already."))
    elif person.id == freeze.mitigated_by:
        reasons.append(Reason("You recorded this mitigation: somebody else confirms it.", forbidden=True))
    elif person.id in confirmed.values():
        reasons.append(Reason("You confirmed for the other side: another person confirms this one.", forbidden=True))
    if seen is not None and seen != freeze.mitigation_digest:
        reasons.append(Reason("The mitigation was rewritten since you read it. Read it again, then confirm."))
    return reasons


def plan_drill(person: Person) -> list[Reason]:
    return needs_role(person, MAY_DRILL, "Planning a drill")


def start_drill(drill: DrillState, person: Person) -> list[Reason]:
    reasons = needs_role(person, MAY_DRILL, "Running a drill")
    if drill.state == "running":
        reasons.append(Reason("This drill is running already."))
    elif drill.state == "ended":
        reasons.append(Reason("This drill has ended. Plan another one to run it again."))
    return reasons


def during_drill(drill: DrillState, person: Person) -> list[Reason]:
    """Against anything that is done while a drill runs: a line in its timeline, its end."""
    reasons = needs_role(person, MAY_DRILL, "Running a drill")
    if drill.state == "planned":
        reasons.append(Reason("This drill has not started: its clock starts with it."))
    elif drill.state == "ended":
        reasons.append(Reason("This drill has ended and does not change any more."))
    return reasons


def mark_recovered(drill: DrillState, person: Person) -> list[Reason]:
    reasons = during_drill(drill, person)
    if drill.by_product:
        reasons.append(Reason("The product runs this drill, and takes its times itself."))
    if drill.recovered:
        reasons.append(Reason("Recovery is marked already: a measured time is not measured twice."))
    return reasons


def end_drill(drill: DrillState, person: Person, *, outcome: str) -> list[Reason]:
    reasons = during_drill(drill, person)
    if outcome == "passed" and not drill.recovered:
        reasons.append(
            Reason("A drill passes when the service recovered: mark the recovery first, or end it as failed.")
        )
    return reasons


def change_status(
    current: StatusState,
    person: Person,
    *,
    status: str,
    expires_at: datetime | None,
    now: datetime,
    step: int | None = None,
) -> list[Reason]:
    reasons = needs_role(person, MAY_SWITCH, "Switching a system")
    if status in EXPIRING:
        if expires_at is None:
            reasons.append(Reason(f"Say until when the system is {status}: it ends by itself then."))
        elif expires_at <= now:
            reasons.append(Reason("The end lies in the past. Choose a later time."))
        elif expires_at > now + LONGEST_SWITCH:
            reasons.append(Reason("At most seven days ahead: another person renews it then."))
        # Another step within the time that was set renews nothing.
        same = step == current.step or expires_at is None or current.until is None or expires_at > current.until
        if current.status == status and current.changed_by == person.id and same:
            reasons.append(Reason(f"You switched it to {status}: another person renews it.", forbidden=True))
    else:
        if expires_at is not None:
            reasons.append(Reason(f"{status.capitalize()} has no end date: it holds until somebody changes it."))
        if current.status == status and current.step == step:
            reasons.append(Reason(f"The system is {status} already."))
    return reasons


# Who makes which review. Access is decided by whoever runs the list of people.
REVIEWERS = {
    "quarterly_security": ("platform", OPERATIONS),
    "quarterly_compliance": ("compliance", "privacy", "platform"),
    "quarterly_access": ("admin", "platform"),
}
MAY_REVIEW = ("product", ENGINEERING, OPERATIONS)


@dataclass(frozen=True)
class ReviewState:
    kind: str
    done: bool = False
    frozen: bool = False
    undecided: int = 0  # lines of its roster


@dataclass(frozen=True)
class LineState:
    person: str
    decided: bool = False
    review_done: bool = False


def freeze_numbers(review: ReviewState, person: Person) -> list[Reason]:
    reasons = needs_role(person, reviewers(review.kind), "This review") + _still_open(review)
    if review.frozen:
        reasons.append(Reason("The numbers are frozen already, and stay as they are."))
    return reasons


def complete_review(review: ReviewState, person: Person) -> list[Reason]:
    reasons = needs_role(person, reviewers(review.kind), "This review") + _still_open(review)
    if not review.frozen and not review.done:
        reasons.append(Reason("Freeze the numbers first: a review is made on numbers that do not move."))
    if review.undecided:
        lines = "line" if review.undecided == 1 else "lines"
        reasons.append(Reason(f"{review.undecided} {lines} of the roster wait for a decision."))
    return reasons


def decide_line(line: LineState, person: Person) -> list[Reason]:
    reasons = needs_role(person, ("admin",), "Confirming or revoking access")
    if line.decided:
        reasons.append(Reason("This line is decided already."))
    elif line.review_done:
        reasons.append(Reason("This review was made: it does not change any more."))
    if line.person == person.id:
        reasons.append(Reason("Nobody reviews their own access: another admin does.", forbidden=True))
    return reasons


def reviewers(kind: str) -> tuple[str, ...]:
    return REVIEWERS.get(kind, MAY_REVIEW)


def _still_open(review: ReviewState) -> list[Reason]:
    return [Reason("This review was made: it does not change any more.")] if review.done else []


def acknowledge(person: Person, *, alarm: bool, acknowledged: bool) -> list[Reason]:
    reasons = needs_role(person, (*MAY_RESEND, "product", "platform"), "Acknowledging an alarm")
    if not alarm:
        reasons.append(Reason("Only an alarm is acknowledged."))
    if acknowledged:
        reasons.append(Reason("Somebody acknowledged it already."))
    return reasons


@dataclass(frozen=True)
class IncidentState:
    state: str  # open | mitigated | closed
    open_follow_ups: int = 0


def open_incident(person: Person) -> list[Reason]:
    return needs_role(person, (*MAY_FREEZE, "auditor", "admin"), "Opening an incident")


def work_on_incident(incident: IncidentState, person: Person) -> list[Reason]:
    """Against a line in its timeline, a follow-up, an end."""
    reasons = needs_role(person, MAY_FREEZE, "Working on an incident")
    if incident.state == "closed":
        reasons.append(Reason("This incident is closed and does not change any more."))
    return reasons


def mitigate_incident(incident: IncidentState, person: Person) -> list[Reason]:
    reasons = work_on_incident(incident, person)
    if incident.state == "mitigated":
        reasons.append(Reason("It is mitigated already: a measured time is not measured twice."))
    return reasons


def close_incident(incident: IncidentState, person: Person) -> list[Reason]:
    reasons = work_on_incident(incident, person)
    if incident.state == "open":
        reasons.append(Reason("Mark it as mitigated first: a post-mortem looks back."))
    return reasons


def finish_follow_up(person: Person, *, owner: str, done: bool) -> list[Reason]:
    reasons = [] if person.id == owner else needs_role(person, (ENGINEERING, OPERATIONS), "Finishing a follow-up")
    if done:
        reasons.append(Reason("It is done already."))
    return reasons


def keep_risks(person: Person, *, closed: bool = False) -> list[Reason]:
    reasons = needs_role(person, MAY_FREEZE, "Changing the risk register")
    if closed:
        reasons.append(Reason("This risk is closed. Add it again where it came back."))
    return reasons


def write_runbook(person: Person) -> list[Reason]:
    return needs_role(person, (ENGINEERING, OPERATIONS), "Writing a runbook")


def set_budget(person: Person) -> list[Reason]:
    return needs_role(person, ("product", OPERATIONS), "Setting the budget of a tenant")


def resend(delivery: DeliveryState, person: Person) -> list[Reason]:
    reasons = needs_role(person, MAY_RESEND, "Sending again")
    if delivery.channel_off:
        reasons.append(Reason("The channel is switched off. Switch it on first."))
    if delivery.in_flight or delivery.state == "waiting":
        reasons.append(Reason("It is on its way already."))
    return reasons


def manage_channel(person: Person) -> list[Reason]:
    return needs_role(person, ("admin",), "Changing where notifications go")


def send_test(person: Person, *, off: bool) -> list[Reason]:
    reasons = needs_role(person, MAY_RESEND, "Sending a test")
    if off:
        reasons.append(Reason("The channel is switched off. Switch it on first."))
    return reasons


def _still_frozen(freeze: FreezeState) -> list[Reason]:
    return [Reason("This freeze was lifted: nothing is left to do.")] if freeze.lifted else []


def _either(roles: Collection[str]) -> str:
    names = list(roles)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
