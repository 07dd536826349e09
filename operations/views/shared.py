"""What the views of this package have in common: the system in the address, and the frame around its pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest

from accounts.models import User
from operations.errors import InvalidInput
from operations.queries import person
from operations.rules import Person, Reason
from systems.models import System
from systems.views import shared as systems

PAGES = (
    ("Overview", "operations:system"),
    ("Budget", "operations:budget"),
    ("Reviews", "operations:reviews"),
    ("Incidents", "operations:incidents"),
    ("Drills", "operations:drills"),
    ("Runbooks", "operations:runbooks"),
    ("Risks", "operations:risks"),
    ("Feedback", "operations:feedback"),
    ("Channels", "operations:channels"),
)


@dataclass(frozen=True)
class Visit:
    """One request to the operations of one system: who asks, as whom our rules see them, and when."""

    system: System
    user: User
    person: Person
    now: datetime
    tabs: list[dict[str, Any]]
    crumbs: list[dict[str, str]]

    def frame(self, here: str) -> dict[str, Any]:
        """What templates/operations/frame.html shows around a page."""
        slug = self.system.slug
        found = [(label, route, systems.address(route, slug)) for label, route in PAGES]
        pages = [{"label": label, "url": url, "here": route == here} for label, route, url in found if url]
        return {"system": self.system, "tabs": self.tabs, "crumbs": self.crumbs, "pages": pages}


def visit(request: HttpRequest, slug: str) -> Visit:
    """Whoever holds no role on the system is told that there is none."""
    there = systems.visit(request, slug)
    return Visit(
        system=there.system,
        user=there.user,
        person=person(there.user, system=there.system, now=there.now),
        now=there.now,
        tabs=there.tabs("operations:system"),
        crumbs=there.crumbs(),
    )


def checked[F: forms.Form](form: F) -> F:
    """The form, or a refusal that says what is wrong with it: for forms of one click, which no page shows again."""
    if form.is_valid():
        return form
    lines = [
        f"{name.replace('_', ' ').capitalize()}: {error}" for name, errors in form.errors.items() for error in errors
    ]
    raise InvalidInput(" ".join(lines), reasons=lines)


def why_not(reasons: Sequence[Reason]) -> str:
    """The first reason against, as the sentence of a greyed button; empty: it may be pressed."""
    return reasons[0].text if reasons else ""
