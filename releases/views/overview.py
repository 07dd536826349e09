"""Pages above one release: my work, the standard, decisions, reproduce."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.access import person as signed_in
from accounts.access import require_member, visible_systems
from audit import canonical, trail
from releases.decisions import decision_body, replay
from releases.models import Decision, StandardVersion
from releases.presenting import work as shown
from releases.reproduce import reproduce
from releases.standard.published import definition_of
from web.problems import NotFound


@require_GET
def work(request: HttpRequest) -> HttpResponse:
    """What I own, what waits for my verification or signature, and what blocks which release."""
    user, now = signed_in(request), timezone.now()
    return render(request, "releases/work.html", shown.work(user, visible_systems(request, now=now), now=now))


@require_GET
def standard(request: HttpRequest, number: str) -> HttpResponse:
    version = StandardVersion.objects.filter(number=number).first()
    if version is None:
        raise NotFound(f"There is no standard {number}.")
    return render(
        request,
        "releases/standard.html",
        {"version": version, "definition": definition_of(version), "versions": StandardVersion.objects.all()},
    )


@require_GET
def decision(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A stored decision, with the gate run again on its facts."""
    found = Decision.objects.select_related("release__system", "release__policy").filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such decision.")
    require_member(request, found.release.system.slug)
    verdict, same = replay(found)
    context = {
        "decision": found,
        "release": found.release,
        "system": found.release.system,
        "verdict": verdict,
        "same": same,
        "intact": canonical.digest(decision_body(found)) == found.digest,
    }
    return render(request, "releases/decision.html", context)


@require_GET
def reproduction(request: HttpRequest, request_id: str) -> HttpResponse:
    """Each request that this id names, recomputed hop by hop."""
    user, now = signed_in(request), timezone.now()
    found = [
        request_view for request_view in trail.find(request_id) if user.has_perm("audit.browse", request_view.system)
    ]
    if not found:
        raise NotFound("No request that you may see has this id.")
    steps = [(request_view, reproduce(request_view, now=now)) for request_view in found]
    return render(request, "releases/reproduce.html", {"request_id": request_id, "found": steps})
