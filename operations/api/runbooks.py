"""Runbooks and the degradation plan, for programs."""

from typing import Any
from uuid import UUID

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as caller
from operations.actions import runbooks
from operations.api.base import SystemView
from operations.api.serializers import valid
from operations.models import DegradationPlan, Runbook, RunbookVersion, StatusChange
from web.idempotency import idempotent

MOST = 500


class NewRunbookSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=120)
    kind = serializers.ChoiceField(Runbook.Kind.choices)
    text = serializers.CharField(max_length=runbooks.LONGEST, trim_whitespace=False)
    note = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")


class RunbookSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    title = serializers.CharField()
    kind = serializers.ChoiceField(Runbook.Kind.choices)
    number = serializers.IntegerField()
    sha256 = serializers.CharField()
    missing = serializers.ListField(child=serializers.CharField(), help_text="Required parts that the text lacks.")
    text = serializers.CharField()
    created_at = serializers.DateTimeField()


def runbook(version: RunbookVersion) -> dict[str, Any]:
    plain = ("number", "sha256", "missing", "text", "created_at")
    found = version.runbook
    return {"id": str(found.pk), "title": found.title, "kind": found.kind,
            **{name: getattr(version, name) for name in plain}}  # fmt: skip


class Runbooks(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=RunbookSerializer(many=True), operation_id="runbooks_list")
    def get(self, request: Request, slug: str) -> Response:
        """Every runbook in its newest version."""
        rows = RunbookVersion.objects.filter(runbook__system=self.system(request, slug)).select_related("runbook")
        newest = rows.order_by("runbook_id", "-number").distinct("runbook_id")
        return Response([runbook(row) for row in newest[:MOST]])

    @extend_schema(request=NewRunbookSerializer, responses={201: RunbookSerializer})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """The next version of the runbook with this title; the first one makes it."""
        system, data = self.system(request, slug), valid(NewRunbookSerializer, request)
        version = runbooks.write_runbook(system=system, by=caller(request), now=timezone.now(), **data)
        return Response(runbook(version), status=201)


class RunbookDetail(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=RunbookSerializer)
    def get(self, request: Request, slug: str, runbook_id: UUID) -> Response:
        rows = RunbookVersion.objects.filter(runbook=runbook_id, runbook__system=self.system(request, slug))
        version = rows.select_related("runbook").first()
        if version is None:
            raise Http404("This system has no such runbook.")
        return Response(runbook(version))


class StepSerializer(serializers.Serializer[Any]):
    do = serializers.CharField(max_length=500)
    undo = serializers.CharField(max_length=500)
    status = serializers.ChoiceField(StatusChange.Status.choices)


class NewPlanSerializer(serializers.Serializer[Any]):
    steps = StepSerializer(many=True)


class DegradationSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(allow_null=True, help_text="Null: there is no plan.")
    sha256 = serializers.CharField()
    steps = StepSerializer(many=True)


def degradation(row: DegradationPlan | None) -> dict[str, Any]:
    if row is None:
        return {"number": None, "sha256": "", "steps": []}
    return {"number": row.number, "sha256": row.sha256, "steps": row.steps}


class Degradation(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=DegradationSerializer)
    def get(self, request: Request, slug: str) -> Response:
        return Response(degradation(DegradationPlan.objects.filter(system=self.system(request, slug)).first()))

    @extend_schema(request=NewPlanSerializer, responses={201: DegradationSerializer})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        system, data = self.system(request, slug), valid(NewPlanSerializer, request)
        row = runbooks.write_plan(system=system, steps=data["steps"], by=caller(request), now=timezone.now())
        return Response(degradation(row), status=201)
