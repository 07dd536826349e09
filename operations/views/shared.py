"""What the views of this package have in common: the system in the address, seen by whoever may see it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone

from accounts.access import person as caller
from accounts.access import require_member
from accounts.models import User
from operations.errors import InvalidInput
from operations.queries import person
from operations.rules import Person
from systems.models import System


@dataclass(frozen=True)
class Visit:
    """One request to the operations of one system: who asks, with which roles, and when."""

    system: System
    user: User
    person: Person
    now: datetime

    def tabs(self, here: str) -> list[dict[str, Any]]:
        pages = [
            ("Overview", "operations:system"),
            ("Drills", "operations:drills"),
            ("Channels", "operations:channels"),
        ]
        return [
            {"label": label, "url": reverse(name, args=[self.system.slug]), "here": name == here}
            for label, name in pages
        ]


def visit(request: HttpRequest, slug: str) -> Visit:
    """Whoever holds no role on the system is told that there is none."""
    require_member(request, slug)
    now = timezone.now()
    system = get_object_or_404(System, slug=slug)
    user = caller(request)
    return Visit(system=system, user=user, person=person(user, system=system, now=now), now=now)


def checked[F: forms.Form](form: F) -> F:
    """The form, or a refusal that says what is wrong with it: for forms of one click, which no page shows again."""
    if form.is_valid():
        return form
    lines = [
        f"{name.replace('_', ' ').capitalize()}: {error}" for name, errors in form.errors.items() for error in errors
    ]
    raise InvalidInput(" ".join(lines), reasons=lines)
