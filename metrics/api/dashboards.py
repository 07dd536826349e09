"""The numbers behind a system's charts, for programs."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit import trends
from audit.trends import Point
from metrics.api.views import SystemView
from metrics.dashboards import RANGES, Asked


class PointSerializer(serializers.Serializer[Point]):
    """Sums of one bucket, and its p95 latency right within 1 %; null where it holds nothing."""

    at = serializers.DateTimeField()
    p95_ms = serializers.DecimalField(max_digits=14, decimal_places=3, allow_null=True)
    sums = serializers.DictField(child=serializers.IntegerField())


class TrendSerializer(serializers.Serializer[Any]):
    bucket_minutes = serializers.IntegerField()
    environments = serializers.DictField(
        child=serializers.BooleanField(), help_text="Those that sent something, and whether each counts as production."
    )
    requests = PointSerializer(many=True)
    components = serializers.DictField(child=PointSerializer(many=True))


class Trends(SystemView):
    required_scopes = {"GET": "trail:read"}

    @extend_schema(
        operation_id="system_trends",
        summary="What a system's requests show over time",
        parameters=[
            OpenApiParameter("range", enum=list(RANGES)),
            OpenApiParameter("release"),
            OpenApiParameter("environment"),
        ],
        responses=TrendSerializer,
    )
    def get(self, request: Request, slug: str) -> Response:
        system, asked = self.system(request, slug), Asked.of(request.query_params)
        over = trends.window(RANGES[asked.length], until=timezone.now())
        narrow = {"release": asked.release, "environment": asked.environment}
        found = {
            "bucket_minutes": over.width,
            "environments": trends.environments_seen(system.slug, over),
            "requests": trends.requests(system.slug, over, **narrow),
            "components": trends.components(system.slug, over, **narrow),
        }
        return Response(TrendSerializer(found).data)
