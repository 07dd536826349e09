"""What the views of this package have in common: the system in the address, seen by whoever may see it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from accounts.access import person as signed_in
from accounts.access import require_member
from accounts.models import User
from systems.models import System
from systems.registry import person
from systems.rules import Person, Reason
from web.problems import Problem

# Pages of one system. Routes of upper floors are named, never imported; one that does not exist is left out.
_TABS = (
    ("Overview", "systems:detail"),
    ("Releases", "releases:system"),
    ("Policy", "systems:policy"),
    ("Traffic", "systems:traffic"),
    ("Operations", "operations:system"),
    ("Dashboard", "metrics:dashboard"),
    ("Metrics", "metrics:system"),
)


@dataclass(frozen=True)
class Visit:
    """One request to the pages of one system: who asks, as whom the rules see them, and when."""

    system: System
    user: User
    person: Person
    now: datetime

    def tabs(self, here: str) -> list[dict[str, Any]]:
        found = []
        for label, route in _TABS:
            if url := address(route, self.system.slug):
                found.append({"label": label, "url": url, "here": route == here})
        return found

    def crumbs(self, *more: tuple[str, str]) -> list[dict[str, str]]:
        steps = [
            ("Systems", reverse("systems:list")),
            (self.system.name, reverse("systems:detail", args=[self.system.slug])),
        ]
        return [{"label": label, "url": url} for label, url in (*steps, *more)]


def visit(request: HttpRequest, slug: str) -> Visit:
    """Whoever holds no role on the system is told that there is none."""
    require_member(request, slug)
    now = timezone.now()
    system = get_object_or_404(System, slug=slug)
    user = signed_in(request)
    return Visit(system=system, user=user, person=person(user, system=system, now=now), now=now)


def address(route: str, *args: object) -> str:
    """The address of a page of an upper floor; empty where it does not exist."""
    try:
        return reverse(route, args=args)
    except NoReverseMatch:
        return ""


def said(reasons: Sequence[Reason]) -> str:
    """Reasons as the sentence beside a greyed button; empty: the button works."""
    return " ".join(reason.text for reason in reasons)


def blame(form: forms.Form, problem: Problem) -> None:
    """A refusal as errors of the form that asked for it, so that nothing typed is lost."""
    for reason in problem.reasons or (problem.detail,):
        form.add_error(None, reason)
