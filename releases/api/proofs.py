"""What a release leaves for others: the review, the bundle of a decision, the signed summary for deploy tools."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import require_member, visible_systems
from audit import reading, trail
from releases import bundling, taking
from releases.api.views import QUESTION, ReleaseView
from releases.decisions import standing
from releases.models import Decision
from releases.presenting.express import express
from releases.presenting.page import question_now
from releases.review import review
from releases.summary import summary
from web.api import ApiView
from web.problems import NotFound, Problem


class Review(ReleaseView):
    """The release review as it stands now; a value of null is a gap."""

    required_scopes = {"GET": "gate:read"}

    @extend_schema(parameters=[QUESTION], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, reference: str) -> Response:
        release = self.release(request, reference)
        found = standing(release, self.asked(request), now=timezone.now())
        return Response({row.name: row.value for row in review(found.facts)})


class Express(ReleaseView):
    """The shortest way to go: what is left, by whom, what can be carried over, who can sign, what takes its time."""

    required_scopes = {"GET": "gate:read"}

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, reference: str) -> Response:
        release, now = self.release(request, reference), timezone.now()
        found = standing(release, question_now(release), now=now)
        said = express(release, found, now=now)
        hands = [{"who": who, "reasons": [asdict(reason) for reason in left]} for who, left in said["hands"]]
        return Response({**said, "question": found.question.value, "hands": hands})


class Summary(ReleaseView):
    """The answer of this moment, signed, for tools that decide offline: SLSA VSA in a DSSE envelope. It expires."""

    required_scopes = {"GET": "gate:read"}

    @extend_schema(parameters=[QUESTION], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, reference: str) -> Response:
        release = self.release(request, reference)
        response = Response(summary(release, self.asked(request), now=timezone.now()))
        response["Cache-Control"] = "no-store"
        return response


class Bundle(ApiView):
    """A decision with everything it rests on, as a zip: `python -m releases.verify` checks it offline."""

    required_scopes = {"GET": "gate:read"}

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, pk: UUID) -> HttpResponse:
        decision = Decision.objects.select_related("release__system").filter(pk=pk).first()
        if decision is None:
            raise NotFound("There is no such decision.")
        require_member(request, decision.release.system.slug)
        return bundling.download(decision, now=timezone.now())


class Take(ApiView):
    """A request with everything that its reproduction takes: `python -m releases.verify.request` reads it offline."""

    required_scopes = {"GET": "trail:read"}

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, request_id: str) -> HttpResponse:
        now = timezone.now()
        slugs = visible_systems(request, now=now)
        found = [view for view in trail.find(request_id) if slugs is None or view.system in slugs]
        if not found:
            raise NotFound("No request that you may see has this id.")
        if len(found) > 1:
            raise Problem("Several requests have this id. Take the trace id of one of them.")
        by: Any = request.auth or request.user
        reading.record_view(found[0], by=by, now=now)
        return taking.download(found[0], now=now)
