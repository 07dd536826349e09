"""The API of several items at once: assigned, carried forward, or as the report of their phase froze them."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as signed_in
from accounts.models import User
from releases.actions import checklist
from releases.actions.carrying import carry_forward
from releases.api.serializers import valid
from releases.api.views import ReleaseView
from releases.errors import InvalidInput
from releases.queries import carriable, release_before
from web.idempotency import idempotent
from web.problems import NotFound


class AssignIn(serializers.Serializer[Any]):
    items = serializers.DictField(
        child=serializers.IntegerField(min_value=0), help_text="Key -> revision that was seen."
    )
    owner = serializers.EmailField(default="", allow_blank=True)
    due_at = serializers.DateTimeField(default=None, allow_null=True)


class ChangedOut(serializers.Serializer[Any]):
    items = serializers.ListField(child=serializers.CharField(), help_text="Keys.")


class CarryIn(serializers.Serializer[Any]):
    items = serializers.ListField(child=serializers.CharField(), help_text="Keys.")


class CarriableOut(serializers.Serializer[Any]):
    key = serializers.CharField()
    digests = serializers.ListField(child=serializers.CharField())
    reason = serializers.CharField(help_text="Why it cannot be carried; empty: it can.")


class ItemsAssign(ReleaseView):
    @extend_schema(operation_id="assign_items", request=AssignIn, responses=ChangedOut)
    @idempotent
    def post(self, request: Request, reference: str) -> Response:
        """All of them, or none: each at the revision that was seen."""
        release, data = self.release(request, reference), valid(AssignIn, request)
        owner = User.objects.filter(email__iexact=data["owner"]).first() if data["owner"] else None
        if data["owner"] and owner is None:
            raise InvalidInput(f"Nobody here has the address {data['owner']}.")
        items = checklist.assign_items(
            release_id=release.pk,
            items=data["items"],
            owner=owner,
            due_at=data["due_at"],
            by=signed_in(request),
            now=timezone.now(),
        )
        return Response({"items": [item.key for item in items]})


class ItemsCarry(ReleaseView):
    required_scopes = {"GET": "gate:read"}

    @extend_schema(operation_id="carriable_items", responses=CarriableOut(many=True))
    def get(self, request: Request, reference: str) -> Response:
        """What the release before has verified, and whether it still holds for this one."""
        release = self.release(request, reference)
        before = release_before(release)
        offers = carriable(release, before, now=timezone.now()) if before else []
        return Response(
            {
                "from": before.label if before else None,
                "results": [
                    {"key": offer.key, "digests": [one.digest for one in offer.evidence], "reason": offer.reason}
                    for offer in offers
                ],
            }
        )

    @extend_schema(operation_id="carry_items", request=CarryIn, responses={201: ChangedOut})
    @idempotent
    def post(self, request: Request, reference: str) -> Response:
        release, data = self.release(request, reference), valid(CarryIn, request)
        made = carry_forward(release_id=release.pk, keys=data["items"], by=signed_in(request), now=timezone.now())
        return Response({"items": sorted({one.item.key for one in made})}, status=201)


class PhaseReportDetail(ReleaseView):
    required_scopes = {"GET": "gate:read"}

    @extend_schema(operation_id="phase_report", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, reference: str, phase: str) -> Response:
        """The report of a phase that the release has left: its body, and the digest over its canonical form."""
        report = self.release(request, reference).phase_reports.filter(phase=phase).first()
        if report is None:
            raise NotFound("The release has not left this phase, so its report is not frozen.")
        return Response({"digest": report.digest, "frozen_at": report.frozen_at, "body": report.body})
