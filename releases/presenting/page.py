"""The head of every page of a release: what it is, the two questions, the verdict with what remains."""

from collections import Counter
from datetime import datetime
from typing import Any

from django.urls import reverse

from releases.decisions import Standing, standing
from releases.gate.types import ItemState, Question
from releases.models import Pin, Release
from releases.presenting.rows import reasons, release_url
from systems.kinds import Kind

TITLES = {Question.CANARY: "May it meet its first users?", Question.RELEASE: "May it serve everybody?"}
# The second question is asked during the rollout; before that nothing is worked out for it.
NOT_YET = {"status": "not-started", "note": "asked during the canary"}
# How the gate's states are drawn (web.statuses).
DRAWN = {ItemState.WAITING: "submitted", ItemState.UNKNOWN: "inconclusive"}


def question_now(release: Release) -> Question:
    """The question that matters now: may it meet its first users, and after that, may it serve everybody?"""
    return Question.CANARY if release.state in (*Release.OPEN, Release.State.SHADOW) else Question.RELEASE


def drawn(state: str) -> str:
    return DRAWN.get(ItemState(state), state)


def head(release: Release, found: Standing, *, now: datetime) -> dict[str, Any]:
    """`release`, `pins`, `questions`, `gate`: what the templates of a release have in common."""
    pins = list(release.pins.select_related("component", "version").order_by("component__kind", "component__name"))
    return {
        "release": _release(release, pins),
        "pins": [_pin(pin, release) for pin in pins],
        "questions": _questions(release, found, now=now),
        "gate": gate(release, found),
        "releases_url": reverse("releases:system", kwargs={"slug": release.system.slug}),
        "now": now,
    }


def _release(release: Release, pins: list[Pin]) -> dict[str, Any]:
    system = release.system
    return {
        "label": release.label,
        "system": {
            "name": system.name,
            "slug": system.slug,
            "url": reverse("systems:detail", kwargs={"slug": system.slug}),
        },
        "stage": release.state,
        "url": release_url(release),
        "opened_at": release.opened_at,
        "opened_by": release.opened_by,
        "summary": _summary(pins),
        "ticket_url": release.ticket_url,
        "end_reason": release.end_reason,
    }


def _summary(pins: list[Pin]) -> list[dict[str, Any]]:
    """The pins that people ask for first."""
    shown = []
    for pin in pins:
        match pin.component.kind:
            case Kind.PROMPT | Kind.MODEL:
                shown.append({"name": pin.component.name, "value": f"v{pin.version.number}"})
            case Kind.DATASET:
                shown.append({"name": pin.component.name, "digest": pin.version.sha256})
    return shown


def _questions(release: Release, found: Standing, *, now: datetime) -> list[dict[str, Any]]:
    shown = []
    for question in Question:
        not_yet = question is Question.RELEASE and question_now(release) is Question.CANARY
        one = found if question is found.question or not_yet else standing(release, question, now=now)
        shown.append(
            {
                "name": question.value.capitalize(),
                "title": TITLES[question],
                "url": f"{release_url(release)}?question={question.value}",
                "here": question is found.question,
                **(NOT_YET if not_yet else _question_status(release, one)),
            }
        )
    return shown


def _question_status(release: Release, found: Standing) -> dict[str, str]:
    if found.answers_no:
        return {"status": "no-go", "note": release.get_state_display().lower()}
    if found.closed_by:
        what = "cleared" if found.closed_by.cleared else "refused"
        return {"status": "closed", "note": f"{what} on {found.closed_by.decided_at:%-d %B %Y, %H:%M} UTC"}
    if found.cleared:
        return {"status": "clear", "note": ""}
    remaining = len(found.verdict.reasons)
    return {
        "status": found.verdict.outcome.value,
        "note": f"{remaining} to clear" if remaining else "signatures remain",
    }


def gate(release: Release, found: Standing) -> dict[str, Any]:
    """The verdict banner (components/gate.html)."""
    left = reasons(found, release)
    blocking = [reason for reason in left if not reason.code.startswith("sign-off")]
    states = Counter(drawn(item.state) for item in found.verdict.items)
    return {
        "question": found.question.value,
        "verdict": "no-go" if found.answers_no or blocking else "go",
        "cleared": found.cleared,
        "headline": _headline(found, len(blocking), len(left)),
        "reasons": left,
        "checklist_url": f"{release_url(release)}?q=is:blocking",
        "counts": dict(states),
        "closed_at": found.closed_by.decided_at if found.closed_by else None,
        "checked_at": None if found.closed_by else found.verdict.at,
        "policy": f"release policy {release.policy.number}",
        "note": _note(release, found),
    }


def _headline(found: Standing, blocking: int, left: int) -> str:
    what = "the canary" if found.question is Question.CANARY else "the full release"
    if found.answers_no:
        return found.answers_no
    if found.closed_by:
        return f"{what} was decided; what happens later binds the next release"
    if found.cleared:
        return f"both sides have signed for {what}"
    if blocking:
        return f"{blocking} thing{'' if blocking == 1 else 's'} to clear before {what}"
    return f"all conditions hold; {left} signature{'' if left == 1 else 's'} remain{'s' if left == 1 else ''}"


def _note(release: Release, found: Standing) -> str:
    if release.state == Release.State.DRAFT:
        return "A draft: choose what it is made of, plan its rollout, then begin the review."
    return ""


def _pin(pin: Pin, release: Release) -> dict[str, Any]:
    """One line of releases/parts/pins.html."""
    component, number = pin.component, pin.version.number
    return {
        "kind": component.get_kind_display(),
        "name": component.name,
        "version": f"v{number}",
        "digest": pin.version.sha256,
        "url": reverse(
            "systems:version",
            kwargs={"slug": release.system.slug, "kind": component.kind, "name": component.name, "number": number},
        ),
    }
