from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import require_member
from releases.models import Release
from releases.queries import last_good
from systems.models import System
from web.api import ApiView


class LastGoodSerializer(serializers.Serializer[Any]):
    system = serializers.CharField()
    live = serializers.CharField(allow_null=True, help_text="The release that serves now.")
    last_known_good = serializers.CharField(
        allow_null=True, help_text="What a rollback would restore; null: the fallback serves."
    )


class LastGood(ApiView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=LastGoodSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """Which release to go back to, for a runbook or a script at three in the morning."""
        require_member(request, slug)
        system = get_object_or_404(System, slug=slug)
        live = Release.objects.filter(system=system, state=Release.State.LIVE).first()
        good = last_good(system)
        return Response({"system": slug, "live": live and live.label, "last_known_good": good.label if good else None})
