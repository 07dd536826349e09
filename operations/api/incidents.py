"""Incidents for programs: a monitoring system opens one, a chat bot writes its timeline."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as caller
from accounts.models import User
from operations.actions import incidents as act
from operations.api.base import CURSOR, SystemView
from operations.api.serializers import valid
from operations.errors import InvalidInput
from operations.models import FollowUp, Incident
from operations.queries import incidents_of
from web.idempotency import idempotent
from web.paging import keyset_page


class NewIncidentSerializer(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=200)
    severity = serializers.ChoiceField(Incident.Severity.choices)
    began_at = serializers.DateTimeField()
    release_label = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    requests = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, default=list, max_length=100
    )


class IncidentSerializer(NewIncidentSerializer):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(Incident.State.choices)
    opened_at = serializers.DateTimeField()
    mitigated_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)


class FollowUpSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    text = serializers.CharField()
    owner = serializers.CharField()
    due_on = serializers.CharField()
    done_at = serializers.DateTimeField(allow_null=True)


class NewFollowUpSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=500)
    owner = serializers.EmailField()
    due_on = serializers.DateField()


class IncidentMomentSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=1000)


class PostMortemSerializer(serializers.Serializer[Any]):
    impact = serializers.CharField(max_length=10_000)
    cause = serializers.CharField(max_length=10_000)
    lessons = serializers.CharField(max_length=10_000)


class IncidentDetailSerializer(IncidentSerializer):
    impact = serializers.CharField()
    cause = serializers.CharField()
    lessons = serializers.CharField()
    timeline = serializers.ListField(child=serializers.DictField())
    follow_ups = FollowUpSerializer(many=True)


class IncidentPageSerializer(serializers.Serializer[Any]):
    results = IncidentSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Cursor of the next page.")


ABOUT = (
    OpenApiParameter("request", str, description="Only those that name this request."),
    OpenApiParameter("release", str, description="Only those of this release."),
)
PLAIN = (
    "title",
    "severity",
    "state",
    "release_label",
    "requests",
    "began_at",
    "opened_at",
    "mitigated_at",
    "closed_at",
)


def shown(row: Incident) -> dict[str, Any]:
    return {"id": str(row.pk), **{name: getattr(row, name) for name in PLAIN}}


def follow_up(row: FollowUp) -> dict[str, Any]:
    return {"id": str(row.pk), "text": row.text, "owner": row.owner.actor_id, "due_on": row.due_on.isoformat(),
            "done_at": row.done_at}  # fmt: skip


def detail(row: Incident) -> dict[str, Any]:
    record = act.record_of(row)
    return {
        **shown(row),
        **{name: record[name] for name in ("impact", "cause", "lessons", "timeline")},
        "follow_ups": [follow_up(one) for one in row.follow_ups.select_related("owner")],
    }


def member_of(email: str) -> User:
    found = User.objects.filter(email=email.lower()).first()
    if found is None:
        raise InvalidInput(f"Nobody here has the address {email}.")
    return found


class Incidents(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=IncidentPageSerializer, operation_id="incidents_list", parameters=[CURSOR, *ABOUT])
    def get(self, request: Request, slug: str) -> Response:
        about = {one.name: request.query_params.get(one.name, "") for one in ABOUT}
        rows = incidents_of(self.system(request, slug), **about)
        page = keyset_page(rows, order=("-opened_at", "-pk"), cursor=request.query_params.get("cursor"))
        return Response({"results": [shown(row) for row in page.items], "next": page.next_cursor})

    @extend_schema(request=NewIncidentSerializer, responses={201: IncidentDetailSerializer})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Opens an incident. When it was opened is the server's clock; when it began is what is known."""
        system, data = self.system(request, slug), valid(NewIncidentSerializer, request)
        row = act.open_incident(system=system, by=caller(request), now=timezone.now(), **data)
        return Response(detail(row), status=201)


class IncidentView(SystemView):
    def incident(self, request: Request, slug: str, incident_id: UUID) -> Incident:
        return get_object_or_404(
            Incident.objects.select_related("system"), pk=incident_id, system=self.system(request, slug)
        )


class IncidentDetail(IncidentView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=IncidentDetailSerializer)
    def get(self, request: Request, slug: str, incident_id: UUID) -> Response:
        return Response(detail(self.incident(request, slug, incident_id)))

    @extend_schema(
        operation_id="incidents_post_mortem", request=PostMortemSerializer, responses=IncidentDetailSerializer
    )
    @idempotent
    def post(self, request: Request, slug: str, incident_id: UUID) -> Response:
        """Closes the incident with its post-mortem. It does not change afterwards."""
        found = self.incident(request, slug, incident_id)
        data = valid(PostMortemSerializer, request)
        return Response(detail(act.close_incident(incident=found, by=caller(request), now=timezone.now(), **data)))


class Notes(IncidentView):
    @extend_schema(request=IncidentMomentSerializer, responses={201: IncidentDetailSerializer})
    @idempotent
    def post(self, request: Request, slug: str, incident_id: UUID) -> Response:
        """A line in the timeline, at the server's time."""
        found = self.incident(request, slug, incident_id)
        data = valid(IncidentMomentSerializer, request)
        act.note(incident=found, by=caller(request), now=timezone.now(), **data)
        return Response(detail(found), status=201)


class Mitigate(IncidentView):
    @extend_schema(request=None, responses=IncidentDetailSerializer)
    @idempotent
    def post(self, request: Request, slug: str, incident_id: UUID) -> Response:
        """Users are served again: the measured time ends now."""
        found = self.incident(request, slug, incident_id)
        return Response(detail(act.mitigate(incident=found, by=caller(request), now=timezone.now())))


class FollowUps(IncidentView):
    @extend_schema(request=NewFollowUpSerializer, responses={201: FollowUpSerializer})
    @idempotent
    def post(self, request: Request, slug: str, incident_id: UUID) -> Response:
        found = self.incident(request, slug, incident_id)
        data = valid(NewFollowUpSerializer, request)
        data["owner"] = member_of(data["owner"])
        row = act.add_follow_up(incident=found, by=caller(request), now=timezone.now(), **data)
        return Response(follow_up(row), status=201)


class Done(IncidentView):
    @extend_schema(request=None, responses=FollowUpSerializer)
    @idempotent
    def post(self, request: Request, slug: str, incident_id: UUID, follow_up_id: UUID) -> Response:
        found = get_object_or_404(FollowUp, pk=follow_up_id, incident=self.incident(request, slug, incident_id))
        return Response(follow_up(act.finish_follow_up(follow_up=found, by=caller(request), now=timezone.now())))
