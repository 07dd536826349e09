"""Runbooks of one system, and its degradation plan."""

from uuid import UUID

from django.contrib import messages
from django.db.models import Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_GET, require_http_methods

from operations import rules
from operations import runbook as parts
from operations.actions import runbooks as act
from operations.forms_plans import PlanForm, RunbookForm, plan_text
from operations.models import DegradationPlan, Runbook
from operations.views.shared import Visit, visit, why_not
from systems.views.shared import address


@require_GET
def runbooks(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    context = {
        **there.frame("operations:runbooks"),
        "runbooks": [_newest(row) for row in Runbook.objects.filter(system=there.system).order_by("title")[:100]],
        "plan": DegradationPlan.objects.filter(system=there.system).select_related("author").first(),
        "last_good": address("releases:last-good", slug),
        "reason": why_not(rules.write_runbook(there.person)),
    }
    return render(request, "operations/runbooks.html", context)


@require_GET
def runbook(request: HttpRequest, slug: str, runbook_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = _runbook(there, runbook_id)
    versions = list(found.versions.select_related("author").annotate(tested_on=_tested()).order_by("-number"))
    number = request.GET.get("version", "")
    version = next((one for one in versions if str(one.number) == number), versions[0])
    context = {
        **there.frame("operations:runbooks"),
        "runbook": found,
        "version": version,
        "versions": versions,
        "parts": parts.parts_of(version.missing),
        "html": mark_safe(parts.html(version.text)),  # noqa: S308 -- cleaned to a few tags by nh3
        "last_good": address("releases:last-good", slug),
        "reason": why_not(rules.write_runbook(there.person)),
    }
    return render(request, "operations/runbook.html", context)


@require_http_methods(["GET", "POST"])
def write(request: HttpRequest, slug: str) -> HttpResponse:
    """A new runbook, or with ?runbook= the next version of one."""
    there = visit(request, slug)
    given = request.GET.get("runbook", "")
    found = Runbook.objects.filter(system=there.system, title=given).first() if given else None
    newest = found.versions.first() if found else None
    start = {"title": given, "kind": found.kind if found else Runbook.Kind.MODEL_OUTAGE}
    form = RunbookForm(request.POST or None, initial=start | {"text": newest.text if newest else parts.TEMPLATE})
    if request.method == "POST" and form.is_valid():
        version = act.write_runbook(system=there.system, by=there.user, now=there.now, **form.cleaned_data)
        lacks = "It lacks required parts, and backs no item until they are there." if version.missing else "Kept."
        messages.success(request, f"Version {version.number}. {lacks}")
        return redirect("operations:runbook", slug, version.runbook_id)
    context = {
        **there.frame("operations:runbooks"),
        "form": form,
        "parts": parts.PARTS,
        "reason": why_not(rules.write_runbook(there.person)),
    }
    return render(request, "operations/write_runbook.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def plan(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    plans = list(DegradationPlan.objects.filter(system=there.system).select_related("author")[:20])
    form = PlanForm(request.POST or None, initial={"steps": plan_text(plans[0].steps) if plans else ""})
    if request.method == "POST" and form.is_valid():
        act.write_plan(system=there.system, steps=form.cleaned_data["steps"], by=there.user, now=there.now)
        messages.success(request, "The plan is kept.")
        return redirect("operations:runbooks", slug)
    context = {
        **there.frame("operations:runbooks"),
        "form": form,
        "plans": plans,
        "reason": why_not(rules.write_runbook(there.person)),
    }
    return render(request, "operations/plan.html", context, status=422 if form.errors else 200)


def _newest(row: Runbook) -> dict[str, object]:
    version = row.versions.select_related("author").annotate(tested_on=_tested()).order_by("-number").first()
    return {"runbook": row, "version": version}


def _tested() -> Max:
    """When a runbook drill with this version was last passed."""
    return Max("drills__ended_at", filter=Q(drills__outcome="passed"))


def _runbook(there: Visit, runbook_id: UUID) -> Runbook:
    return get_object_or_404(Runbook, pk=runbook_id, system=there.system)
