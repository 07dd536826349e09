"""The contract probe for pipelines: ordered after each deployment to staging, kept as the item's evidence."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as signed_in
from accounts.models import ApiToken
from releases.actions.probing import order_probe
from releases.api.views import ReleaseView
from releases.models import Release
from releases.presenting.probing import find_probe, shown
from web.idempotency import idempotent
from web.paging import keyset_page
from web.problems import NotFound


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


class HeardOut(serializers.Serializer[Any]):
    passed = serializers.BooleanField()
    control = SentOut()
    cases = SentOut(many=True)
    unsent = serializers.IntegerField()


class ProbeOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    url = serializers.CharField()
    outcome = serializers.CharField(help_text="running, recorded or failed")
    state = serializers.CharField(help_text="Of its job: queued, running, done, failed or parked")
    progress = serializers.IntegerField(help_text="Percent.")
    message = serializers.CharField()
    error = serializers.CharField()
    asked_by = serializers.CharField()
    asked_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    evidence = serializers.UUIDField(allow_null=True)
    digest = serializers.CharField(help_text="Of the evidence; empty until there is one.")
    heard = HeardOut(allow_null=True, help_text="What came back.")


class ProbesOut(serializers.Serializer[Any]):
    results = ProbeOut(many=True)
    next = serializers.CharField(allow_null=True)


class ContractProbes(ReleaseView):
    required_scopes = {"GET": "gate:read", "POST": "evidence:write"}

    @extend_schema(operation_id="contract_probes_list", responses=ProbesOut)
    def get(self, request: Request, reference: str, key: str) -> Response:
        """The probes of this item, newest first."""
        release = self.release(request, reference)
        item = release.items.filter(key=key).first()
        if item is None:
            raise NotFound(f"This release has no item {key}.")
        rows = item.probes.select_related("evidence", "asked_by", "item")
        page = keyset_page(rows, order=("-asked_at", "-pk"), cursor=request.query_params.get("cursor"))
        return Response({"results": [_out(release, one) for one in page.items], "next": page.next_cursor})

    @extend_schema(operation_id="probe_contract", request=ProbeIn, responses={202: ProbeOut})
    @idempotent
    def post(self, request: Request, reference: str, key: str) -> Response:
        """Orders known-bad inputs to be sent to the address. What came back is attached, for another to verify."""
        release = self.release(request, reference)
        asked = ProbeIn(data=request.data)
        asked.is_valid(raise_exception=True)
        ordered = order_probe(
            release_id=release.pk,
            key=key,
            by=signed_in(request),
            via=request.auth.via if isinstance(request.auth, ApiToken) else "",
            now=timezone.now(),
            **asked.validated_data,
        )
        return Response(_out(release, find_probe(release, key, ordered.pk)), status=202)


class ProbeDetail(ReleaseView):
    required_scopes = {"GET": "gate:read"}

    @extend_schema(operation_id="contract_probe", responses=ProbeOut)
    def get(self, request: Request, reference: str, key: str, probe: UUID) -> Response:
        """How far it is, and then what came back."""
        release = self.release(request, reference)
        return Response(_out(release, find_probe(release, key, probe)))


def _out(release: Release, one: Any) -> dict[str, Any]:
    drawn = shown(release, one)
    job = drawn["job"]
    return ProbeOut(
        {
            "id": one.pk,
            "url": one.url,
            "outcome": one.outcome,
            "state": job.state if job else "done",  # finished jobs are cleared after a month
            "progress": job.progress if job else 100,
            "message": job.message if job else "",
            "error": drawn["error"],
            "asked_by": str(one.asked_by),
            "asked_at": one.asked_at,
            "finished_at": one.finished_at,
            "evidence": one.evidence_id,
            "digest": one.evidence.digest if one.evidence else "",
            "heard": drawn["heard"],
        }
    ).data
