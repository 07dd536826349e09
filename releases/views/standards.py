"""Standards: those in force, a team's own drafts, and what tells them apart."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import person as signed_in
from accounts.access import require_member, visible_systems
from accounts.queries import roles_of
from releases import rules
from releases.actions import standards as acts
from releases.errors import InvalidInput, Refused, StateMoved
from releases.forms import DraftForm, NewStandardForm
from releases.forms_standard import ItemForm, without
from releases.models import StandardDraft, StandardVersion
from releases.presenting.standard import sections
from releases.standard.compare import differences
from releases.standard.load import parse, write
from releases.standard.published import current_standard, definition_of, newer_standard, standards_for
from web.problems import NotFound


@require_http_methods(["GET", "POST"])
def listing(request: HttpRequest) -> HttpResponse:
    """All that one may read; a POST begins a draft, from YAML or as a copy of the one named."""
    user, now = signed_in(request), timezone.now()
    slugs = visible_systems(request, now=now)
    form = NewStandardForm(request.POST or None, request.FILES or None, versions=standards_for(slugs))
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            draft = acts.draft_standard(line=data["line"], system=data["system"], text=form.text(), by=user, now=now)
        except (InvalidInput, Refused) as problem:
            for reason in problem.reasons or (problem.detail,):
                form.add_error(None, reason)
        else:
            return redirect("releases:standard-draft", pk=draft.pk)
    drafts = StandardDraft.objects.filter(state__in=["draft", "submitted"])
    context = {
        "versions": standards_for(slugs),
        "drafts": drafts if slugs is None else drafts.filter(system__in=["", *slugs]),
        "form": form,
    }
    return render(request, "releases/standards.html", context, status=422 if form.is_bound else 200)


@require_GET
def version(request: HttpRequest, number: str) -> HttpResponse:
    """A published version, with what it changed of the one before, and what it asks less than the shipped one."""
    found = _version(request, number)
    earlier = StandardVersion.objects.filter(line=found.line, published_at__lt=found.published_at).first()
    against = earlier or (StandardVersion.objects.filter(number=found.base).first() if found.base else None)
    context = {
        "version": found,
        "definition": definition_of(found),
        "sections": sections(definition_of(found)),
        "versions": StandardVersion.objects.filter(line=found.line),
        "newer": newer_standard(found),
        "against": against,
        "differences": differences(definition_of(against), definition_of(found)) if against else None,
    }
    return render(request, "releases/standard.html", context)


@require_GET
def as_yaml(request: HttpRequest, number: str) -> HttpResponse:
    found = _version(request, number)
    response = HttpResponse(write(found.body), content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="standard-{found.number}.yaml"'
    return response


def _version(request: HttpRequest, number: str) -> StandardVersion:
    found = standards_for(visible_systems(request, now=timezone.now())).filter(number=number).first()
    if found is None:
        raise NotFound(f"There is no standard {number}, or you may not see it.")
    return found


@require_http_methods(["GET", "POST"])
def draft(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The editor: YAML as it is, what it asks less, how it differs. What is refused keeps every letter typed."""
    found = _draft(request, pk)
    user, now, error = signed_in(request), timezone.now(), None
    form = DraftForm(request.POST or None, initial={"text": write(found.body), "revision": found.revision})
    if request.method == "POST" and form.is_valid():
        try:
            acts.change_draft(draft=found, by=user, now=now, **form.cleaned_data)
        except (InvalidInput, Refused, StateMoved) as problem:
            error = problem
        else:
            messages.success(request, "Saved.")
            return redirect("releases:standard-draft", pk=pk)
    base = current_standard()
    who = rules.Person(str(user.pk), roles_of(user, system=found.system, now=now))
    context = {
        "draft": found,
        "sections": _by_section(found.body),
        "form": form,
        "error": error,
        "base": base,
        "weakens": acts.weakened(found),
        "differences": differences(definition_of(base), parse(found.body)),
        "write_reason": " ".join(rules.write_standard_refusals(who)),
        "approve": {role: " ".join(acts.approval_refusals(found, role, by=user, now=now)) for role in ROLES},
    }
    return render(request, "releases/standard_draft.html", context, status=error.status if error else 200)


@require_http_methods(["GET", "POST"])
def draft_item(request: HttpRequest, pk: UUID, key: str = "") -> HttpResponse:
    """One item in a form (no key: a new one). It is saved as the YAML would be, under the same checks."""
    found = _draft(request, pk)
    user, now, error = signed_in(request), timezone.now(), None
    item = next((one for one in found.body["items"] if one["key"] == key), None)
    if key and item is None:
        raise NotFound(f"This draft has no item {key}.")
    form = ItemForm(request.POST or None, body=found.body, initial={**ItemForm.start(item), "revision": found.revision})
    leaves = "leave-out" in request.POST
    if request.method == "POST" and (leaves or form.is_valid()):
        body = without(found.body, key) if leaves else form.applied(found.body, key)
        seen = request.POST.get("revision", "")
        try:
            if not (seen.isascii() and seen.isdigit() and len(seen) < 10):
                raise InvalidInput("The revision that you saw is missing. Open the page again.")
            acts.change_draft(draft=found, text=write(body), revision=int(seen), by=user, now=now)
        except (InvalidInput, Refused, StateMoved) as problem:
            error = problem
        else:
            messages.success(request, "The item is left out." if leaves else "Saved.")
            return redirect("releases:standard-draft", pk=pk)
    who = rules.Person(str(user.pk), roles_of(user, system=found.system, now=now))
    context = {
        "draft": found,
        "item": item,
        "form": form,
        "error": error,
        "write_reason": " ".join(rules.write_standard_refusals(who)),
    }
    status = error.status if error else 422 if form.errors else 200
    return render(request, "releases/standard_item.html", context, status=status)


def _by_section(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "title": section["title"],
            "items": [one for one in body["items"] if one["key"].partition(".")[0] == section["key"]],
        }
        for section in body["sections"]
    ]


ROLES = ("product", "platform")


@require_POST
def draft_act(request: HttpRequest, pk: UUID, act: str) -> HttpResponse:
    found = _draft(request, pk)
    common: dict[str, Any] = {"draft": found, "by": signed_in(request), "now": timezone.now()}
    match act:
        case "submit":
            acts.submit_standard(**common)
        case "approve":
            done = acts.approve_standard(role=request.POST.get("role", "product"), **common)
            if done.state == StandardDraft.State.PUBLISHED:
                messages.success(request, f"{done.number} is published.")
                return redirect("releases:standard", number=done.number)
        case "decline":
            acts.decline_standard(reason=request.POST.get("reason", ""), **common)
            return redirect("releases:standards")
        case _:
            raise NotFound("There is no such act.")
    return redirect("releases:standard-draft", pk=pk)


def _draft(request: HttpRequest, pk: UUID) -> StandardDraft:
    found = get_object_or_404(StandardDraft, pk=pk)
    if found.system:
        require_member(request, found.system)
    return found
