"""The API of standards: read them, write one's own, have it approved."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as signed_in
from accounts.access import require_member, visible_systems
from releases.actions import standards as acts
from releases.api.serializers import valid
from releases.models import StandardDraft, StandardVersion
from releases.standard.load import write
from releases.standard.published import standards_for
from web.api import ApiView, page_of, paged
from web.idempotency import idempotent
from web.problems import NotFound


class StandardOut(serializers.ModelSerializer[StandardVersion]):
    class Meta:
        model = StandardVersion
        fields = ["number", "line", "system", "title", "sha256", "base", "weakens", "published_at", "superseded_at"]


class DraftIn(serializers.Serializer[Any]):
    line = serializers.CharField(max_length=60)
    system = serializers.CharField(required=False, default="", allow_blank=True, max_length=60)
    text = serializers.CharField(trim_whitespace=False, max_length=2**20, help_text="The standard, as YAML.")


class DraftChangeIn(serializers.Serializer[Any]):
    text = serializers.CharField(trim_whitespace=False, max_length=2**20, help_text="The standard, as YAML.")
    revision = serializers.IntegerField(min_value=0, help_text="As it was read: two editors cannot both win.")


class DraftActIn(serializers.Serializer[Any]):
    role = serializers.ChoiceField(["product", "platform"], required=False, default="product")
    reason = serializers.CharField(required=False, default="", allow_blank=True)


class DraftOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    line = serializers.CharField()
    system = serializers.CharField()
    number = serializers.CharField()
    state = serializers.CharField()
    revision = serializers.IntegerField()
    weakens = serializers.ListField(child=serializers.CharField(), help_text="What it asks less than the shipped one.")
    text = serializers.CharField(help_text="The standard, as YAML.")


def _shown(draft: StandardDraft) -> dict[str, Any]:
    names = ("line", "system", "number", "state", "revision")
    shown: dict[str, Any] = {name: getattr(draft, name) for name in names}
    return shown | {"id": str(draft.pk), "weakens": list(acts.weakened(draft)), "text": write(draft.body)}


class Standards(ApiView):
    required_scopes = {"GET": "gate:read"}

    @extend_schema(operation_id="standards_list", responses=page_of(StandardOut))
    def get(self, request: Request) -> Response:
        """Published standards that the caller may use, newest first."""
        rows = standards_for(visible_systems(request, now=timezone.now()))
        return paged(request, rows, StandardOut, order=("-published_at", "-pk"))


class Drafts(ApiView):
    @extend_schema(operation_id="draft_standard", request=DraftIn, responses={201: DraftOut})
    @idempotent
    def post(self, request: Request) -> Response:
        data = valid(DraftIn, request)
        return Response(_shown(acts.draft_standard(by=signed_in(request), now=timezone.now(), **data)), status=201)


class Draft(ApiView):
    @extend_schema(operation_id="standard_draft", responses=DraftOut)
    def get(self, request: Request, pk: UUID) -> Response:
        return Response(_shown(_draft(request, pk)))

    @extend_schema(operation_id="change_standard_draft", request=DraftChangeIn, responses=DraftOut)
    @idempotent
    def put(self, request: Request, pk: UUID) -> Response:
        draft, data = _draft(request, pk), valid(DraftChangeIn, request)
        return Response(_shown(acts.change_draft(draft=draft, by=signed_in(request), now=timezone.now(), **data)))


class DraftAct(ApiView):
    @extend_schema(operation_id="act_on_standard_draft", request=DraftActIn, responses=DraftOut)
    @idempotent
    def post(self, request: Request, pk: UUID, act: str) -> Response:
        """`submit`, `approve` (as `role`) or `decline` (with a `reason`)."""
        draft, data = _draft(request, pk), valid(DraftActIn, request)
        common: dict[str, Any] = {"draft": draft, "by": signed_in(request), "now": timezone.now()}
        match act:
            case "submit":
                return Response(_shown(acts.submit_standard(**common)))
            case "approve":
                return Response(_shown(acts.approve_standard(role=data["role"], **common)))
            case "decline":
                return Response(_shown(acts.decline_standard(reason=data["reason"], **common)))
        raise NotFound(f"A draft cannot be asked to {act}.")


def _draft(request: Request, pk: UUID) -> StandardDraft:
    found = get_object_or_404(StandardDraft, pk=pk)
    if found.system:
        require_member(request, found.system)
    return found
