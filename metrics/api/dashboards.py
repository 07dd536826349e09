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
from web.problems import BadRequest

SERIES = ("requests", "components")


class PointSerializer(serializers.Serializer[Point]):
    """Sums of one bucket, and its p95 latency right within 1 %; null where it holds nothing."""

    at = serializers.DateTimeField()
    p95_ms = serializers.DecimalField(max_digits=14, decimal_places=3, allow_null=True)
    sums = serializers.DictField(child=serializers.IntegerField())

    def to_representation(self, instance: Point) -> dict[str, Any]:
        """What the fields would make of it, for a thousand points at once."""
        p95 = None if instance.p95_ms is None else str(instance.p95_ms)
        return {"at": instance.at.isoformat().replace("+00:00", "Z"), "p95_ms": p95, "sums": instance.sums}


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
            OpenApiParameter("series", enum=SERIES, description="Only these; the others stay empty."),
        ],
        responses=TrendSerializer,
    )
    def get(self, request: Request, slug: str) -> Response:
        system, asked = self.system(request, slug), Asked.of(request.query_params)
        over = trends.window(RANGES[asked.length], until=timezone.now())
        narrow = {"release": asked.release, "environment": asked.environment}
        only = request.query_params.get("series")
        if only not in (None, *SERIES):
            raise BadRequest(f"series is one of {', '.join(SERIES)}.")
        found = {
            "bucket_minutes": over.width,
            "environments": trends.environments_seen(system.slug, over),
            "requests": [] if only == "components" else trends.requests(system.slug, over, **narrow),
            "components": {} if only == "requests" else trends.components(system.slug, over, **narrow),
        }
        return Response(TrendSerializer(found).data)
