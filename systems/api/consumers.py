"""The API of compatibility: what a schema would break, who builds on a component, who has heard."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as signed_in
from systems import actions
from systems.api import serializers as shapes
from systems.api.views import SystemView
from systems.models import Announcement, Consumer
from systems.registry import would_break
from web.api import page_of, paged
from web.idempotency import idempotent


class Compatibility(SystemView):
    """For pipelines: asked before a schema is merged. Nothing is stored."""

    required_scopes = {"POST": "evidence:write"}

    @extend_schema(operation_id="check_compatibility", request=shapes.VersionIn, responses=shapes.CompatibilityOut)
    def post(self, request: Request, slug: str, kind: str, name: str) -> Response:
        """What this content would break on, compared with the newest version in use."""
        component = self.component(request, slug, kind, name)
        data = shapes.valid(shapes.VersionIn, request)
        against, breaks = would_break(component, data["data"])
        return Response({"against": against, "compatible": not breaks, "breaks": breaks})


class Consumers(SystemView):
    @extend_schema(operation_id="consumers_list", responses=page_of(shapes.ConsumerOut))
    def get(self, request: Request, slug: str, kind: str, name: str) -> Response:
        component = self.component(request, slug, kind, name)
        return paged(request, component.consumers.filter(ended_at=None), shapes.ConsumerOut, order=("name", "pk"))

    @extend_schema(operation_id="add_consumer", request=shapes.ConsumerIn, responses={201: shapes.ConsumerOut})
    @idempotent
    def post(self, request: Request, slug: str, kind: str, name: str) -> Response:
        component = self.component(request, slug, kind, name)
        data = shapes.valid(shapes.ConsumerIn, request)
        consumer = actions.add_consumer(component=component, by=signed_in(request), now=timezone.now(), **data)
        return Response(shapes.ConsumerOut(consumer).data, status=201)


class ConsumerEnd(SystemView):
    @extend_schema(operation_id="end_consumer", request=None, responses=shapes.ConsumerOut)
    @idempotent
    def post(self, request: Request, slug: str, kind: str, name: str, consumer: UUID) -> Response:
        component = self.component(request, slug, kind, name)
        found = get_object_or_404(Consumer, component=component, pk=consumer)
        ended = actions.end_consumer(consumer=found, by=signed_in(request), now=timezone.now())
        return Response(shapes.ConsumerOut(ended).data)


class Announcements(SystemView):
    @extend_schema(operation_id="announcements_list", responses=page_of(shapes.AnnouncementOut))
    def get(self, request: Request, slug: str, kind: str, name: str, number: int) -> Response:
        version = self.version(request, slug, kind, name, number)
        rows = version.announcements.select_related("consumer")
        return paged(request, rows, shapes.AnnouncementOut, order=("announced_at", "pk"))


class Acknowledge(SystemView):
    @extend_schema(operation_id="acknowledge", request=shapes.ActIn, responses=shapes.AnnouncementOut)
    @idempotent
    def post(self, request: Request, slug: str, kind: str, name: str, number: int, announcement: UUID) -> Response:
        """The consumer's contact acknowledges; an editor does for them, with a note that says where they did."""
        version = self.version(request, slug, kind, name, number)
        found = get_object_or_404(Announcement, version=version, pk=announcement)
        note = shapes.valid(shapes.ActIn, request)["note"]
        done = actions.acknowledge(announcement=found, by=signed_in(request), now=timezone.now(), note=note)
        return Response(shapes.AnnouncementOut(done).data)
