"""Reviews of one system: the calendar, the page on which one is made, the roster of an access review."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from operations import rules
from operations.actions import reviews as act
from operations.forms import LineForm, ReviewForm
from operations.models import Review, RosterLine
from operations.views.shared import Visit, checked, visit, why_not
from web.paging import keyset_page


@require_GET
def reviews(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    rows = Review.objects.filter(system=there.system).select_related("done_by")
    waiting = list(rows.filter(done_at=None).order_by("due_at", "pk")[:100])
    made = keyset_page(rows.exclude(done_at=None), order=("-due_at", "-pk"), cursor=request.GET.get("cursor"), size=25)
    context = {
        **there.frame("operations:reviews"),
        "waiting": [{"review": row, "status": status_of(row, there)} for row in waiting],
        "page": made,
    }
    return render(request, "operations/reviews.html", context)


@require_http_methods(["GET", "POST"])
def review(request: HttpRequest, slug: str, review_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = _review(there, review_id)
    form = ReviewForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        act.complete_review(review=found, by=there.user, now=there.now, **form.cleaned_data)
        messages.success(request, "The review is made, and does not change any more.")
        return redirect("operations:review", slug, found.pk)
    state = act.state_of(found)
    context = {
        **there.frame("operations:reviews"),
        "review": found,
        "status": status_of(found, there),
        "roster": [_line(line, found, there) for line in found.roster.select_related("person", "decided_by")],
        "form": form,
        "freeze_reason": why_not(rules.freeze_numbers(state, there.person)),
        "reason": why_not(rules.complete_review(state, there.person)),
    }
    return render(request, "operations/review.html", context, status=422 if form.errors else 200)


@require_POST
def freeze(request: HttpRequest, slug: str, review_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    act.freeze_numbers(review=_review(there, review_id), by=there.user, now=there.now)
    messages.success(request, "The numbers are frozen.")
    return redirect("operations:review", slug, review_id)


@require_POST
def line(request: HttpRequest, slug: str, review_id: UUID, line_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = get_object_or_404(RosterLine, pk=line_id, review=_review(there, review_id))
    form = checked(LineForm(request.POST))
    act.decide_line(line=found, by=there.user, now=there.now, **form.cleaned_data)
    revoked = form.cleaned_data["decision"] == RosterLine.Decision.REVOKED
    messages.success(request, "The role is taken away." if revoked else "Confirmed.")
    return redirect("operations:review", slug, review_id)


def status_of(found: Review, there: Visit) -> str:
    if found.done_at is not None:
        return "done"
    if found.due_at <= there.now:
        return "overdue"
    return "waiting" if found.frozen_at is not None or found.until <= there.now else "planned"


def _line(found: RosterLine, review: Review, there: Visit) -> dict[str, Any]:
    state = rules.LineState(
        person=str(found.person_id), decided=found.decided_at is not None, review_done=review.done_at is not None
    )
    return {"line": found, "reason": why_not(rules.decide_line(state, there.person))}


def _review(there: Visit, review_id: UUID) -> Review:
    rows = Review.objects.select_related("system", "done_by")
    return get_object_or_404(rows, pk=review_id, system=there.system)
