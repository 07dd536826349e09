"""The list of systems, a new one, and the page of one: who answers for it and what it is made of."""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import person as signed_in
from accounts.access import visible_systems
from systems import actions, rules
from systems.errors import InvalidInput, Refused
from systems.forms import ComponentForm, NewSystemForm, OwnersForm, SystemForm, people_for
from systems.kinds import Area, Kind
from systems.models import Component, System, Version
from systems.registry import (
    Owned,
    components_of,
    ownership_map,
    ownership_maps,
    person,
    release_policy_of,
    running_policy_of,
)
from systems.views.shared import Visit, address, blame, said, visit
from web.filters import parse_tokens
from web.paging import keyset_page


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), timezone.now()
    query = request.GET.get("q", "")
    words = parse_tokens(query, ("regulated",))
    systems = System.objects.all()
    slugs = visible_systems(request, now=now)
    if slugs is not None:
        systems = systems.filter(slug__in=slugs)
    if words.text:
        systems = systems.filter(name__icontains=words.text) | systems.filter(slug__icontains=words.text)
    if regulated := words.first("regulated"):
        systems = systems.filter(has_regulated_data=regulated == "yes")
    page = keyset_page(systems, order=("name", "pk"), cursor=request.GET.get("cursor"))
    maps = ownership_maps(page.items, now=now)
    rows = []
    for system in page.items:
        gaps = [owned for owned in maps[system.pk] if owned.gap]
        rows.append({"system": system, "gaps": gaps, "gap_words": _gaps(gaps)})
    context = {
        "rows": rows,
        "page": page,
        "q": query,
        "unknown": words.unknown,
        "create_reason": said(rules.create_system(person(user, system=None, now=now))),
    }
    return render(request, "systems/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    user, now = signed_in(request), timezone.now()
    reason = said(rules.create_system(person(user, system=None, now=now)))
    form = NewSystemForm(request.POST or None)
    owners_form = OwnersForm(request.POST or None, people=people_for(None), areas=list(Area))
    if request.method == "POST" and form.is_valid() and owners_form.is_valid():
        try:
            system = actions.create_system(by=user, now=now, owners=owners_form.owners(), **form.cleaned_data)
        except (InvalidInput, Refused) as problem:
            blame(form, problem)
        else:
            messages.success(request, f"{system.name} is here. Next: say what it is made of.")
            return redirect("systems:detail", slug=system.slug)
    context = {"form": form, "owners": owners_form, "reason": reason}
    return render(request, "systems/create.html", context, status=422 if form.errors or owners_form.errors else 200)


@require_safe
def detail(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    return _page(request, there, ComponentForm())


def _page(request: HttpRequest, there: Visit, component_form: ComponentForm, status: int = 200) -> HttpResponse:
    system = there.system
    components = [_row(component) for component in components_of(system)]
    owned_areas = ownership_map(system, now=there.now)
    gaps = [owned for owned in owned_areas if owned.gap]
    context = {
        "system": system,
        "tabs": there.tabs("systems:detail"),
        "crumbs": there.crumbs()[:1],
        "owners": owned_areas,
        "gaps": gaps,
        "gap_words": _gaps(gaps),
        "mine_to_acknowledge": [o for o in owned_areas if o.user == there.user and not o.acknowledged_at],
        "assign_reason": said(rules.assign_ownership(there.person)),
        "edit_reason": said(rules.edit(there.person)),
        "components": components,
        "missing": _missing(components),
        "waiting": [row for row in components if row["in_review"]],
        "component_form": component_form,
        "release_policy": release_policy_of(system),
        "running_policy": running_policy_of(system),
        "open_release": address("releases:open", system.slug),
    }
    return render(request, "systems/detail.html", context, status=status)


def _gaps(gaps: list[Owned]) -> str:
    return f"{len(gaps)} gap{'s' if len(gaps) != 1 else ''}"


def _row(component: Component) -> dict[str, Any]:
    """A component with its newest version and the newest one that can be pinned."""
    versions = list(component.versions.all())
    approved = next((version for version in versions if version.state == Version.State.APPROVED), None)
    newest = versions[0] if versions else None
    return {
        "component": component,
        "newest": newest,
        "approved": approved,
        "in_review": next((version for version in versions if version.state == Version.State.IN_REVIEW), None),
    }


# What the standard asks every release to have pinned.
_USUAL = (Kind.PROMPT, Kind.INPUT_SCHEMA, Kind.OUTPUT_SCHEMA, Kind.CONTRACT, Kind.MODEL, Kind.DATASET)


def _missing(components: list[dict[str, Any]]) -> list[str]:
    there = {row["component"].kind for row in components if row["component"].retired_at is None}
    return [kind.label for kind in _USUAL if kind.value not in there]


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    initial = {name: getattr(there.system, name) for name in SystemForm.base_fields}
    form = SystemForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            actions.change_system(system=there.system, by=there.user, now=there.now, **form.cleaned_data)
        except (InvalidInput, Refused) as problem:
            blame(form, problem)
        else:
            messages.success(request, "Saved.")
            return redirect("systems:detail", slug=slug)
    context = {
        "system": there.system,
        "crumbs": there.crumbs(),
        "form": form,
        "reason": said(rules.assign_ownership(there.person)),
    }
    return render(request, "systems/change.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def owners(request: HttpRequest, slug: str) -> HttpResponse:
    """The ownership map as one form. What is left empty stays as it is: owners are replaced, never removed."""
    there = visit(request, slug)
    found = ownership_map(there.system, now=there.now)
    initial = {f"owner_{owned.area.value}": str(owned.user.pk) for owned in found if owned.user}
    form = OwnersForm(
        request.POST or None, people=people_for(there.system), areas=[owned.area for owned in found], initial=initial
    )
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            for area, user in form.owners().items():
                actions.assign_ownership(system=there.system, area=area, user=user, by=there.user, now=there.now)
        messages.success(request, "The owners are as you said.")
        return redirect("systems:detail", slug=slug)
    context = {
        "system": there.system,
        "crumbs": there.crumbs(),
        "form": form,
        "reason": said(rules.assign_ownership(there.person)),
    }
    return render(request, "systems/owners.html", context, status=422 if form.errors else 200)


@require_POST
def add_component(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    form = ComponentForm(request.POST)
    if form.is_valid():
        try:
            component = actions.add_component(system=there.system, by=there.user, now=there.now, **form.cleaned_data)
        except (InvalidInput, Refused) as problem:
            blame(form, problem)
        else:
            return redirect("systems:draft", slug=slug, kind=component.kind, name=component.name)
    return _page(request, there, form, status=422)


@require_POST
def acknowledge(request: HttpRequest, slug: str) -> HttpResponse:
    """Whoever is named says that they answer for it."""
    there = visit(request, slug)
    said_for = actions.acknowledge_ownership(system=there.system, by=there.user, now=there.now)
    messages.success(request, f"You answer for {', '.join(row.get_area_display().lower() for row in said_for)}.")
    return redirect("systems:detail", slug=slug)
