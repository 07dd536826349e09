"""What people hear of, in which words, and who. One row per topic; a new topic is a new row."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, reverse

BUILDERS = ("product", "engineering", "operations")
SIGNERS = ("engineering", "operations")
EVERY_SIGNER = ("product", "engineering", "operations", "platform", "privacy", "compliance")


@dataclass(frozen=True)
class Presenter:
    label: str  # how the channel's settings name the topic
    title: str
    body: str
    roles: tuple[str, ...]  # whose holders hear of it by e-mail
    alarm: bool = False  # its delay counts
    machine: bool = False  # programs act on it: a webhook carries the event's payload
    page: str = "release"  # release | version | system | people | ledger: what the link opens


TOPICS: dict[str, Presenter] = {
    "releases.review-began": Presenter(
        "Release in review",
        "{label} of {system} is in review",
        "Its checklist, and what only you can clear, are on the release's page.",
        BUILDERS,
    ),
    "releases.sign-off-requested": Presenter(
        "Sign-off asked for",
        "{label} of {system} waits for your sign-off",
        "Its verdict, its evidence and what you would sign are on the release's page.",
        SIGNERS,
    ),
    "releases.sign-off-reminder": Presenter(
        "Sign-off overdue",
        "{label} of {system} still waits for your sign-off",
        "It was asked for {days} days ago. Nothing else stands in its way.",
        SIGNERS,
    ),
    "releases.verified": Presenter(
        "Item verified",
        "{item} of {system} {label} was verified",
        "One item less stands between this release and its sign-off.",
        (),
    ),
    "releases.sent-back": Presenter(
        "Item sent back",
        "{item} of {system} {label} was sent back",
        "Its reason is on the item. It blocks until other evidence is attached and verified.",
        BUILDERS,
    ),
    "releases.signed": Presenter(
        "Signed",
        "{label} of {system} was signed for {side}",
        "The question it answers: {question}.",
        BUILDERS,
    ),
    "releases.bundle-made": Presenter(
        "Bundle made",
        "The bundle of {label} of {system} is there",
        "Everything that the decision on the {question} question rests on, with its proofs. Its digest: {digest}.",
        (),
    ),
    "releases.rejected": Presenter(
        "Rejected",
        "{label} of {system} was rejected by {side}",
        "A rejection stands until its author, or another holder of that role, lifts it.",
        BUILDERS,
    ),
    "releases.voided": Presenter(
        "Sign-off voided",
        "A sign-off for {side} of {system} {label} does not count any more",
        "Why: {why} The release waits for a new signature.",
        SIGNERS,
    ),
    "releases.canary-started": Presenter(
        "Canary started",
        "{label} of {system} meets its first users",
        "The canary is watched once a minute; a breach is told at once.",
        BUILDERS,
    ),
    "releases.promoted": Presenter(
        "Promoted",
        "{label} of {system} serves everybody",
        "Its decision and its bundle are stored. The review after launch is due within seven days.",
        BUILDERS,
    ),
    "releases.rolled-back": Presenter(
        "Rolled back",
        "{label} of {system} was rolled back",
        "Why: {reason} {serves}",
        (*BUILDERS, "platform"),
    ),
    "releases.canary-breach": Presenter(
        "Canary breach",
        "The canary {label} of {system} broke a limit and was rolled back",
        "{reason} {serves}",
        SIGNERS,
        alarm=True,
    ),
    "releases.evidence-expired": Presenter(
        "Evidence expired",
        "Evidence of {system} {label} has expired",
        "{title}, which backs {item}, is not valid any more. The item blocks until newer evidence is verified.",
        BUILDERS,
        alarm=True,
    ),
    "releases.instruction": Presenter(
        "Instruction to the deploy system",
        "{label} of {system}: {order}",
        "{reason} Acknowledge it by its id, {instruction}.",
        (),
        machine=True,
    ),
    "releases.instruction-failed": Presenter(
        "Instruction not carried out",
        "{label} of {system}: not carried out: {order}",
        "{why} Do it by hand, and see whether traffic follows.",
        SIGNERS,
        alarm=True,
    ),
    "releases.shadow-ended": Presenter(
        "Shadow run ended",
        "The shadow run of {label} of {system} ended: {outcome}",
        "{reason}",
        BUILDERS,
    ),
    "systems.version-submitted": Presenter(
        "Version to review",
        "{component} version {number} of {system} waits for its review",
        "It takes another person than its author. Until then no release can pin it.",
        (),
        page="version",
    ),
    "systems.version-announced": Presenter(
        "New version announced",
        "{component} version {number} of {system} is approved",
        "{breaking} {compatibility_note} It is announced to {told}; whoever answers for one of them acknowledges it.",
        (),
        page="version",
    ),
    "accounts.role-granted": Presenter(
        "Role granted",
        "{name} was granted the role {role}",
        "Granted on {where}. Roles that verify or sign are announced to everybody who signs, and count once a second "
        "person has confirmed them. If this surprises you, ask an admin.",
        EVERY_SIGNER,
        page="people",
    ),
    "accounts.role-confirmed": Presenter(
        "Role confirmed",
        "{name} holds the role {role} now",
        "A second person confirmed it, on {where}.",
        EVERY_SIGNER,
        page="people",
    ),
    "accounts.factors-reset": Presenter(
        "Second factor reset",
        "The second factor of {name} was reset",
        "Until a new one is enrolled, this person neither signs nor verifies. If this surprises you, ask an admin.",
        EVERY_SIGNER,
        page="people",
    ),
    "audit.unapproved-traffic": Presenter(
        "Unapproved traffic",
        "{where} serves something that nobody approved",
        "{requests} requests in {environment} carry a prompt, model, schema or release that no approved release names.",
        SIGNERS,
        alarm=True,
        page="system",
    ),
    "audit.share-exceeded": Presenter(
        "Canary above its share",
        "{label} of {where} gets {seen} of the traffic; {planned} was planned",
        "{requests} of {all_requests} requests since the last hour. More users meet it than both sides signed for: see "
        "what routes them, or roll it back.",
        SIGNERS,
        alarm=True,
    ),
    "audit.unsafe-logging": Presenter(
        "Unsafe logging",
        "{where} tries to log what its data policy denies",
        "{attempts} times in {environment}: {what}. It was not stored; mend the application that sends it.",
        ("engineering", "operations", "privacy", "platform"),
        alarm=True,
        page="system",
    ),
    "audit.environment-over": Presenter(
        "Test or shadow environment over its volume",
        "{environment} of {where} counts as production again",
        "{said} From now on its requests count in rates, objectives and alarms. Agree on a new volume, or stop it.",
        ("admin", "engineering", "operations", "platform"),
        alarm=True,
        page="system",
    ),
    "audit.ledger-stopped": Presenter(
        "Trouble with the ledger",
        "The ledger takes no more entries",
        "{reason} Nothing can be decided until this is understood. Keep the database and its backups as they are.",
        ("admin", "auditor", "platform"),
        alarm=True,
        page="ledger",
    ),
    # Told by this package itself, which words them where they arise; here for the channels' settings.
    "operations.budget-alert": Presenter("Budget alert", "", "", (), page="system"),
    "operations.budget-exceeded": Presenter("Budget exceeded", "", "", (), page="system"),
    "operations.frozen": Presenter("System frozen", "", "", (), page="system"),
    "operations.freeze-lifted": Presenter("Freeze lifted", "", "", (), page="system"),
    "operations.status-changed": Presenter("Status changed", "", "", (), page="system"),
    "operations.error-rate": Presenter("Error rate", "", "", (), page="system"),
    "operations.schema-failure": Presenter("Schema failures", "", "", (), page="system"),
    "operations.silence": Presenter("No traffic", "", "", (), page="system"),
    "operations.cost-spike": Presenter("Cost spike", "", "", (), page="system"),
    "operations.drift": Presenter("Drift", "", "", (), page="system"),
    "operations.tenant-alert": Presenter("Tenant budget alert", "", "", (), page="system"),
    "operations.tenant-exceeded": Presenter("Tenant budget exceeded", "", "", (), page="system"),
    "operations.review-due": Presenter("Review due", "", "", (), page="system"),
    "operations.review-overdue": Presenter("Review overdue", "", "", (), page="system"),
    "operations.follow-up-due": Presenter("Follow-up due", "", "", (), page="system"),
    "operations.drill-due": Presenter("Drill due", "", "", (), page="system"),
    "operations.drill-lapsed": Presenter("Drill lapsed", "", "", (), page="system"),
    "operations.rollback-drill": Presenter("Rollback drill, for its deploy system", "", "", (), page="system"),
    "operations.risk-due": Presenter("Risk to look at again", "", "", (), page="system"),
    "operations.incident-opened": Presenter("Incident opened", "", "", (), page="system"),
    "operations.incident-closed": Presenter("Incident closed", "", "", (), page="system"),
    "operations.escalated": Presenter("Escalated alarm", "", "", (), page="system"),
    "operations.missed-beat": Presenter("Missed beat", "", "", (), page="system"),
}

# Topics of other packages, which reach people through the outbox.
HEARD = tuple(topic for topic, presenter in TOPICS.items() if presenter.title)

CHOICES = [(topic, presenter.label) for topic, presenter in TOPICS.items()]


def sentences(topic: str, words: Mapping[str, Any]) -> tuple[str, str]:
    """Title and body of an event. A word that the event does not carry is left out, never an error: an alarm with a
    gap in its sentence is better than none."""
    presenter = TOPICS[topic]
    filled = defaultdict(str, {key: value for key, value in words.items() if value})
    return _filled(presenter.title, filled), _filled(presenter.body, filled)


def _filled(text: str, words: Mapping[str, Any]) -> str:
    return " ".join(text.format_map(words).split())


def address(topic: str, payload: Mapping[str, Any]) -> str:
    """The page that an event is about, as a path of this site; empty where that page is not there."""
    system, label = payload.get("system"), payload.get("label")
    match TOPICS[topic].page:
        case "release" if system and label:
            return _path("releases:detail", system, label)
        case "version" if system:
            return _path("systems:version", system, payload["kind"], payload["component"], payload["number"])
        case "people":
            return _path("accounts:people")
        case "ledger":
            return _path("audit:ledger")
    return _path("operations:system", system) if system else ""


def _path(name: str, *args: Any) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
