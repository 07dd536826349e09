"""Pages above one release: my work, the standard, decisions, reproduce."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.access import person as signed_in
from accounts.access import require_member, visible_systems
from audit import canonical, reading, trail
from releases import bundling, taking
from releases.decisions import Unreadable, decision_body, replay, standing
from releases.models import Decision
from releases.presenting import express as shortest
from releases.presenting import page
from releases.presenting import work as shown
from releases.reproduce import reproduce
from releases.review import SECTIONS, section_items
from releases.review import review as review_rows
from releases.views.release import find
from web.problems import NotFound, Problem


@require_GET
def work(request: HttpRequest) -> HttpResponse:
    """What I own, what waits for my verification or signature, and what blocks which release."""
    user, now = signed_in(request), timezone.now()
    return render(request, "releases/work.html", shown.work(user, visible_systems(request, now=now), now=now))


@require_GET
def review(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    """The release review, filled from what is known now: gaps are shown as gaps. Printable."""
    release, now = find(request, slug, label), timezone.now()
    found = standing(release, page.question_now(release), now=now)
    context = {
        **page.head(release, found, now=now),
        "rows": review_rows(found.facts),
        "sections": [
            (title, section_items(found.facts, found.verdict.items, role)) for role, title in SECTIONS.items()
        ],
        "decisions": release.decisions.exclude(occasion=Decision.Occasion.ASKED).order_by("-decided_at")[:5],
    }
    return render(request, "releases/review.html", context)


@require_GET
def express(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    """What is left before a go, by whom, and what an emergency does instead."""
    release, now = find(request, slug, label), timezone.now()
    found = standing(release, page.question_now(release), now=now)
    context = {**page.head(release, found, now=now), **shortest.express(release, found, now=now)}
    return render(request, "releases/express.html", context)


@require_GET
def bundle(request: HttpRequest, pk: UUID) -> HttpResponse:
    """The decision with all it rests on, as a zip that verifies offline."""
    return bundling.download(_decision(request, pk), now=timezone.now())


@require_GET
def decision(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A stored decision, with the gate run again on its facts."""
    found = _decision(request, pk)
    try:
        verdict, same = replay(found)
    except Unreadable:  # the page says that it was altered, beside what is stored
        verdict, same = found.verdict, False
    context = {
        "decision": found,
        "release": found.release,
        "system": found.release.system,
        "verdict": verdict,
        "same": same,
        "intact": canonical.digest(decision_body(found)) == found.digest,
    }
    return render(request, "releases/decision.html", context)


def _decision(request: HttpRequest, pk: UUID) -> Decision:
    found = Decision.objects.select_related("release__system", "release__policy").filter(pk=pk).first()
    if found is None:
        raise NotFound("There is no such decision.")
    require_member(request, found.release.system.slug)
    return found


@require_GET
def reproduction(request: HttpRequest, request_id: str) -> HttpResponse:
    """Each request that this id names, recomputed hop by hop."""
    now, found = timezone.now(), _requests(request, request_id)
    steps = [(request_view, reproduce(request_view, now=now)) for request_view in found]
    return render(request, "releases/reproduce.html", {"request_id": request_id, "found": steps})


@require_GET
def take(request: HttpRequest, request_id: str) -> HttpResponse:
    """Everything that the reproduction takes, as a file that needs neither us nor Django."""
    user, now, found = signed_in(request), timezone.now(), _requests(request, request_id)
    if len(found) > 1:
        raise Problem("Several requests have this id. Take the trace id of one of them.")
    reading.record_view(found[0], by=user, now=now)
    return taking.download(found[0], now=now)


def _requests(request: HttpRequest, request_id: str) -> list[trail.RequestView]:
    user = signed_in(request)
    found = [view for view in trail.find(request_id) if user.has_perm("audit.browse", view.system)]
    if not found:
        raise NotFound("No request that you may see has this id.")
    return found
