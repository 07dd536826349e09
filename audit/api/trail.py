"""The trail for programs: the list, one request, and our own plain form of ingest at the same address."""

from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request as ApiRequest
from rest_framework.response import Response

from audit import explorer, reading, trail
from audit.explorer import ORDER
from audit.ingest.native import decode
from audit.ingest.views import IngestView
from audit.models import Request
from web.api import ApiView, page_of, paged
from web.problems import BadRequest, NotFound


class RequestSerializer(serializers.ModelSerializer[Request]):
    """One line of the list. Money in nano-USD, null where it is unknown."""

    trace_id = serializers.CharField(source="trace_id.hex")

    class Meta:
        model = Request
        exclude = ("id", "derived_at", "entry_span_id")


class SpanSerializer(serializers.Serializer[Any]):
    span_id = serializers.CharField()
    parent_id = serializers.CharField()
    depth = serializers.IntegerField()
    counted = serializers.BooleanField()
    name = serializers.CharField()
    kind = serializers.CharField()
    component = serializers.CharField()
    started_at = serializers.DateTimeField()
    duration_us = serializers.IntegerField()
    failed = serializers.BooleanField()
    error_type = serializers.CharField()
    model_requested = serializers.CharField()
    model_answered = serializers.CharField()
    tokens_in = serializers.IntegerField(allow_null=True)
    tokens_out = serializers.IntegerField(allow_null=True)
    cost_nanousd = serializers.IntegerField(allow_null=True)
    price_source = serializers.CharField()
    attributes = serializers.JSONField()
    events = serializers.JSONField()


class RequestViewSerializer(serializers.Serializer[trail.RequestView]):
    """Everything about one request; `sealed` says whether the stored spans are the received ones."""

    system = serializers.CharField()
    environment = serializers.CharField()
    trace_id = serializers.CharField()
    request_id = serializers.CharField()
    started_at = serializers.DateTimeField()
    duration_ms = serializers.FloatField()
    name = serializers.CharField()
    release = serializers.CharField()
    tenant = serializers.CharField()
    prompt_name = serializers.CharField()
    prompt_version = serializers.CharField()
    prompt_hash = serializers.CharField()
    prompt_hash_source = serializers.CharField()
    model = serializers.CharField()
    failed = serializers.BooleanField()
    error_type = serializers.CharField()
    tokens_in = serializers.IntegerField(allow_null=True)
    tokens_out = serializers.IntegerField(allow_null=True)
    cost_nanousd = serializers.IntegerField(allow_null=True)
    calls = serializers.IntegerField()
    calls_unknown = serializers.IntegerField()
    source_ids = serializers.ListField(child=serializers.CharField(), allow_null=True)
    contract = serializers.CharField()
    contract_source = serializers.CharField()
    complete = serializers.BooleanField()
    flags = serializers.ListField(child=serializers.CharField())
    retries = serializers.IntegerField()
    timeouts = serializers.IntegerField()
    fallback = serializers.CharField()
    handoff = serializers.BooleanField()
    approval = serializers.CharField()
    spans = SpanSerializer(many=True)
    sealed = serializers.SerializerMethodField()

    def get_sealed(self, view: trail.RequestView) -> dict[str, Any]:
        ok, sentence = trail.check(view)
        return {"ok": ok, "sentence": sentence}


# One for all: making a serializer copies each of its fields.
_VIEW = RequestViewSerializer()


class ReceiptSerializer(serializers.Serializer[Any]):
    stored = serializers.IntegerField()
    repeated = serializers.IntegerField(help_text="Sent before: stored once.")
    refused = serializers.DictField(child=serializers.IntegerField(), help_text="How many, by reason.")


class RequestsView(IngestView):
    """The list of requests; and, posted, spans in our own plain form (audit.ingest.native)."""

    required_scopes = {"GET": "trail:read", "POST": "ingest"}

    @extend_schema(
        operation_id="trail_requests",
        summary="List requests",
        parameters=[
            OpenApiParameter("q", description=f"Words as key:value. Keys: {', '.join(explorer.KEYS)}."),
            OpenApiParameter("cursor"),
            OpenApiParameter("size", int),
        ],
        responses=page_of(RequestSerializer),
    )
    def get(self, request: ApiRequest) -> Response:
        found = explorer.search(request.query_params.get("q", ""), systems=systems_for(request), now=timezone.now())
        return paged(request, found.rows, RequestSerializer, order=ORDER, within=found.within)

    @extend_schema(
        operation_id="trail_ingest",
        summary="Send spans (JSON array, or one object a line)",
        request={"application/json": list[dict], "application/x-ndjson": str},
        responses=ReceiptSerializer,
    )
    def post(self, request: ApiRequest) -> Response:
        receipt = self.receive(request, decode)
        return Response({"stored": receipt.stored, "repeated": receipt.repeated, "refused": receipt.refused})


class RequestView(ApiView):
    """All requests that an id means: the id that users quote need not be unique."""

    required_scopes = {"GET": "trail:read"}

    @extend_schema(operation_id="trail_request", summary="Find a request", responses=RequestViewSerializer(many=True))
    def get(self, request: ApiRequest, request_id: str) -> Response:
        allowed = set(systems_for(request))
        views = [view for view in trail.find(request_id) if view.system in allowed]
        if not views:
            raise NotFound("There is no such request, or you may not see its system.")
        user: Any = request.user
        if request.auth is None:
            for view in views:
                reading.record_view(view, by=user, now=timezone.now())
        return Response([_VIEW.to_representation(view) for view in views])


class RequestProofView(ApiView):
    """`python -m audit.verify` checks it, with the public key of `/api/audit/key?log=requests`."""

    required_scopes = {"GET": "trail:read"}

    @extend_schema(
        operation_id="trail_request_proof",
        summary="The spans of a request with their proofs, to be checked offline",
        parameters=[OpenApiParameter("environment", description="Where a trace is in several.")],
        responses={(200, "application/json"): dict},
    )
    def get(self, request: ApiRequest, request_id: str) -> HttpResponse:
        allowed, wanted = set(systems_for(request)), request.query_params.get("environment")
        views = [view for view in trail.find(request_id) if view.system in allowed]
        views = [view for view in views if wanted in (None, view.environment)]
        if not views:
            raise NotFound("There is no such request, or you may not see its system.")
        if len(views) > 1:
            raise BadRequest("Several requests have this id. Ask by trace id, and name the environment.")
        if request.auth is None:
            user: Any = request.user
            reading.record_view(views[0], by=user, now=timezone.now())
        return HttpResponse(trail.proof_of(views[0]), content_type="application/json")


def systems_for(request: ApiRequest) -> list[str]:
    """What the person may read; a token of one system reads that one only."""
    user: Any = request.user
    token: Any = request.auth
    if token is None or not token.system:
        return explorer.readable_systems(user)
    return [token.system] if user.has_perm("audit.browse", token.system) else []
