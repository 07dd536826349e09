"""The budget of one system: what it spends by day, what it should be, and what its tenants may spend."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from audit import trail
from operations import rules
from operations.actions import budgets as act
from operations.budget import NANO, budget_state, day_of
from operations.budget_weeks import model_of, weeks
from operations.forms_plans import CalculatorForm, TenantBudgetForm
from operations.models import TenantBudget
from operations.spending import Plan, plan
from operations.views.shared import Visit, checked, visit, why_not
from systems.actions import propose_policy


@require_GET
def budget(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    return _page(
        request,
        there,
        CalculatorForm(request.GET if "buffer" in request.GET else None, initial=model_of(there.system, now=there.now)),
    )


@require_POST
def propose(request: HttpRequest, slug: str) -> HttpResponse:
    """The calculated cap and alert as the next version of the running policy: one step, and a second person."""
    there = visit(request, slug)
    form = checked(CalculatorForm(request.POST))
    found = plan(**form.cleaned_data)
    reason = (
        f"Budget model: {form.cleaned_data['requests_per_day']} requests a day with "
        f"{form.cleaned_data['tokens_in']} + {form.cleaned_data['tokens_out']} tokens, "
        f"buffer {form.cleaned_data['buffer'] * 100:.0f} %."
    )
    body = {"budget_daily_usd": str(found.cap_usd), "budget_alert_usd": str(found.alert_usd)}
    propose_policy(system=there.system, part="running", body=body, reason=reason, by=there.user, now=there.now)
    messages.success(request, "Proposed. It holds once a second person has approved it.")
    return redirect("systems:policy", slug)


@require_POST
def tenant(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    form = TenantBudgetForm(request.POST, system=there.system, now=there.now, auto_id="tenant_%s")
    if not form.is_valid():
        return _page(request, there, CalculatorForm(initial=model_of(there.system, now=there.now)), tenant_form=form)
    act.set_tenant_budget(system=there.system, by=there.user, now=there.now, **form.cleaned_data)
    messages.success(request, "Set.")
    return redirect("operations:budget", slug)


@require_POST
def remove_tenant(request: HttpRequest, slug: str, tenant_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = get_object_or_404(TenantBudget.objects.select_related("system"), pk=tenant_id, system=there.system)
    act.remove_tenant_budget(budget=found, by=there.user, now=there.now)
    return redirect("operations:budget", slug)


def _page(
    request: HttpRequest, there: Visit, form: CalculatorForm, *, tenant_form: TenantBudgetForm | None = None
) -> HttpResponse:
    system, now = there.system, there.now
    state = budget_state(system, now)
    result: Plan | None = plan(**form.cleaned_data) if form.is_bound and form.is_valid() else None
    found = weeks(system, now=now)
    context = {
        **there.frame("operations:budget"),
        "budget": state,
        "used": min(100, 100 * state.spent_nanousd // state.cap_nanousd),
        "weeks": found,
        "spark": [Decimal(spent) / NANO for _, spent in found.days],
        "cap": Decimal(state.cap_nanousd) / NANO,
        "form": form,
        "result": result,
        "tenants": [_tenant(row, there) for row in TenantBudget.objects.filter(system=system).select_related("owner")],
        "tenant_form": tenant_form or TenantBudgetForm(system=system, now=now, auto_id="tenant_%s"),
        "tenant_open": tenant_form is not None,
        "tenant_reason": why_not(rules.set_budget(there.person)),
    }
    refused = (tenant_form is not None) or (form.is_bound and not form.is_valid())
    return render(request, "operations/budget.html", context, status=422 if refused else 200)


def _tenant(row: TenantBudget, there: Visit) -> dict[str, Any]:
    today = day_of(there.system.time_zone, timezone.now())
    spent = trail.spend(there.system.slug, since=today.start, until=today.end, tenant=row.tenant)
    state = "exceeded" if spent >= row.cap_nanousd else "alert" if spent >= row.alert_nanousd else "ok"
    return {"row": row, "spent": spent, "state": state}
