"""Pages above one release: my work, the standard, decisions, reproduce."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.access import person as signed_in
from accounts.access import require_member, visible_systems
from accounts.queries import roles_of
from audit import canonical, trail
from releases import presenting, rules
from releases.actions.signing import signing_view
from releases.decisions import decision_body, replay, standing
from releases.models import Decision, Release, StandardVersion
from releases.people import person
from releases.queries import items_to_do, items_to_verify, visible_releases
from releases.reproduce import reproduce
from releases.standard.published import definition_of
from releases.views.release import question_now
from web.problems import NotFound


@require_GET
def my_work(request: HttpRequest) -> HttpResponse:
    """What I own, what waits for my verification or signature, and what blocks which release."""
    user, now = signed_in(request), timezone.now()
    slugs = visible_systems(request, now=now)
    verify = [
        item
        for item in items_to_verify(slugs)[:200]
        if not presenting.item_moves(item, item.release, user=user, now=now).verify
    ]
    running = visible_releases(slugs).filter(state__in=(*Release.OPEN, *Release.IN_ROLLOUT))[:50]
    sign, blocked = [], []
    for release in running:
        found = standing(release, question_now(release), now=now)
        blocked.append((release, found, presenting.reasons(found, release)))
        for side in sorted(rules.SIDES & roles_of(user, system=release.system.slug, now=now)):
            if not rules.sign_refusals(
                person(user, release, now=now), side, signing_view(release, found, signer=user, side=side)
            ):
                sign.append((release, side, presenting.release_url(release, "sign", side=side)))
    todo = [
        (
            item,
            definition_of(item.release.standard).item(item.key),
            presenting.release_url(item.release, "item", key=item.key),
        )
        for item in items_to_do(user.pk)[:200]
        if definition_of(item.release.standard).item(item.key).verification != "auto"
    ]
    waiting = [
        (
            item,
            definition_of(item.release.standard).item(item.key),
            presenting.release_url(item.release, "item", key=item.key),
        )
        for item in verify
    ]
    return render(
        request,
        "releases/my_work.html",
        {"todo": todo, "verify": waiting, "sign": sign, "blocked": blocked, "now": now},
    )


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
    now = timezone.now()
    found = [
        request_view
        for request_view in trail.find(request_id)
        if request.user.has_perm("audit.browse", request_view.system)
    ]
    if not found:
        raise NotFound("No request that you may see has this id.")
    shown = [(request_view, reproduce(request_view, now=now)) for request_view in found]
    return render(request, "releases/reproduce.html", {"request_id": request_id, "shown": shown})
