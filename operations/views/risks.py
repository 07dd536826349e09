"""The risk register of one system, with the risks that every GenAI system has as suggestions."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from operations import rules
from operations.actions import risks as act
from operations.forms import MomentForm
from operations.forms_incidents import RiskForm, in_days
from operations.models import Risk
from operations.views.shared import Visit, checked, visit, why_not


@dataclass(frozen=True)
class Suggestion:
    key: str
    title: str
    mitigation: str
    items: tuple[str, ...]


SUGGESTIONS = (
    Suggestion(
        "schema-drift",
        "A changed prompt makes answers drift away from their schema",
        "Every answer is validated, and brought into one canonical form before it is passed on.",
        ("contracts.output-schema", "contracts.canonical-output"),
    ),
    Suggestion(
        "long-contexts",
        "Long contexts cost more than was planned",
        "The context builder cuts at a hard cap; spending has a daily cap and an alert below it.",
        ("data.context-bounded", "cost.budget-guard"),
    ),
    Suggestion(
        "silent-regression",
        "Quality falls and nobody notices",
        "The golden set is run on every change, and a shadow evaluation on real traffic.",
        ("evaluation.gate", "evaluation.golden-set"),
    ),
)


@require_http_methods(["GET", "POST"])
def risks(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    chosen = next((one for one in SUGGESTIONS if one.key == request.GET.get("suggestion")), None)
    form = _form(request, there, _start(there, chosen))
    if request.method == "POST" and form.is_valid():
        act.add_risk(system=there.system, by=there.user, now=there.now, **form.cleaned_data)
        messages.success(request, "The risk is in the register.")
        return redirect("operations:risks", slug)
    rows = list(Risk.objects.filter(system=there.system).select_related("owner").prefetch_related("incidents"))
    known = {row.title for row in rows}
    context = {
        **there.frame("operations:risks"),
        "risks": [row for row in rows if row.state == Risk.State.OPEN],
        "closed": [row for row in rows if row.state == Risk.State.CLOSED],
        "suggestions": [one for one in SUGGESTIONS if one.title not in known],
        "today": there.now.date(),
        "form": form,
        "open": bool(form.errors) or chosen is not None,
        "reason": why_not(rules.keep_risks(there.person)),
    }
    return render(request, "operations/risks.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def risk(request: HttpRequest, slug: str, risk_id: UUID) -> HttpResponse:
    """One risk, looked at again: saving it, changed or not, is the review."""
    there = visit(request, slug)
    found = _risk(there, risk_id)
    start = {
        **{name: getattr(found, name) for name in ("title", "likelihood", "impact", "mitigation", "owner")},
        "review_on": in_days(there.now, 90),
        "items": " ".join(found.items),
        "incidents": list(found.incidents.values_list("pk", flat=True)),
    }
    form = _form(request, there, start)
    if request.method == "POST" and form.is_valid():
        act.review_risk(risk=found, by=there.user, now=there.now, **form.cleaned_data)
        messages.success(request, "Looked at again.")
        return redirect("operations:risks", slug)
    context = {
        **there.frame("operations:risks"),
        "risk": found,
        "form": form,
        "reason": why_not(rules.keep_risks(there.person, closed=found.state == Risk.State.CLOSED)),
    }
    return render(request, "operations/risk.html", context, status=422 if form.errors else 200)


@require_POST
def close(request: HttpRequest, slug: str, risk_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found, form = _risk(there, risk_id), checked(MomentForm(request.POST))
    act.close_risk(risk=found, reason=form.cleaned_data["text"], by=there.user, now=there.now)
    return redirect("operations:risks", slug)


@require_POST
def keep(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    act.keep_register(system=there.system, by=there.user, now=there.now)
    messages.success(request, "The register as it stands is kept as a record.")
    return redirect("operations:risks", slug)


def _form(request: HttpRequest, there: Visit, start: dict[str, Any]) -> RiskForm:
    return RiskForm(request.POST or None, system=there.system, now=there.now, initial=start)


def _start(there: Visit, chosen: Suggestion | None) -> dict[str, Any]:
    start: dict[str, Any] = {"review_on": in_days(there.now, 90), "owner": there.user}
    if chosen:
        start |= {"title": chosen.title, "mitigation": chosen.mitigation, "items": " ".join(chosen.items)}
    return start


def _risk(there: Visit, risk_id: UUID) -> Risk:
    return get_object_or_404(Risk.objects.select_related("system", "owner"), pk=risk_id, system=there.system)
