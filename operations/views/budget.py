"""The budget of one system: what it spends by day, what it should be, and what its tenants may spend."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from audit import trail
from audit.models import Spend
from operations import rules
from operations.actions import budgets as act
from operations.budget import NANO, budget_state, day_of, limits_of
from operations.forms_plans import CalculatorForm, TenantBudgetForm
from operations.models import TenantBudget
from operations.numbers import daily
from operations.spending import Averages, Plan, plan, variance
from operations.views.shared import Visit, checked, visit, why_not
from systems.actions import propose_policy
from systems.models import System

WEEK = timedelta(days=7)


@require_GET
def budget(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    return _page(
        request, there, CalculatorForm(request.GET if "buffer" in request.GET else None, initial=_start(there))
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
        return _page(request, there, CalculatorForm(initial=_start(there)), tenant_form=form)
    act.set_tenant_budget(system=there.system, by=there.user, now=there.now, **form.cleaned_data)
    messages.success(request, "Set.")
    return redirect("operations:budget", slug)


@require_POST
def remove_tenant(request: HttpRequest, slug: str, tenant_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = get_object_or_404(TenantBudget.objects.select_related("system"), pk=tenant_id, system=there.system)
    act.remove_tenant_budget(budget=found, by=there.user, now=there.now)
    return redirect("operations:budget", slug)


def averages(system: System, *, now: datetime) -> Averages:
    """What the last seven days of the trail used."""
    seen = trail.rates(system.slug, since=now - WEEK, until=now)
    used = Spend.objects.filter(system=system.slug, bucket__gte=now - WEEK, bucket__lt=now).aggregate(
        tokens_in=Sum("tokens_in", default=0), tokens_out=Sum("tokens_out", default=0)
    )
    return Averages(seen.requests, 7, used["tokens_in"], used["tokens_out"], seen.cost_nanousd, seen.cost_known)


def _start(there: Visit) -> dict[str, Any]:
    found = averages(there.system, now=there.now)
    start: dict[str, Any] = {
        "requests_per_day": found.requests_per_day,
        "tokens_in": found.tokens_in_each,
        "tokens_out": found.tokens_out_each,
    }
    tokens = found.tokens_in + found.tokens_out
    if found.cost_nanousd and tokens:
        # The price that the trail was charged, for any token: people put the provider's two prices here.
        each = (Decimal(found.cost_nanousd) / NANO / tokens * 1_000_000).quantize(Decimal("0.0001"))
        start |= {"price_in": each, "price_out": each}
    return start


def _page(
    request: HttpRequest, there: Visit, form: CalculatorForm, *, tenant_form: TenantBudgetForm | None = None
) -> HttpResponse:
    system, now = there.system, there.now
    state = budget_state(system, now)
    this_week = trail.spend(system.slug, since=now - WEEK, until=now)
    last_week = trail.spend(system.slug, since=now - 2 * WEEK, until=now - WEEK)
    result: Plan | None = plan(**form.cleaned_data) if form.is_bound and form.is_valid() else None
    change, limit = variance(this_week, last_week), limits_of(system).budget_variance
    days = daily(system, since=now - timedelta(days=13), until=now)
    context = {
        **there.frame("operations:budget"),
        "budget": state,
        "used": min(100, 100 * state.spent_nanousd // state.cap_nanousd),
        "days": days,
        "spark": [Decimal(spent) / NANO for _, spent in days],
        "cap": Decimal(state.cap_nanousd) / NANO,
        "this_week": this_week,
        "last_week": last_week,
        "change": change,
        "change_limit": limit,
        "within": change is None or abs(change) <= limit,
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
