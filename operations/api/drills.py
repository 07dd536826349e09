from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as caller
from accounts.models import User
from operations import rehearsing
from operations.actions import drills as act
from operations.api import serializers
from operations.api.base import CURSOR, SystemView
from operations.drill_schedule import schedule
from operations.errors import InvalidInput
from operations.models import Drill
from operations.queries import channels_for, newest_versions
from web.api import ApiView
from web.idempotency import idempotent
from web.paging import keyset_page


class Drills(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=serializers.DrillPageSerializer, operation_id="drills_list", parameters=[CURSOR])
    def get(self, request: Request, slug: str) -> Response:
        rows = Drill.objects.filter(system=self.system(request, slug)).select_related("runbook__runbook")
        page = keyset_page(rows, order=("-planned_at", "-pk"), cursor=request.query_params.get("cursor"))
        return Response({"results": [serializers.drill(row) for row in page.items], "next": page.next_cursor})

    @extend_schema(request=serializers.PlanSerializer, responses={201: serializers.DrillSerializer})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Plans a drill. Its clock starts with `start`: times are measured, never sent."""
        system = self.system(request, slug)
        data = serializers.valid(serializers.PlanSerializer, request)
        emails = {email.lower() for email in data.pop("participants")}
        people = list(User.objects.filter(email__in=emails))
        if unknown := emails - {user.email for user in people}:
            raise InvalidInput(f"Nobody here has the address {', '.join(sorted(unknown))}.")
        if data["runbook"]:
            data["runbook"] = get_object_or_404(newest_versions(system), runbook=data["runbook"])
        if data["hook"]:
            data["hook"] = get_object_or_404(channels_for(system), pk=data["hook"])
        row = act.plan_drill(system=system, participants=people, by=caller(request), now=timezone.now(), **data)
        return Response(serializers.drill(row), status=201)


class DrillView(SystemView):
    def drill(self, request: Request, slug: str, drill_id: UUID) -> Drill:
        return get_object_or_404(Drill, pk=drill_id, system=self.system(request, slug))


class DrillDetail(DrillView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=serializers.DrillSerializer)
    def get(self, request: Request, slug: str, drill_id: UUID) -> Response:
        return Response(serializers.drill(self.drill(request, slug, drill_id)))


class Start(DrillView):
    @extend_schema(request=None, responses=serializers.DrillSerializer)
    @idempotent
    def post(self, request: Request, slug: str, drill_id: UUID) -> Response:
        found = self.drill(request, slug, drill_id)
        return Response(serializers.drill(act.start_drill(drill=found, by=caller(request), now=timezone.now())))


class Moments(DrillView):
    @extend_schema(request=serializers.MomentSerializer, responses={201: serializers.MomentSerializer})
    @idempotent
    def post(self, request: Request, slug: str, drill_id: UUID) -> Response:
        found = self.drill(request, slug, drill_id)
        data = serializers.valid(serializers.MomentSerializer, request)
        moment = act.note_moment(drill=found, text=data["text"], by=caller(request), now=timezone.now())
        return Response({"text": moment.text, "at": moment.at}, status=201)


class Recovered(DrillView):
    @extend_schema(request=None, responses=serializers.DrillSerializer)
    @idempotent
    def post(self, request: Request, slug: str, drill_id: UUID) -> Response:
        found = self.drill(request, slug, drill_id)
        return Response(serializers.drill(act.mark_recovered(drill=found, by=caller(request), now=timezone.now())))


class End(DrillView):
    @extend_schema(request=serializers.EndSerializer, responses=serializers.DrillSerializer)
    @idempotent
    def post(self, request: Request, slug: str, drill_id: UUID) -> Response:
        """Ends the drill. Files are attached on its page."""
        found = self.drill(request, slug, drill_id)
        data = serializers.valid(serializers.EndSerializer, request)
        return Response(serializers.drill(act.end_drill(drill=found, by=caller(request), now=timezone.now(), **data)))


class Acknowledge(ApiView):
    """For deploy systems, which are nobody here: the signature is the proof."""

    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(request=serializers.AcknowledgeSerializer, responses=serializers.DrillSerializer, auth=[])
    def post(self, request: Request, slug: str, drill_id: UUID) -> Response:
        """Says which release serves again, signed by Standard Webhooks with the secret of the webhook that told of the
        drill. The release that was asked for passes the drill; another one fails it."""
        body = request.body
        drill = get_object_or_404(
            Drill.objects.select_related("system", "hook"), pk=drill_id, system__slug=slug, by_product=True
        )
        data = serializers.valid(serializers.AcknowledgeSerializer, request)
        row = rehearsing.acknowledge(
            drill=drill, body=body, headers=request.headers, restored=data["restored"], now=timezone.now()
        )
        return Response(serializers.drill(row))


class Schedule(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=serializers.ScheduledSerializer(many=True), operation_id="drills_schedule")
    def get(self, request: Request, slug: str) -> Response:
        """Each kind of drill: when it was passed last, until when that counts, and which one comes next."""
        rows = schedule(self.system(request, slug), now=timezone.now())
        return Response([serializers.scheduled(row) for row in rows])
