"""Rehearsals: the list, a new one, and the page on which one is run."""

from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from audit import vault
from operations import rules
from operations.actions import drills as act
from operations.drill_schedule import schedule
from operations.errors import InvalidInput
from operations.forms import DrillForm, EndForm, MomentForm
from operations.models import Drill
from operations.views.shared import Visit, checked, visit
from web.paging import keyset_page


@require_http_methods(["GET", "POST"])
def drills(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    reasons = rules.plan_drill(there.person)
    form = DrillForm(request.POST or None, system=there.system, now=there.now)
    if request.method == "POST" and form.is_valid():
        try:
            drill = act.plan_drill(system=there.system, by=there.user, now=there.now, **form.cleaned_data)
        except InvalidInput as problem:
            form.add_error(None, problem.detail)
        else:
            messages.success(request, "The drill is planned. Its clock starts when it is started.")
            return redirect("operations:drill", slug, drill.pk)
    page = keyset_page(
        Drill.objects.filter(system=there.system).select_related("planned_by"),
        order=("-planned_at", "-pk"),
        cursor=request.GET.get("cursor"),
    )
    return render(
        request,
        "operations/drills.html",
        {
            **there.frame("operations:drills"),
            "page": page,
            "schedule": schedule(there.system, now=there.now),
            "form": form,
            "reason": reasons[0].text if reasons else "",
        },
        status=422 if form.errors else 200,
    )


@require_GET
def drill(request: HttpRequest, slug: str, drill_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = _drill(there, drill_id)
    response = _page(request, there, found, EndForm(by_product=found.by_product))
    if request.headers.get("HX-Request") and found.state == Drill.State.ENDED:
        response["HX-Refresh"] = "true"  # the timeline has followed until here; the rest of the page changes now
    return response


@require_POST
def start(request: HttpRequest, slug: str, drill_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = act.start_drill(drill=_drill(there, drill_id), by=there.user, now=there.now)
    runs = "The product runs it: this page follows." if found.by_product else "The clock runs."
    messages.success(request, runs)
    return _back(found)


@require_POST
def moment(request: HttpRequest, slug: str, drill_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = _drill(there, drill_id)
    form = checked(MomentForm(request.POST))
    act.note_moment(drill=found, text=form.cleaned_data["text"], by=there.user, now=there.now)
    return _back(found)


@require_POST
def recovered(request: HttpRequest, slug: str, drill_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = act.mark_recovered(drill=_drill(there, drill_id), by=there.user, now=there.now)
    messages.success(request, "The clock has stopped. Write down what was learnt, then end the drill.")
    return _back(found)


@require_POST
def end(request: HttpRequest, slug: str, drill_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = _drill(there, drill_id)
    form = EndForm(request.POST, request.FILES, by_product=found.by_product)
    if not form.is_valid():
        return _page(request, there, found, form)
    file = form.cleaned_data["evidence"]
    act.end_drill(
        drill=found,
        outcome=form.cleaned_data["outcome"],
        log=form.cleaned_data["log"],
        evidence=file.read() if file else None,
        evidence_name=file.name if file else "",
        evidence_type=file.content_type or "application/octet-stream" if file else "",
        by=there.user,
        now=there.now,
    )
    messages.success(request, "The drill has ended and does not change any more.")
    return _back(found)


@require_GET
def evidence(request: HttpRequest, slug: str, drill_id: UUID) -> HttpResponse:
    """The file, never rendered by the browser: whoever attached it could have put a page into it."""
    there = visit(request, slug)
    found = get_object_or_404(Drill.objects.exclude(evidence_digest=""), pk=drill_id, system=there.system)
    response = HttpResponse(vault.get(found.evidence_digest), content_type="application/octet-stream")
    response["Content-Disposition"] = content_disposition_header(True, found.evidence_name or "evidence")
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _drill(there: Visit, drill_id: UUID) -> Drill:
    return get_object_or_404(
        Drill.objects.select_related("system", "planned_by", "started_by", "ended_by", "hook", "runbook__runbook"),
        pk=drill_id,
        system=there.system,
    )


def _back(found: Drill) -> HttpResponse:
    return redirect(reverse("operations:drill", args=[found.system.slug, found.pk]))


def _page(request: HttpRequest, there: Visit, found: Drill, form: EndForm) -> HttpResponse:
    reasons = rules.needs_role(there.person, rules.MAY_DRILL, "Running a drill")
    return render(
        request,
        "operations/drill.html",
        {
            **there.frame("operations:drills"),
            "drill": found,
            "events": _events(found),
            "followed": found.by_product and found.state == Drill.State.RUNNING,
            "participants": found.participants.order_by("name"),
            "moment_form": MomentForm(),
            "form": form,
            "reason": reasons[0].text if reasons else "",
        },
        status=422 if form.errors else 200,
    )


def _events(found: Drill) -> list[dict[str, object]]:
    """The timeline, newest first: what the clock knows, and what people noted. Of one moment the mark comes last."""
    moments = [
        (moment.at, "noted", moment.text, moment.by.name if moment.by else "")
        for moment in found.moments.select_related("by")
    ]
    seen = found.by_product and found.recovered_at  # by the product, not by whoever started it
    marks = [
        (found.planned_at, "open", "planned it", found.planned_by),
        (found.started_at, "running", "started the clock", found.started_by),
        (found.recovered_at, "ok", "Recovered", None),
        (found.ended_at, found.outcome, f"{'Ended' if seen else 'ended it'}: {found.get_outcome_display().lower()}",
         None if seen else found.ended_by),
    ]  # fmt: skip
    known = [(at, status, text, who.name if who else "") for at, status, text, who in marks if at is not None]
    events = [
        {"status": status, "sentence": text, "who": who, "at": at, "absolute": True, "detail": _into(found, at)}
        for at, status, text, who in [*moments, *known]
    ]
    return sorted(events, key=lambda event: str(event["at"]))[::-1]


def _into(found: Drill, at: datetime) -> str:
    """How far into the drill: what a time to the minute does not show."""
    if found.started_at is None or at <= found.started_at:
        return ""
    seconds = int((at - found.started_at).total_seconds())
    return f"{seconds // 60} min {seconds % 60:02d} s in" if seconds >= 60 else f"{seconds} s in"
