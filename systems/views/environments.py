"""Environments of a system that are no production: proposed, confirmed, ended, on its traffic page."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from audit import environments
from audit.models import SideEnvironment
from systems import actions, rules
from systems.actions.environments import proposal_of
from systems.errors import InvalidInput, Refused
from systems.forms import EnvironmentForm
from systems.views.shared import Visit, said, visit

SHOWN = 20


@require_POST
def propose(request: HttpRequest, slug: str) -> HttpResponse:
    there, form = visit(request, slug), EnvironmentForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(f"{name}: {errors[0]}" for name, errors in form.errors.items()))
        return redirect("systems:traffic", slug=slug)
    try:
        made = actions.propose_environment(system=there.system, by=there.user, now=there.now, **form.cleaned_data)
    except (InvalidInput, Refused) as problem:
        messages.error(request, str(problem))
    else:
        other = "the platform owner" if made.proposed_as == "admin" else "an admin"
        messages.success(request, f"{made.name} waits for {other}. Until then it counts as production.")
    return redirect("systems:traffic", slug=slug)


@require_POST
def act(request: HttpRequest, slug: str, environment_id: UUID, act: str) -> HttpResponse:
    there = visit(request, slug)
    given: dict[str, Any] = {
        "system": there.system,
        "environment_id": environment_id,
        "by": there.user,
        "now": there.now,
    }
    try:
        if act == "confirm":
            found = actions.confirm_environment(**given)
            messages.success(request, f"{found.name} is no production from now on.")
        else:
            found = actions.end_environment(reason=request.POST.get("reason", ""), **given)
            messages.success(request, f"{found.name} counts as production from now on.")
    except (InvalidInput, Refused) as problem:
        messages.error(request, str(problem))
    return redirect("systems:traffic", slug=slug)


def shown(there: Visit) -> dict[str, Any]:
    """What templates/systems/parts/environments.html shows."""
    rows = list(SideEnvironment.objects.filter(system=there.system.slug)[:SHOWN])
    for row in rows:
        row.sent = environments.requests_of(row, now=there.now) if row.state == "ok" else None  # type: ignore[attr-defined]
        refusals = rules.confirm_environment(there.person, proposal_of(row), actor=there.user.actor_id)
        row.confirm_reason = said(refusals)  # type: ignore[attr-defined]
        row.end_reason = said(rules.end_environment(there.person, proposal_of(row)))  # type: ignore[attr-defined]
    return {
        "environments": rows,
        "environment_form": EnvironmentForm(auto_id="environment_%s"),
        "environment_reason": said(rules.propose_environment(there.person)),
    }
