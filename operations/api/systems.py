"""What applications and pipelines ask about a system while it runs: its budget, its status, what stops it."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as caller
from audit import canonical
from operations.actions.alarms import acknowledge
from operations.actions.freezes import confirm_mitigation, impose_freeze, record_mitigation
from operations.actions.status import change_status
from operations.api import serializers
from operations.api.base import SystemView
from operations.budget import budget_state, lately, limits_of
from operations.models import Freeze, Notification
from operations.queries import alarm_delays, alarms, status_now
from web.idempotency import idempotent


class Budget(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=serializers.BudgetSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """What the system has spent today, and whether it may go on: an application asks before it spends. At most two
        seconds old."""
        system, now = self.system(request, slug), timezone.now()
        return Response(serializers.budget(slug, lately(str(system.pk), lambda: budget_state(system, now))))


class Status(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses={200: serializers.StatusSerializer, 304: None})
    def get(self, request: Request, slug: str) -> Response:
        """What callers are told. With `If-None-Match` an unchanged status costs an empty 304."""
        body = serializers.status(slug, status_now(self.system(request, slug), timezone.now()))
        return _tagged(request, body)

    @extend_schema(request=serializers.ChangeStatusSerializer, responses=serializers.StatusSerializer)
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Switches the system: degraded and fallback until a time, stopped until somebody changes it."""
        system, now = self.system(request, slug), timezone.now()
        data = serializers.valid(serializers.ChangeStatusSerializer, request)
        change_status(system=system, by=caller(request), now=now, **data)
        return Response(serializers.status(slug, status_now(system, now)))


class Freezes(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=serializers.FreezeSerializer(many=True), operation_id="freezes_list")
    def get(self, request: Request, slug: str) -> Response:
        """Freezes of the system, the active ones first."""
        system = self.system(request, slug)
        rows = Freeze.objects.filter(system=system).select_related("imposed_by", "mitigation_by")
        found = sorted(rows[:100], key=lambda row: row.lifted_at is not None)
        return Response([serializers.freeze(row) for row in found])

    @extend_schema(request=serializers.ImposeSerializer, responses={201: serializers.FreezeSerializer})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Freezes the system: no canary starts and nothing is promoted until a mitigation is confirmed by two."""
        system, now = self.system(request, slug), timezone.now()
        data = serializers.valid(serializers.ImposeSerializer, request)
        row = impose_freeze(system=system, reason=data["reason"], by=caller(request), now=now)
        return Response(serializers.freeze(row), status=201)


class FreezeAct(SystemView):
    def freeze(self, request: Request, slug: str, freeze_id: UUID) -> Freeze:
        return get_object_or_404(Freeze, pk=freeze_id, system=self.system(request, slug))


class Mitigation(FreezeAct):
    @extend_schema(request=serializers.MitigationSerializer, responses=serializers.FreezeSerializer)
    @idempotent
    def post(self, request: Request, slug: str, freeze_id: UUID) -> Response:
        """Records what was done. Written anew, earlier confirmations count no longer."""
        found = self.freeze(request, slug, freeze_id)
        data = serializers.valid(serializers.MitigationSerializer, request)
        return Response(
            serializers.freeze(record_mitigation(freeze=found, by=caller(request), now=timezone.now(), **data))
        )


class Confirmation(FreezeAct):
    @extend_schema(request=serializers.ConfirmSerializer, responses=serializers.FreezeSerializer)
    @idempotent
    def post(self, request: Request, slug: str, freeze_id: UUID) -> Response:
        """Confirms, for one side, the mitigation whose digest is sent back. The second lifts the freeze."""
        found = self.freeze(request, slug, freeze_id)
        data = serializers.valid(serializers.ConfirmSerializer, request)
        return Response(
            serializers.freeze(confirm_mitigation(freeze=found, by=caller(request), now=timezone.now(), **data))
        )


class Alarms(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=serializers.AlarmSerializer(many=True), operation_id="alarms_list")
    def get(self, request: Request, slug: str) -> Response:
        """Alarms of the last thirty days, with the time from breach to arrival."""
        found = alarms(self.system(request, slug), timezone.now())
        return Response([serializers.alarm(one) for one in found])


class AlarmDelays(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=serializers.AlarmDelaysSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """How long the budget alarms of the last thirty days took from breach to arrival; drills count."""
        system = self.system(request, slug)
        found = alarm_delays(system, timezone.now())
        return Response(serializers.alarm_delays(found, limit=limits_of(system).alarm_delay_max_s))


class Acknowledge(SystemView):
    @extend_schema(request=None, responses=serializers.AlarmSerializer)
    @idempotent
    def post(self, request: Request, slug: str, notification_id: UUID) -> Response:
        """Says that somebody has the alarm in hand: it is not escalated any more."""
        system, now = self.system(request, slug), timezone.now()
        found = get_object_or_404(Notification, pk=notification_id, system=system)
        acknowledge(notification=found, by=caller(request), now=now)
        shown = next(one for one in alarms(system, now, days=3650) if one.notification.pk == found.pk)
        return Response(serializers.alarm(shown))


def _tagged(request: Request, body: dict[str, Any]) -> Response:
    etag = f'"{canonical.digest(body)}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    if etag in {tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")}:
        return Response(status=304, headers=headers)
    return Response(body, headers=headers)
