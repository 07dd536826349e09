"""Who builds on a component: added, told of each new version, heard."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.access import person as signed_in
from systems import actions, rules
from systems.errors import InvalidInput
from systems.forms import CompatibilityForm, ConsumerForm, people_for
from systems.kinds import Kind
from systems.models import Announcement, Component, Consumer, Version
from systems.registry import breaks_of, version_state
from systems.views.shared import Visit, said, visit
from web.problems import NotFound


def consumers(there: Visit, component: Component) -> dict[str, Any]:
    """systems/parts/consumers.html"""
    return {
        "lines": list(component.consumers.filter(ended_at=None).select_related("contact")),
        "form": ConsumerForm(people=people_for(there.system)),
        "reason": said(rules.edit(there.person)),
    }


def compatibility(there: Visit, version: Version) -> dict[str, Any]:
    """systems/parts/compatibility.html: computed afresh until the approval, and what the approval froze after it."""
    open_ = version.state in (Version.State.DRAFT, Version.State.IN_REVIEW)
    against, breaks = breaks_of(version) if open_ else (version.breaks_against, version.breaks)
    state = version_state(version)
    start = {"text": version.compatibility_note, "window_days": version.window_days or 30}
    return {
        "is_schema": version.component.kind in (Kind.INPUT_SCHEMA, Kind.OUTPUT_SCHEMA),
        "others": "consumers" if version.component.kind == Kind.OUTPUT_SCHEMA else "producers",
        "against": against,
        "breaks": breaks,
        "open": open_,
        "form": CompatibilityForm(initial=start) if open_ and breaks else None,
        "reason": said(rules.write_compatibility(there.person, state)),
        "announcements": [
            {
                "row": row,
                "contact": row.consumer.contact_id == there.user.pk,
                "reason": said(
                    rules.acknowledge(
                        there.person,
                        contact=str(row.consumer.contact_id) if row.consumer.contact_id else None,
                        note="given below",
                        done=row.acknowledged_at is not None,
                    )
                ),
            }
            for row in version.announcements.select_related("consumer__contact", "acknowledged_by")
        ],
    }


def _component(there: Visit, kind: str, name: str) -> Component:
    return get_object_or_404(Component.objects.select_related("system"), system=there.system, kind=kind, name=name)


def _back(component: Component) -> HttpResponse:
    return redirect(reverse("systems:component", args=[component.system.slug, component.kind, component.name]))


@require_POST
def add(request: HttpRequest, slug: str, kind: str, name: str) -> HttpResponse:
    there = visit(request, slug)
    component = _component(there, kind, name)
    form = ConsumerForm(request.POST, people=people_for(there.system))
    if not form.is_valid():
        raise InvalidInput("Name the consumer, and say who acknowledges for it or where it is reached.")
    consumer = actions.add_consumer(component=component, by=there.user, now=there.now, **form.cleaned_data)
    messages.success(request, f"{consumer} hears of each new version from now on.")
    return _back(component)


@require_POST
def end(request: HttpRequest, slug: str, kind: str, name: str, consumer: UUID) -> HttpResponse:
    there = visit(request, slug)
    component = _component(there, kind, name)
    found = get_object_or_404(Consumer, component=component, pk=consumer)
    actions.end_consumer(consumer=found, by=there.user, now=there.now)
    messages.success(request, f"{found} is off the list.")
    return _back(component)


@require_POST
def acknowledge(request: HttpRequest, slug: str, kind: str, name: str, number: int, announcement: UUID) -> HttpResponse:
    """By the consumer's contact, who need not belong to the system, or by whoever records it for them."""
    rows = Announcement.objects.select_related("consumer")
    found = rows.filter(
        pk=announcement, version__component__system__slug=slug, version__component__kind=kind,
        version__component__name=name, version__number=number,
    ).first()  # fmt: skip
    user = signed_in(request)
    if found is None or found.consumer.contact_id != user.pk:
        visit(request, slug)
    if found is None:
        raise NotFound("There is no such announcement.")
    note = request.POST.get("note", "")[:2000]
    actions.acknowledge(announcement=found, by=user, now=timezone.now(), note=note)
    messages.success(request, "Acknowledged.")
    if request.POST.get("from") == "work":
        return redirect("/")
    return redirect("systems:version", slug=slug, kind=kind, name=name, number=number)
