"""The operations of one system on one page: what it spends, what callers are told, what stops it, who was alarmed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from operations import rules
from operations.actions.freezes import confirm_mitigation, impose_freeze, record_mitigation
from operations.actions.status import change_status
from operations.budget import budget_state, limits_of
from operations.conditions import open_conditions
from operations.forms import ConfirmForm, FreezeForm, MitigationForm, StatusForm
from operations.models import DegradationPlan, Drill, Freeze
from operations.numbers import objectives_of
from operations.objectives import WINDOW_DAYS
from operations.queries import active_freezes, alarm_delays, alarms, proven_alarm_channels, status_now
from operations.views.shared import Visit, checked, visit
from systems.models import System


@require_GET
def system(request: HttpRequest, slug: str) -> HttpResponse:
    return _page(request, visit(request, slug))


@require_POST
def status(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    form = StatusForm(request.POST, plan=plan_of(there.system), auto_id="status_%s")
    if not form.is_valid():
        return _page(request, there, status_form=form)
    change = change_status(
        system=there.system,
        status=form.cleaned_data["status"],
        step=form.cleaned_data["step"],
        reason=form.cleaned_data["reason"],
        expires_at=form.expires_at(there.now),
        by=there.user,
        now=there.now,
    )
    messages.success(request, f"{there.system.name} is {change.get_status_display().lower()} now.")
    return redirect("operations:system", slug)


@require_POST
def freeze(request: HttpRequest, slug: str) -> HttpResponse:
    there = visit(request, slug)
    form = FreezeForm(request.POST, auto_id="freeze_%s")
    if not form.is_valid():
        return _page(request, there, freeze_form=form)
    impose_freeze(system=there.system, reason=form.cleaned_data["reason"], by=there.user, now=there.now)
    messages.success(request, f"{there.system.name} is frozen.")
    return redirect("operations:system", slug)


@require_POST
def mitigation(request: HttpRequest, slug: str, freeze_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = get_object_or_404(Freeze, pk=freeze_id, system=there.system)
    form = checked(MitigationForm(request.POST))
    record_mitigation(freeze=found, by=there.user, now=there.now, **form.cleaned_data)
    messages.success(request, "The mitigation is recorded. Engineering and operations confirm it.")
    return redirect("operations:system", slug)


@require_POST
def confirmation(request: HttpRequest, slug: str, freeze_id: UUID) -> HttpResponse:
    there = visit(request, slug)
    found = get_object_or_404(Freeze, pk=freeze_id, system=there.system)
    form = checked(ConfirmForm(request.POST))
    found = confirm_mitigation(freeze=found, by=there.user, now=there.now, **form.cleaned_data)
    messages.success(
        request, "The freeze is lifted." if found.lifted_at else "Confirmed. The other side is still missing."
    )
    return redirect("operations:system", slug)


def _page(
    request: HttpRequest, there: Visit, *, status_form: StatusForm | None = None, freeze_form: FreezeForm | None = None
) -> HttpResponse:
    refused = status_form or freeze_form
    budget = budget_state(there.system, there.now)
    current = status_now(there.system, there.now)
    delays, delay_limit = alarm_delays(there.system, there.now), limits_of(there.system).alarm_delay_max_s
    return render(
        request,
        "operations/system.html",
        {
            **there.frame("operations:system"),
            "budget": budget,
            "used": min(100, 100 * budget.spent_nanousd // budget.cap_nanousd),
            "status": current,
            # Several forms on one page: ids of their own.
            "status_form": status_form or StatusForm(plan=plan_of(there.system), auto_id="status_%s"),
            "status_reason": _first(rules.needs_role(there.person, rules.MAY_SWITCH, "Switching a system")),
            "freezes": [_freeze(found, there) for found in active_freezes(there.system, there.now)],
            "freeze_form": freeze_form or FreezeForm(auto_id="freeze_%s"),
            "freeze_reason": _first(rules.impose_freeze(there.person)),
            "lifted": Freeze.objects.filter(system=there.system, lifted_at__isnull=False)[:5],
            "alarms": alarms(there.system, there.now)[:10],
            "delays": delays,
            "delay_limit": delay_limit,
            "too_slow": delays.worst is not None and delays.worst > timedelta(seconds=delay_limit),
            "acknowledge_reason": _first(rules.acknowledge(there.person, alarm=True, acknowledged=False)),
            "conditions": open_conditions(there.system),
            "objectives": objectives_of(there.system, since=there.now - timedelta(days=WINDOW_DAYS), until=there.now),
            "proven": proven_alarm_channels(there.system),
            "drills": Drill.objects.filter(system=there.system)[:5],
            "freeze_open": freeze_form is not None,
            "status_open": status_form is not None,
        },
        status=422 if refused else 200,
    )


def _freeze(found: Freeze, there: Visit) -> dict[str, Any]:
    """A freeze with what this person may do about it, and why not."""
    return {
        "freeze": found,
        "mitigation_form": MitigationForm(
            initial={"text": found.mitigation, "release_label": found.mitigation_release},
            auto_id=f"mitigate_{found.pk}_%s",
        ),
        "mitigation_reason": _first(rules.record_mitigation(found.state, there.person)),
        "sides": [
            {
                "side": side,
                "by": getattr(found, f"confirmed_{side}_by"),
                "at": getattr(found, f"confirmed_{side}_at"),
                "reason": _first(rules.confirm_mitigation(found.state, side, there.person)),
            }
            for side in rules.SIDES
        ],
    }


def plan_of(system: System) -> DegradationPlan | None:
    return DegradationPlan.objects.filter(system=system).first()


def _first(reasons: list[rules.Reason]) -> str:
    return reasons[0].text if reasons else ""
