"""Buttons of a release's page: what moves it on, and what stops it. A blocked one stays, with its reason."""

from datetime import datetime
from typing import Any

from accounts.models import User
from releases import rules
from releases.actions import shadow
from releases.actions.rollout import other_in_rollout, shadow_missing
from releases.decisions import Standing, standing
from releases.gate.types import Question
from releases.models import Release
from releases.presenting.rows import release_url


def actions(release: Release, found: Standing, *, user: User, who: rules.Person, now: datetime) -> list[dict[str, Any]]:
    """At most three: change it, move it on, stop it."""
    shown: list[dict[str, Any]] = []
    if release.state in Release.OPEN:
        shown.append({"label": "Pins and plan", "url": release_url(release, "setup"), "icon": "settings-2"})
        shown.append({"label": "Questions", "url": release_url(release, "questions"), "icon": "list-checks"})
    if release.state == Release.State.SHADOW:
        reasons = rules.end_shadow_refusals(who, release_state=release.state)
        shown.append(_dialog("End shadow run", "end-shadow", reasons, icon="circle-stop"))
    if release.state == Release.State.PRE_PRODUCTION:
        canary = _on(release, found, Question.CANARY, now=now)
        plan = getattr(release, "rollout", None)
        missing = plan is not None and shadow_missing(release, plan, canary.state_digest)
        if missing:
            blocked = shadow.refusals(release, by=user, go=canary.verdict.go, now=now)
            shown.append(_dialog("Start shadow run", "start-shadow", blocked, icon="copy"))
        reasons = rules.start_refusals(
            who,
            release_state=release.state,
            cleared=canary.cleared,
            other_in_rollout=other_in_rollout(release),
            has_plan=canary.facts.plan is not None,
            shadow_missing=missing,
        )
        shown.append(_dialog("Start canary", "start", reasons, icon="bird"))
    if release.state == Release.State.CANARY:
        full = _on(release, found, Question.RELEASE, now=now)
        reasons = rules.promote_refusals(who, release_state=release.state, cleared=full.cleared)
        shown.append(_dialog("Promote", "promote", reasons, icon="rocket"))
    if release.state in (*Release.IN_ROLLOUT, Release.State.LIVE):
        reasons = rules.roll_back_refusals(who, release_state=release.state)
        shown.append(_dialog("Roll back", "roll-back", reasons, icon="rotate-ccw", kind="danger"))
    if release.state in Release.OPEN:
        reasons = rules.abandon_refusals(who, release_state=release.state)
        shown.append(_dialog("Abandon", "abandon", reasons, icon="archive", kind=""))
    return shown


def _dialog(label: str, act: str, reasons: tuple[str, ...], *, icon: str, kind: str = "primary") -> dict[str, Any]:
    return {
        "label": label,
        "dialog": "" if reasons else act,
        "icon": icon,
        "kind": kind,
        "reason": " ".join(reasons[-1:]),
    }


_DIALOGS = (
    (
        "start-shadow",
        "Start the shadow run",
        "A copy of the requests goes to this release; nobody sees its answers. It is compared with the live one.",
        False,
    ),
    ("end-shadow", "End the shadow run", "It counts as not done; another one can be started.", False),
    (
        "start",
        "Start the canary",
        "Real users meet this release, in the planned share. The decision and its signatures are frozen.",
        False,
    ),
    (
        "promote",
        "Promote to everybody",
        "It serves all traffic; the live release is superseded. The decision is frozen.",
        False,
    ),
    ("roll-back", "Roll back", "Never gated: it happens at once. The last known good release serves again.", True),
    ("abandon", "Abandon the release", "It can not be taken up again; another release can.", True),
)


def dialogs(release: Release) -> list[dict[str, Any]]:
    """One dialog for each act, with what it does in words."""
    return [
        {"id": act, "title": title, "text": text, "asks_reason": asks, "url": release_url(release, "move", act=act)}
        for act, title, text, asks in _DIALOGS
    ]


def _on(release: Release, found: Standing, question: Question, *, now: datetime) -> Standing:
    return found if found.question is question else standing(release, question, now=now)
