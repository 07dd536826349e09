"""The API of systems: everything its pages do. A pipeline's token drafts versions, as its owner (who then does not
review them); all else takes a person."""

import base64
from collections.abc import Callable
from typing import Any, cast

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as signed_in
from accounts.access import require_member, visible_systems
from systems import actions
from systems.actions.policies import PARTS, AnyPolicy
from systems.api import serializers as shapes
from systems.models import Component, System, Version
from systems.registry import components_of, content_of, ownership_map
from web.api import ApiView, page_of, paged
from web.idempotency import idempotent
from web.problems import NotFound


class SystemView(ApiView):
    """Finds what the path names, for a caller who holds a role on the system."""

    def system(self, request: Request, slug: str) -> System:
        require_member(request, slug)
        return get_object_or_404(System, slug=slug)

    def component(self, request: Request, slug: str, kind: str, name: str) -> Component:
        found = Component.objects.select_related("system")
        return get_object_or_404(found, system=self.system(request, slug), kind=kind, name=name)

    def version(self, request: Request, slug: str, kind: str, name: str, number: int) -> Version:
        found = Version.objects.select_related("component__system")
        return get_object_or_404(found, component=self.component(request, slug, kind, name), number=number)


class Systems(ApiView):
    @extend_schema(operation_id="systems_list", responses=page_of(shapes.SystemOut))
    def get(self, request: Request) -> Response:
        """The systems that the caller may see."""
        slugs = visible_systems(request, now=timezone.now())
        systems = System.objects.all() if slugs is None else System.objects.filter(slug__in=slugs)
        return paged(request, systems, shapes.SystemOut, order=("name", "pk"))

    @extend_schema(operation_id="create_system", request=shapes.SystemIn, responses={201: shapes.SystemDetailOut})
    @idempotent
    def post(self, request: Request) -> Response:
        """A new system with its owners (area -> person) and the shipped policies in force."""
        data = shapes.valid(shapes.SystemIn, request)
        system = actions.create_system(by=signed_in(request), now=timezone.now(), **data)
        return Response(_detail(system), status=201)


class SystemDetail(SystemView):
    @extend_schema(operation_id="system", responses=shapes.SystemDetailOut)
    def get(self, request: Request, slug: str) -> Response:
        """One system with its ownership map; `gap` says what the gate would block on."""
        return Response(_detail(self.system(request, slug)))


class Owners(SystemView):
    @extend_schema(operation_id="assign_ownership", request=shapes.OwnerIn, responses=shapes.SystemDetailOut)
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Names who answers for one area."""
        system = self.system(request, slug)
        data = shapes.valid(shapes.OwnerIn, request)
        actions.assign_ownership(system=system, by=signed_in(request), now=timezone.now(), **data)
        return Response(_detail(system))


class OwnersAcknowledge(SystemView):
    @extend_schema(operation_id="acknowledge_ownership", request=None, responses=shapes.SystemDetailOut)
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """The caller answers for every area that they are named for."""
        system = self.system(request, slug)
        actions.acknowledge_ownership(system=system, by=signed_in(request), now=timezone.now())
        return Response(_detail(system))


class Components(SystemView):
    @extend_schema(operation_id="components_list", responses=shapes.ComponentOut(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """All components with their versions."""
        return Response(shapes.ComponentOut(components_of(self.system(request, slug)), many=True).data)

    @extend_schema(operation_id="add_component", request=shapes.ComponentIn, responses={201: shapes.ComponentOut})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        system = self.system(request, slug)
        data = shapes.valid(shapes.ComponentIn, request)
        component = actions.add_component(system=system, by=signed_in(request), now=timezone.now(), **data)
        return Response(shapes.ComponentOut(component).data, status=201)


class Versions(SystemView):
    required_scopes = {"POST": "evidence:write"}

    @extend_schema(operation_id="versions_list", responses=page_of(shapes.VersionOut))
    def get(self, request: Request, slug: str, kind: str, name: str) -> Response:
        component = self.component(request, slug, kind, name)
        return paged(request, component.versions.defer("content"), shapes.VersionOut, order=("-number",))

    @extend_schema(operation_id="draft_version", request=shapes.VersionIn, responses={201: shapes.VersionOut})
    @idempotent
    def post(self, request: Request, slug: str, kind: str, name: str) -> Response:
        """The next version, with the bytes kept exactly. What is wrong with them is told with its line (`flaws`)."""
        component = self.component(request, slug, kind, name)
        data = shapes.valid(shapes.VersionIn, request)
        by, now = signed_in(request), timezone.now()
        version = actions.draft_version(
            component=component, content=data["data"], meta=data["meta"], note=data["note"], by=by, now=now
        )
        if data["submit"]:
            version = actions.submit_version(version=version, by=by, now=now)
        return Response(shapes.VersionOut(version).data, status=201)


class VersionDetail(SystemView):
    @extend_schema(operation_id="version", responses=shapes.VersionWithContentOut)
    def get(self, request: Request, slug: str, kind: str, name: str, number: int) -> Response:
        version = self.version(request, slug, kind, name, number)
        content = base64.b64encode(content_of(version)).decode()
        return Response({**shapes.VersionOut(version).data, "content_base64": content})


class VersionAct(SystemView):
    @extend_schema(operation_id="act_on_version", request=shapes.CompatibilityIn, responses=shapes.VersionOut)
    @idempotent
    def post(self, request: Request, slug: str, kind: str, name: str, number: int, act: str) -> Response:
        """`submit`, `approve`, `send-back`, `compatibility`, `deprecate` or `retire`."""
        version = self.version(request, slug, kind, name, number)
        data = shapes.valid(shapes.CompatibilityIn, request)
        note, days = data["note"], data["window_days"]
        who: dict[str, Any] = {"version": version, "by": signed_in(request), "now": timezone.now()}
        acts: dict[str, Callable[[], Version]] = {
            "submit": lambda: actions.submit_version(**who),
            "approve": lambda: actions.approve_version(**who, note=note),
            "send-back": lambda: actions.send_back_version(**who, note=note),
            "deprecate": lambda: actions.deprecate_version(**who, days=days),
            "compatibility": lambda: actions.write_compatibility(**who, text=note, window_days=days),
            "retire": lambda: actions.retire_version(**who),
        }
        if act not in acts:
            raise NotFound(f"A version cannot be asked to {act}.")
        return Response(shapes.VersionOut(acts[act]()).data)


class Policies(SystemView):
    @extend_schema(operation_id="policies_list", responses=shapes.PolicyOut(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """Every version of both parts, newest first."""
        system = self.system(request, slug)
        rows = [row for model in PARTS.values() for row in model._default_manager.filter(system=system)]
        return Response([shapes.policy(row) for row in rows])

    @extend_schema(operation_id="propose_policy", request=shapes.PolicyIn, responses={201: shapes.PolicyOut})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Proposes the next version of one part; thresholds that are left out stay as they are."""
        system = self.system(request, slug)
        data = shapes.valid(shapes.PolicyIn, request)
        row = actions.propose_policy(system=system, by=signed_in(request), now=timezone.now(), **data)
        return Response(shapes.policy(row), status=201)


class PolicyAct(SystemView):
    @extend_schema(operation_id="decide_policy", request=shapes.DecisionIn, responses=shapes.PolicyOut)
    @idempotent
    def post(self, request: Request, slug: str, part: str, number: int, act: str) -> Response:
        """`approve` (as `role`) or `decline` (with a `reason`)."""
        system = self.system(request, slug)
        if part not in PARTS or act not in ("approve", "decline"):
            raise NotFound("A policy has the parts release and running, and is approved or declined.")
        row = cast(AnyPolicy, get_object_or_404(PARTS[part]._default_manager, system=system, number=number))
        data = shapes.valid(shapes.DecisionIn, request)
        by, now = signed_in(request), timezone.now()
        if act == "approve":
            row = actions.approve_policy(policy=row, role=data["role"], by=by, now=now)
        else:
            row = actions.decline_policy(policy=row, reason=data["reason"], by=by, now=now)
        return Response(shapes.policy(row))


def _detail(system: System) -> dict[str, Any]:
    owners = [shapes.owner(owned) for owned in ownership_map(system, now=timezone.now())]
    return {**shapes.SystemOut(system).data, "owners": owners}
