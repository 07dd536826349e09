"""The API of a system's traffic: its data policy, and the check of an input or output against its contract."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as signed_in
from audit import scopes, unsafe, validation
from audit.contract import CHOICES
from audit.profiles import profile_of
from systems import actions
from systems.actions.traffic import FIELDS
from systems.api.serializers import valid
from systems.api.views import SystemView


class DataPolicyIn(serializers.Serializer[Any]):
    """What is left out stays as it is."""

    payload_mode = serializers.ChoiceField(CHOICES["payload_mode"], required=False)
    pii_policy = serializers.ChoiceField(CHOICES["pii_policy"], required=False)
    denied_fields = serializers.ListField(child=serializers.CharField(max_length=200), required=False, max_length=200)
    denied_policy = serializers.ChoiceField(CHOICES["denied_policy"], required=False)
    prompt_policy = serializers.ChoiceField(CHOICES["prompt_policy"], required=False)
    count_scopes = serializers.ListField(child=serializers.CharField(max_length=200), required=False, max_length=50)


class AttemptOut(serializers.Serializer[Any]):
    what = serializers.CharField()
    environment = serializers.CharField()
    attempts = serializers.IntegerField()
    first_seen = serializers.DateTimeField()
    last_seen = serializers.DateTimeField()


class TrafficOut(DataPolicyIn):
    number = serializers.IntegerField(help_text="Of the ingest profile that is in force.")
    attempts = AttemptOut(many=True, help_text="To log what the data policy denies.")
    reported_by = serializers.DictField(
        child=serializers.IntegerField(), help_text="Instrumentation to model spans, of the last day."
    )
    reported_twice = serializers.IntegerField(help_text="Requests of the last day in which one call came twice.")


class ValidateIn(serializers.Serializer[Any]):
    """An input, an output, or both; and what is known of the call. An output may be text, as a model writes it."""

    input = serializers.JSONField(required=False)
    output = serializers.JSONField(required=False)
    context_chars = serializers.IntegerField(required=False, min_value=0)
    tokens_out = serializers.IntegerField(required=False, min_value=0)
    duration_ms = serializers.IntegerField(required=False, min_value=0)
    retries = serializers.IntegerField(required=False, min_value=0)


class ViolationOut(serializers.Serializer[Any]):
    side = serializers.CharField()
    rule = serializers.CharField()
    path = serializers.CharField(help_text="JSON pointer into the payload.")
    message = serializers.CharField()


class ValidateOut(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="Of the recorded check.")
    valid = serializers.BooleanField()
    profile = serializers.IntegerField(help_text="Number of the ingest profile that it was checked against.")
    violations = ViolationOut(many=True)


class DataPolicy(SystemView):
    @extend_schema(operation_id="traffic", responses=TrafficOut)
    def get(self, request: Request, slug: str) -> Response:
        """The data policy in force, what it turned away, and which instrumentations report model calls."""
        return Response(_shown(self.system(request, slug).slug))

    @extend_schema(operation_id="set_data_policy", request=DataPolicyIn, responses=TrafficOut)
    def put(self, request: Request, slug: str) -> Response:
        """In force for what comes in from now on. Keeping more than before takes privacy or the platform owner."""
        system, wanted = self.system(request, slug), valid(DataPolicyIn, request)
        actions.set_data_policy(system=system, wanted=wanted, by=signed_in(request), now=timezone.now())
        return Response(_shown(system.slug))


class Validate(SystemView):
    """For an application before it sends, for a test, for a pipeline: an ingest token will do."""

    required_scopes = {"POST": "ingest"}

    @extend_schema(operation_id="validate", request=ValidateIn, responses=ValidateOut)
    def post(self, request: Request, slug: str) -> Response:
        """Every violation of the contract in force. The check is recorded, the payload is not kept."""
        system, payload = self.system(request, slug), valid(ValidateIn, request)
        check, found = validation.validate(
            system=system.slug, payload=payload, by=signed_in(request), now=timezone.now()
        )
        body = {"id": check.pk, "valid": check.valid, "profile": check.profile, "violations": found}
        return Response(ValidateOut(body).data)


def _shown(slug: str) -> dict[str, Any]:
    numbered, reported = profile_of(slug), scopes.reported_by(slug, now=timezone.now())
    shown = {name: getattr(numbered.profile, name) for name in FIELDS}
    return dict(
        TrafficOut(
            {
                **shown,
                "number": numbered.number,
                "attempts": unsafe.seen_in(slug),
                "reported_by": dict(reported.scopes),
                "reported_twice": reported.twice,
            }
        ).data
    )
