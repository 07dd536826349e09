"""The risk register, for programs."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as caller
from operations.actions import risks
from operations.api.base import SystemView
from operations.api.incidents import member_of
from operations.api.serializers import valid
from operations.models import Incident, Risk
from web.idempotency import idempotent

MOST = 500


class NewRiskSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=200)
    likelihood = serializers.IntegerField(min_value=1, max_value=5)
    impact = serializers.IntegerField(min_value=1, max_value=5)
    mitigation = serializers.CharField(max_length=4000)
    owner = serializers.EmailField(help_text="Who answers for it: the address of a member.")
    review_on = serializers.DateField()
    items = serializers.ListField(child=serializers.CharField(max_length=100), required=False, default=list)
    incidents = serializers.ListField(child=serializers.UUIDField(), required=False, default=list)


class RiskSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    title = serializers.CharField()
    likelihood = serializers.IntegerField()
    impact = serializers.IntegerField()
    mitigation = serializers.CharField()
    owner = serializers.CharField()
    review_on = serializers.CharField()
    items = serializers.ListField(child=serializers.CharField())
    incidents = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(Risk.State.choices)


class WhySerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500)


class RecordSerializer(serializers.Serializer[Any]):
    digest = serializers.CharField(help_text="Of the record that was kept.")


def risk(row: Risk) -> dict[str, Any]:
    return {"id": str(row.pk), **risks.shown(row)}


def _risk_data(request: Request, system: Any) -> dict[str, Any]:
    data = valid(NewRiskSerializer, request)
    found = list(Incident.objects.filter(system=system, pk__in=data["incidents"]))
    if len(found) != len(set(data["incidents"])):
        raise Http404("This system has no such incident.")
    return data | {"owner": member_of(data["owner"]), "incidents": found}


class Risks(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=RiskSerializer(many=True), operation_id="risks_list")
    def get(self, request: Request, slug: str) -> Response:
        rows = Risk.objects.filter(system=self.system(request, slug)).select_related("owner")
        return Response([risk(row) for row in rows[:MOST]])

    @extend_schema(request=NewRiskSerializer, responses={201: RiskSerializer})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        system = self.system(request, slug)
        row = risks.add_risk(system=system, by=caller(request), now=timezone.now(), **_risk_data(request, system))
        return Response(risk(row), status=201)


class KeepRisks(SystemView):
    @extend_schema(request=None, responses={201: RecordSerializer})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Keeps the register as it stands as a record, which backs the items that ask for one."""
        system = self.system(request, slug)
        digest = risks.keep_register(system=system, by=caller(request), now=timezone.now())
        return Response({"digest": digest}, status=201)


class RiskView(SystemView):
    def risk(self, request: Request, slug: str, risk_id: UUID) -> Risk:
        rows = Risk.objects.select_related("system", "owner")
        return get_object_or_404(rows, pk=risk_id, system=self.system(request, slug))


class RiskDetail(RiskView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=RiskSerializer)
    def get(self, request: Request, slug: str, risk_id: UUID) -> Response:
        return Response(risk(self.risk(request, slug, risk_id)))

    @extend_schema(operation_id="risks_change", request=NewRiskSerializer, responses=RiskSerializer)
    @idempotent
    def post(self, request: Request, slug: str, risk_id: UUID) -> Response:
        """Looks at it again; sent unchanged, that nothing changed is on the record."""
        found = self.risk(request, slug, risk_id)
        data = _risk_data(request, found.system)
        return Response(risk(risks.review_risk(risk=found, by=caller(request), now=timezone.now(), **data)))


class CloseRisk(RiskView):
    @extend_schema(request=WhySerializer, responses=RiskSerializer)
    @idempotent
    def post(self, request: Request, slug: str, risk_id: UUID) -> Response:
        found, data = self.risk(request, slug, risk_id), valid(WhySerializer, request)
        return Response(risk(risks.close_risk(risk=found, by=caller(request), now=timezone.now(), **data)))
