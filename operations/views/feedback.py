from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from operations.actions.feedback import record_feedback
from operations.forms import FeedbackForm
from operations.models import Feedback
from operations.views.shared import visit
from web.paging import keyset_page


@require_http_methods(["GET", "POST"])
def feedback(request: HttpRequest, slug: str) -> HttpResponse:
    """What users said, newest first, and a form for what came by mail or telephone."""
    there = visit(request, slug)
    form = FeedbackForm(request.POST or None, initial={"rating": Feedback.Rating.BAD})
    if request.method == "POST" and form.is_valid():
        record_feedback(system=there.system, via=Feedback.Via.FORM, by=there.user, now=there.now, **form.cleaned_data)
        messages.success(request, "Recorded. It is counted in the next review.")
        return redirect("operations:feedback", slug)
    rows = Feedback.objects.filter(system=there.system).select_related("recorded_by")
    if label := request.GET.get("release", ""):
        rows = rows.filter(release_label=label)
    page = keyset_page(rows, order=("-received_at", "-pk"), cursor=request.GET.get("cursor"))
    context = {**there.frame("operations:feedback"), "page": page, "form": form, "label": label}
    return render(request, "operations/feedback.html", context, status=422 if form.errors else 200)
