from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import require_member
from audit import canonical
from releases import representing
from releases.queries import golden_set_release
from systems.models import System
from web.api import ApiView
from web.problems import NotFound


class GoldenSetQuery(serializers.Serializer[Any]):
    release = serializers.CharField(required=False, help_text="Its label; the newest with a golden set by itself.")


class GoldenSetOut(serializers.Serializer[Any]):
    release = serializers.CharField()
    outcome = serializers.CharField(help_text="`representative`, `differs` or `unknown`.")
    sentence = serializers.CharField()
    cases = serializers.IntegerField()
    requests = serializers.IntegerField(help_text="Of the last seven days, a fair sample.")
    features = serializers.ListField(child=serializers.JSONField())
    missing = serializers.ListField(
        child=serializers.ListField(), help_text="Words of requests that no case has, with their share."
    )


class GoldenSet(ApiView):
    @extend_schema(operation_id="golden_set", parameters=[GoldenSetQuery], responses=GoldenSetOut)
    def get(self, request: Request, slug: str) -> Response:
        """The golden set that a release pins beside production: length, language, words, and what no case asks."""
        require_member(request, slug)
        system = get_object_or_404(System, slug=slug)
        release = golden_set_release(system, request.query_params.get("release", ""))
        if release is None:
            raise NotFound("No such release of this system pins a golden set.")
        report: Any = canonical.plain(representing.beside_production(release, now=timezone.now()))
        return Response({"release": release.label, **report})
