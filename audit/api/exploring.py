"""The explorer for programs: counts, files, and views that were kept."""

from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request as ApiRequest
from rest_framework.response import Response

from audit import explorer, facets, handout, saved
from audit.api.trail import systems_for
from audit.ingest.views import AnyAccept
from audit.models import SavedView
from audit.views.exploring import hand_out
from web.api import ApiView

_QUERY = OpenApiParameter("q", description=f"Words as key:value. Keys: {', '.join(explorer.KEYS)}.")


class ValueSerializer(serializers.Serializer[Any]):
    value = serializers.CharField()
    count = serializers.IntegerField()
    query = serializers.CharField(help_text="The search with this value, or without it where it is there.")


class FacetSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    values = ValueSerializer(many=True)
    more = serializers.IntegerField(help_text="How many values are not listed.")


class FacetsSerializer(serializers.Serializer[Any]):
    counted = serializers.IntegerField(help_text="Over the newest matching requests, so many at most.")
    exact = serializers.BooleanField(help_text="False: there are more matching requests than were counted.")
    groups = FacetSerializer(many=True)


class FacetsView(ApiView):
    required_scopes = {"GET": "trail:read"}

    @extend_schema(
        operation_id="trail_facets", summary="Count requests by value", parameters=[_QUERY], responses=FacetsSerializer
    )
    def get(self, request: ApiRequest) -> Response:
        query = request.query_params.get("q", "")
        found = explorer.search(query, systems=systems_for(request), now=timezone.now())
        return Response(FacetsSerializer(facets.facets(found)).data)


class ExportView(ApiView):
    required_scopes = {"GET": "trail:read"}
    content_negotiation_class = AnyAccept

    @extend_schema(
        operation_id="trail_export",
        summary="Export requests, as a stream",
        parameters=[_QUERY, OpenApiParameter("format", enum=list(handout.FORMATS), required=True)],
        responses={(200, "text/csv"): str, (200, "application/x-ndjson"): str},
    )
    def get(self, request: ApiRequest) -> StreamingHttpResponse:
        return hand_out(
            request.user,
            query=request.query_params.get("q", ""),
            format_name=request.query_params.get("format", ""),
            systems=systems_for(request),
        )


class SavedViewSerializer(serializers.ModelSerializer[SavedView]):
    mine = serializers.SerializerMethodField()

    class Meta:
        model = SavedView
        fields = ("id", "name", "query", "shared", "mine", "created_at")
        read_only_fields = ("id", "mine", "created_at")

    def get_mine(self, view: SavedView) -> bool:
        return view.owner == self.context["reader"]


class SavedViewsView(ApiView):
    """People's searches. No machine keeps any."""

    @extend_schema(operation_id="trail_views", summary="List kept searches", responses=SavedViewSerializer(many=True))
    def get(self, request: ApiRequest) -> Response:
        user: Any = request.user
        rows = saved.views_of(user)
        return Response(SavedViewSerializer(rows, many=True, context={"reader": user.actor_id}).data)

    @extend_schema(
        operation_id="trail_view_save",
        summary="Keep a search",
        request=SavedViewSerializer,
        responses={201: SavedViewSerializer},
    )
    def post(self, request: ApiRequest) -> Response:
        user: Any = request.user
        shape = SavedViewSerializer(data=request.data, context={"reader": user.actor_id})
        shape.is_valid(raise_exception=True)
        given = shape.validated_data
        view = saved.save_view(
            name=given["name"],
            query=given["query"],
            shared=given.get("shared", False),
            by=user,
            now=timezone.now(),
        )
        return Response(SavedViewSerializer(view, context={"reader": user.actor_id}).data, status=201)


class SavedViewView(ApiView):
    @extend_schema(operation_id="trail_view_remove", summary="Remove a kept search of yours", responses={204: None})
    def delete(self, request: ApiRequest, view_id: UUID) -> Response:
        user: Any = request.user
        saved.remove_view(view_id=view_id, by=user, now=timezone.now())
        return Response(status=204)
