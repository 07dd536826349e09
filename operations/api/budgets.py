"""Budgets of tenants, the calculator, and error budgets, for programs."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as caller
from audit import trail
from operations.actions import budgets
from operations.api.base import SystemView
from operations.api.incidents import member_of
from operations.api.serializers import usd, valid
from operations.budget import day_of, judge, lately
from operations.budget_weeks import model_of, weeks
from operations.models import TenantBudget
from operations.numbers import objectives_of
from operations.objectives import WINDOW_DAYS, Objective
from operations.spending import plan
from web.idempotency import idempotent

MOST = 500


class ObjectiveSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    title = serializers.CharField()
    tolerated = serializers.CharField()
    counted = serializers.IntegerField()
    bad = serializers.IntegerField()
    used = serializers.CharField(allow_null=True, help_text="Share of the error budget that is gone.")
    burn = serializers.CharField(allow_null=True, help_text="Of the last hour; 1 is just sustainable.")
    state = serializers.ChoiceField(["ok", "alert", "exceeded", "unknown"])


class Objectives(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=ObjectiveSerializer(many=True), operation_id="objectives_list")
    def get(self, request: Request, slug: str) -> Response:
        """Error budgets of the last thirty days."""
        now = timezone.now()
        found = objectives_of(self.system(request, slug), since=now - timedelta(days=WINDOW_DAYS), until=now)
        return Response([objective(one) for one in found])


def objective(one: Objective) -> dict[str, Any]:
    plain = ("key", "counted", "bad", "state")
    return {
        **{name: getattr(one, name) for name in plain},
        "title": one.label,
        "tolerated": str(one.tolerated),
        "used": str(one.used) if one.used is not None else None,
        "burn": str(one.burn) if one.burn is not None else None,
    }


class NewTenantBudgetSerializer(serializers.Serializer[Any]):
    tenant = serializers.CharField(max_length=100)
    cap_usd = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=Decimal("0.01"))
    alert_usd = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=Decimal("0.01"))
    owner = serializers.EmailField()


class TenantBudgetSerializer(serializers.Serializer[Any]):
    tenant = serializers.CharField()
    state = serializers.ChoiceField(["ok", "alert", "exceeded"])
    day = serializers.DateField()
    spent_usd = serializers.CharField()
    alert_usd = serializers.CharField()
    cap_usd = serializers.CharField()


def tenant_budget(row: TenantBudget) -> dict[str, Any]:
    today = day_of(row.system.time_zone, timezone.now())
    spent = trail.spend(row.system.slug, since=today.start, until=today.end, tenant=row.tenant)
    return {
        "tenant": row.tenant,
        "state": judge(spent, alert=row.alert_nanousd, cap=row.cap_nanousd),
        "day": today.day,
        "spent_usd": usd(spent),
        "alert_usd": usd(row.alert_nanousd),
        "cap_usd": usd(row.cap_nanousd),
    }


class TenantBudgets(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=TenantBudgetSerializer(many=True), operation_id="tenant_budgets_list")
    def get(self, request: Request, slug: str) -> Response:
        rows = TenantBudget.objects.filter(system=self.system(request, slug)).select_related("system")
        return Response([tenant_budget(row) for row in rows[:MOST]])

    @extend_schema(request=NewTenantBudgetSerializer, responses={201: TenantBudgetSerializer})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Sets what a tenant may spend per day. Set again, the new amounts hold from now on."""
        system, data = self.system(request, slug), valid(NewTenantBudgetSerializer, request)
        data["owner"] = member_of(data["owner"])
        row = budgets.set_tenant_budget(system=system, by=caller(request), now=timezone.now(), **data)
        return Response(tenant_budget(row), status=201)


class TenantBudgetState(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=TenantBudgetSerializer)
    def get(self, request: Request, slug: str, tenant: str) -> Response:
        """What one tenant has spent today, and whether it may go on; at most two seconds old. A tenant without a budget
        is not found."""
        rows = TenantBudget.objects.select_related("system")
        row = get_object_or_404(rows, system=self.system(request, slug), tenant=tenant)
        return Response(lately(f"{row.pk}:{row.set_at.timestamp()}", lambda: tenant_budget(row)))


class BudgetPlanInSerializer(serializers.Serializer[Any]):
    requests_per_day = serializers.DecimalField(max_digits=14, decimal_places=2, min_value=0)
    tokens_in = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=0)
    tokens_out = serializers.DecimalField(max_digits=12, decimal_places=2, min_value=0)
    price_in = serializers.DecimalField(max_digits=12, decimal_places=4, min_value=0, help_text="USD per million.")
    price_out = serializers.DecimalField(max_digits=12, decimal_places=4, min_value=0, help_text="USD per million.")
    buffer = serializers.DecimalField(max_digits=4, decimal_places=2, min_value=0, max_value=1, default=Decimal("0.2"))


class BudgetPlanSerializer(serializers.Serializer[Any]):
    expected_usd = serializers.CharField()
    cap_usd = serializers.CharField()
    alert_usd = serializers.CharField()
    month_usd = serializers.CharField()


class BudgetWeeksSerializer(serializers.Serializer[Any]):
    days = serializers.ListField(child=serializers.DictField(), help_text="Of two weeks: day, spent_usd.")
    this_week_usd = serializers.CharField()
    last_week_usd = serializers.CharField()
    change = serializers.CharField(allow_null=True, help_text="A share; null where the week before spent nothing.")
    change_max = serializers.CharField()
    within = serializers.BooleanField()


class BudgetWeeks(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=BudgetWeeksSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Spending by budget day, and the change from week to week beside what the policy allows."""
        found = weeks(self.system(request, slug), now=timezone.now())
        return Response(
            {
                "days": [{"day": day.isoformat(), "spent_usd": usd(spent)} for day, spent in found.days],
                "this_week_usd": usd(found.this_week),
                "last_week_usd": usd(found.last_week),
                "change": str(found.change) if found.change is not None else None,
                "change_max": str(found.limit),
                "within": found.within,
            }
        )


class BudgetPlan(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=BudgetPlanInSerializer, operation_id="budget_model")
    def get(self, request: Request, slug: str) -> Response:
        """Where the calculator starts: averages of the trail's last seven days, and what a token cost in them."""
        found = model_of(self.system(request, slug), now=timezone.now())
        return Response({name: str(amount) for name, amount in found.items()})

    @extend_schema(request=BudgetPlanInSerializer, responses=BudgetPlanSerializer)
    def post(self, request: Request, slug: str) -> Response:
        """Calculates a cap and an alert from averages. It changes nothing: the policy is proposed apart."""
        self.system(request, slug)
        found = plan(**valid(BudgetPlanInSerializer, request))
        names = ("expected_usd", "cap_usd", "alert_usd", "month_usd")
        return Response({name: str(getattr(found, name)) for name in names})
