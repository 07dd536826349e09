from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person, require_member
from metrics import comparing, evaluation, pull
from metrics.actions import sources as act
from metrics.api import serializers as shapes
from metrics.api.parsers import FileParser
from metrics.connecting import try_connection
from metrics.models import DriftReport, EvaluationRun, Source
from metrics.problems import Invalid
from systems.models import System
from web.api import ApiView
from web.idempotency import idempotent
from web.paging import keyset_page

TOOL = OpenApiParameter("tool", str, required=True, enum=sorted(evaluation.PUSHED))
MAPPING = OpenApiParameter("source", str, description="Name of the source whose mapping reads the file.")


class SystemView(ApiView):
    """Finds the system that the path names, for a caller who holds a role on it."""

    def system(self, request: Request, slug: str) -> System:
        require_member(request, slug)
        return get_object_or_404(System, slug=slug)

    def source(self, request: Request, slug: str, source_id: UUID) -> Source:
        rows = Source.objects.select_related("system")
        return get_object_or_404(rows, pk=source_id, system=self.system(request, slug))

    def run(self, request: Request, slug: str, run_id: UUID) -> EvaluationRun:
        rows = EvaluationRun.objects.select_related("system")
        return get_object_or_404(rows, pk=run_id, system=self.system(request, slug))


class Evaluations(SystemView):
    required_scopes = {"GET": "gate:read", "POST": "evaluations:write"}
    parser_classes = [FileParser]

    @extend_schema(responses=shapes.RunOut(many=True), operation_id="evaluations_list")
    def get(self, request: Request, slug: str) -> Response:
        rows = EvaluationRun.objects.filter(system=self.system(request, slug))
        if release := request.query_params.get("release"):
            rows = rows.filter(release_label=release)
        page = keyset_page(rows, order=("-created_at", "-pk"), cursor=request.query_params.get("cursor"))
        return Response({"results": shapes.RunOut(page.items, many=True).data, "next": page.next_cursor})

    @extend_schema(
        parameters=[TOOL, MAPPING],
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={201: shapes.RunOut, 200: shapes.RunOut},
    )
    def post(self, request: Request, slug: str) -> Response:
        """Takes a file as the tool wrote it. The file is its own key: sent again it answers 200 with the same run."""
        system = self.system(request, slug)
        raw = request.data
        if not isinstance(raw, bytes) or not raw:
            raise Invalid("Send the evaluation file as the body of the request.")
        run, created = evaluation.push_run(
            system=system,
            tool=request.query_params.get("tool", ""),
            raw=raw,
            source=self._mapping(request, system),
            by=person(request),
            via=request.auth or person(request),
            now=timezone.now(),
        )
        return Response(shapes.RunOut(run).data, status=201 if created else 200)

    def _mapping(self, request: Request, system: System) -> Source | None:
        """The source whose mapping reads the file, where the query names one."""
        name = request.query_params.get("source")
        return get_object_or_404(Source, system=system, name=name, retired_at=None) if name else None


class Evaluation(SystemView):
    required_scopes = {"GET": "gate:read"}

    @extend_schema(responses=shapes.RunDetailOut)
    def get(self, request: Request, slug: str, run_id: UUID) -> Response:
        run = self.run(request, slug, run_id)
        baseline = comparing.usual_baseline(run)
        bars = comparing.bars_in_force(run.system)
        verdict = comparing.compare(run, baseline, bars, comparing.main_metric(run, bars))
        body = {"run": run, "baseline": baseline, "verdict": verdict}
        return Response(shapes.RunDetailOut(body).data)


class Origin(SystemView):
    @extend_schema(request=None, responses=shapes.RunOut)
    @idempotent
    def post(self, request: Request, slug: str, run_id: UUID) -> Response:
        """A second person confirms where a pushed file came from. No machine token may."""
        run = self.run(request, slug, run_id)
        return Response(shapes.RunOut(evaluation.confirm_origin(run=run, by=person(request), now=timezone.now())).data)


class Sources(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=shapes.SourceOut(many=True), operation_id="sources_list")
    def get(self, request: Request, slug: str) -> Response:
        rows = Source.objects.filter(system=self.system(request, slug)).order_by("name")
        return Response({"results": shapes.SourceOut(rows, many=True).data, "next": None})

    @extend_schema(request=shapes.SourceIn, responses={201: shapes.SourceOut})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        system = self.system(request, slug)
        data = shapes.valid(shapes.SourceIn, request)
        made = act.create_source(system=system, by=person(request), now=timezone.now(), **data)
        return Response(shapes.SourceOut(made).data, status=201)


class SourceDetail(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=shapes.SourceOut)
    def get(self, request: Request, slug: str, source_id: UUID) -> Response:
        return Response(shapes.SourceOut(self.source(request, slug, source_id)).data)

    @extend_schema(request=shapes.SourceChange, responses=shapes.SourceOut)
    def put(self, request: Request, slug: str, source_id: UUID) -> Response:
        found = self.source(request, slug, source_id)
        data = shapes.valid(shapes.SourceChange, request)
        changed = act.change_source(source=found, by=person(request), now=timezone.now(), **data)
        return Response(shapes.SourceOut(changed).data)


class Retire(SystemView):
    @extend_schema(request=None, responses=shapes.SourceOut)
    @idempotent
    def post(self, request: Request, slug: str, source_id: UUID) -> Response:
        found = self.source(request, slug, source_id)
        return Response(shapes.SourceOut(act.retire_source(source=found, by=person(request), now=timezone.now())).data)


class Test(SystemView):
    @extend_schema(request=None, responses=shapes.FindingOut(many=True))
    def post(self, request: Request, slug: str, source_id: UUID) -> Response:
        """Asks the source now, and says in words what was found and what is wrong."""
        found, now = self.source(request, slug, source_id), timezone.now()
        act.require_managing(person(request), found, now=now)
        return Response({"findings": shapes.FindingOut(try_connection(found, now=now), many=True).data})


class Pulls(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=shapes.PullOut(many=True), operation_id="pulls_list")
    def get(self, request: Request, slug: str, source_id: UUID) -> Response:
        rows = self.source(request, slug, source_id).pulls.all()
        page = keyset_page(rows, order=("-started_at", "-pk"), cursor=request.query_params.get("cursor"))
        return Response({"results": shapes.PullOut(page.items, many=True).data, "next": page.next_cursor})

    @extend_schema(request=shapes.PullIn, responses={202: shapes.PullOut(many=True)})
    @idempotent
    def post(self, request: Request, slug: str, source_id: UUID) -> Response:
        found = self.source(request, slug, source_id)
        data = shapes.valid(shapes.PullIn, request)
        ordered = pull.order_pull(source=found, by=person(request), now=timezone.now(), release_label=data["release"])
        return Response({"results": shapes.PullOut(ordered, many=True).data, "next": None}, status=202)


class Measurements(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=shapes.MeasurementOut(many=True), operation_id="measurements_list")
    def get(self, request: Request, slug: str, source_id: UUID) -> Response:
        rows = self.source(request, slug, source_id).measurements.all()
        page = keyset_page(rows, order=("-created_at", "-pk"), cursor=request.query_params.get("cursor"))
        return Response({"results": shapes.MeasurementOut(page.items, many=True).data, "next": page.next_cursor})


class Drift(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=shapes.DriftOut(many=True), operation_id="drift_list")
    def get(self, request: Request, slug: str) -> Response:
        rows = DriftReport.objects.filter(system=self.system(request, slug))
        page = keyset_page(rows, order=("-until", "-pk"), cursor=request.query_params.get("cursor"))
        return Response({"results": shapes.DriftOut(page.items, many=True).data, "next": page.next_cursor})
