"""The contract probe for pipelines: run after each deployment to staging, kept as the item's evidence."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as signed_in
from accounts.models import ApiToken
from releases.actions.probing import probe_contract
from releases.api.views import ReleaseView


class ProbeIn(serializers.Serializer[Any]):
    url = serializers.URLField(max_length=2000, help_text="Where staging takes an input by POST.")
    example = serializers.JSONField(required=False, help_text="An input that fits. Left out: made from the schema.")
    headers = serializers.DictField(
        child=serializers.CharField(max_length=4000), required=False, help_text="Sent along, never recorded."
    )


class SentOut(serializers.Serializer[Any]):
    name = serializers.CharField()
    sent = serializers.CharField()
    status = serializers.IntegerField(allow_null=True)
    said = serializers.CharField()
    request_id = serializers.CharField()
    outcome = serializers.CharField(help_text="refused, accepted or unclear")


class ProbeOut(serializers.Serializer[Any]):
    passed = serializers.BooleanField()
    control = SentOut()
    cases = SentOut(many=True)
    unsent = serializers.IntegerField()
    evidence = serializers.UUIDField()
    digest = serializers.CharField()


class ContractProbe(ReleaseView):
    required_scopes = {"POST": "evidence:write"}

    @extend_schema(operation_id="probe_contract", request=ProbeIn, responses={201: ProbeOut})
    def post(self, request: Request, reference: str, key: str) -> Response:
        """Sends known-bad inputs to the address and attaches what came back. Another person verifies it."""
        release = self.release(request, reference)
        asked = ProbeIn(data=request.data)
        asked.is_valid(raise_exception=True)
        evidence, found = probe_contract(
            release_id=release.pk,
            key=key,
            by=signed_in(request),
            via=request.auth.via if isinstance(request.auth, ApiToken) else "",
            now=timezone.now(),
            **asked.validated_data,
        )
        body = {**found.body(), "evidence": evidence.pk, "digest": evidence.digest}
        return Response(ProbeOut(body).data, status=201)
