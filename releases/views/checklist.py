"""The checklist as a whole: what changed on it, several items at once, evidence taken over from the release before."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import person as signed_in
from accounts.models import User
from releases.actions import checklist as acts
from releases.actions.carrying import carry_forward
from releases.decisions import standing
from releases.errors import InvalidInput
from releases.forms import due_at
from releases.presenting import checklist, page, rows
from releases.queries import carriable, release_before
from releases.views.release import asked, find, may_edit


@require_GET
def live(request: HttpRequest, slug: str, label: str) -> JsonResponse:
    """One word for all that the page shows: another word, and the page asks for itself again."""
    release = find(request, slug, label)
    found = standing(release, asked(request, release), now=timezone.now())
    response = JsonResponse({"stamp": checklist.stamp(found, rows.rows(found, release))})
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def assign(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    """Several items to one person. Each comes back at the revision that was shown."""
    release = find(request, slug, label)
    chosen = rows.uuid_or_none(request.POST.get("owner"))
    owner = User.objects.filter(pk=chosen).first() if chosen else None
    if chosen and owner is None:
        raise InvalidInput("There is nobody with this id.")
    items = acts.assign_items(
        release_id=release.pk,
        items=_chosen(request),
        owner=owner,
        due_at=due_at(request.POST.get("due", "")),
        by=signed_in(request),
        now=timezone.now(),
    )
    messages.success(request, f"{len(items)} item{'s have' if len(items) != 1 else ' has'} {owner or 'no owner'} now.")
    return redirect(f"{rows.release_url(release)}?{request.META.get('QUERY_STRING', '')}".rstrip("?"))


def _chosen(request: HttpRequest) -> dict[str, int]:
    found = {}
    for pair in request.POST.getlist("item"):
        key, _, revision = pair.rpartition(":")
        if not key or not revision.isascii() or not revision.isdigit() or len(revision) > 9:
            raise InvalidInput("An item is sent with the revision that was shown. Open the page again.")
        found[key] = int(revision)
    return found


@require_http_methods(["GET", "POST"])
def carry(request: HttpRequest, slug: str, label: str) -> HttpResponse:
    """What the release before has verified and this one has nothing for yet: chosen, taken over, looked at again."""
    release = find(request, slug, label)
    now, error = timezone.now(), None
    if request.method == "POST":
        try:
            made = carry_forward(
                release_id=release.pk, keys=request.POST.getlist("item"), by=signed_in(request), now=now
            )
        except InvalidInput as problem:
            error = problem
        else:
            messages.success(request, f"{len(made)} pieces of evidence are carried. Another person verifies them.")
            return redirect(rows.release_url(release))
    before = release_before(release)
    found = standing(release, page.question_now(release), now=now)
    offered = carriable(release, before, now=now) if before else []
    context: dict[str, Any] = {
        **page.head(release, found, now=now),
        "before": before and {"label": before.label, "url": rows.release_url(before)},
        "offered": [offer for offer in offered if not offer.reason],
        "withheld": [offer for offer in offered if offer.reason],
        "edit": may_edit(request, release),
        "error": error,
    }
    return render(request, "releases/carry.html", context, status=error.status if error else 200)
