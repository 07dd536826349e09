"""The API of environments that are no production. An admin and the platform owner agree on one together."""

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as signed_in
from audit.models import SideEnvironment
from systems import actions
from systems.api.serializers import valid
from systems.api.views import SystemView
from web.api import page_of, paged
from web.idempotency import idempotent
from web.problems import NotFound


class EnvironmentIn(serializers.Serializer[Any]):
    name = serializers.SlugField(max_length=40)
    kind = serializers.ChoiceField(SideEnvironment.Kind.choices)
    daily_requests = serializers.IntegerField(min_value=1, max_value=1_000_000)
    reason = serializers.CharField(max_length=500)


class EnvironmentOut(serializers.ModelSerializer[SideEnvironment]):
    state = serializers.CharField(help_text="`waiting` for its second person, `ok`: no production, or `ended`.")

    class Meta:
        model = SideEnvironment
        fields = [
            "id", "name", "kind", "daily_requests", "state", "reason", "proposed_by", "proposed_at", "confirmed_by",
            "confirmed_at", "ended_at", "ended_reason",
        ]  # fmt: skip


class ReasonIn(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class Environments(SystemView):
    @extend_schema(operation_id="environments", responses=page_of(EnvironmentOut))
    def get(self, request: Request, slug: str) -> Response:
        """Test and shadow environments, newest first, those that ended too. Every other one is production."""
        rows = SideEnvironment.objects.filter(system=self.system(request, slug).slug)
        return paged(request, rows, EnvironmentOut, order=("-proposed_at", "-pk"))

    @extend_schema(operation_id="propose_environment", request=EnvironmentIn, responses={201: EnvironmentOut})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Proposes one, as admin or platform owner; the other of the two confirms it."""
        system, given = self.system(request, slug), valid(EnvironmentIn, request)
        made = actions.propose_environment(system=system, by=signed_in(request), now=timezone.now(), **given)
        return Response(EnvironmentOut(made).data, status=201)


class EnvironmentAct(SystemView):
    @extend_schema(operation_id="environment_act", request=ReasonIn, responses=EnvironmentOut)
    def post(self, request: Request, slug: str, environment_id: UUID, act: str) -> Response:
        """`confirm`: its requests are no production from now on. `end`, with a reason: they are again."""
        system, given = self.system(request, slug), valid(ReasonIn, request)
        about: dict[str, Any] = {"system": system, "environment_id": environment_id}
        about |= {"by": signed_in(request), "now": timezone.now()}
        if act == "confirm":
            found = actions.confirm_environment(**about)
        elif act == "end":
            found = actions.end_environment(reason=given["reason"], **about)
        else:
            raise NotFound("An environment can be confirmed or ended.")
        return Response(EnvironmentOut(found).data)
