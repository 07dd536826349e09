"""What people hear of, in which words, and who. One row per topic; a new topic is a new row.

Sentences are filled from the event's payload, which carries ids and labels only.
"""

from collections import defaultdict
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
    where: str = "release"  # release | system | people | ledger: what the link opens


TOPICS: dict[str, Presenter] = {
    "releases.sign-off-requested": Presenter(
        "Sign-off asked for",
        "{label} of {system} waits for your sign-off",
        "Its verdict, its evidence and what you would sign are on the release's page.",
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
        "What serves now is on the release's page.",
        (*BUILDERS, "platform"),
    ),
    "releases.canary-breach": Presenter(
        "Canary breach",
        "The canary {label} of {system} broke a limit",
        "{why} Decide whether to roll back.",
        SIGNERS,
        alarm=True,
    ),
    "accounts.role-granted": Presenter(
        "Role granted",
        "{name} holds the role {role} now",
        "Roles that verify and sign are announced to everybody who signs. If this surprises you, ask an admin.",
        EVERY_SIGNER,
        where="people",
    ),
    "audit.unapproved-traffic": Presenter(
        "Unapproved traffic",
        "{system} serves something that nobody approved",
        "{why}",
        SIGNERS,
        alarm=True,
        where="system",
    ),
    "audit.ledger-trouble": Presenter(
        "Trouble with the ledger",
        "The ledger does not verify",
        "{why} Nothing is signed until this is understood. Keep the database and its backups as they are.",
        ("admin", "auditor", "platform"),
        alarm=True,
        where="ledger",
    ),
    # Told by this package itself, which words them where they arise; here for the channels' settings.
    "operations.budget-alert": Presenter("Budget alert", "", "", (), where="system"),
    "operations.budget-exceeded": Presenter("Budget exceeded", "", "", (), where="system"),
    "operations.frozen": Presenter("System frozen", "", "", (), where="system"),
    "operations.freeze-lifted": Presenter("Freeze lifted", "", "", (), where="system"),
    "operations.status-changed": Presenter("Status changed", "", "", (), where="system"),
}

# Topics of other packages, which reach people through the outbox.
HEARD = tuple(topic for topic, presenter in TOPICS.items() if presenter.title)

CHOICES = [(topic, presenter.label) for topic, presenter in TOPICS.items()]


def sentences(topic: str, payload: dict[str, Any]) -> tuple[str, str]:
    """Title and body of an event. A word that the event does not carry is left out, never an error: an alarm with a
    gap in its sentence is better than none."""
    presenter = TOPICS[topic]
    words: defaultdict[str, Any] = defaultdict(str, {key: value for key, value in payload.items() if value})
    return tuple(" ".join(text.format_map(words).split()) for text in (presenter.title, presenter.body))  # type: ignore[return-value]


def address(topic: str, payload: dict[str, Any]) -> str:
    """The page that an event is about, as a path of this site; empty where that page is not there."""
    release, system = payload.get("release"), payload.get("system")
    match TOPICS[topic].where:
        case "release" if release:
            return _path("releases:release", release)
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
