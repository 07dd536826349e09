"""Reviews and access rosters, for programs: the calendar, the frozen numbers, the findings."""

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as caller
from operations.actions import reviews as act
from operations.api.base import CURSOR, SystemView
from operations.api.serializers import valid
from operations.models import Review, RosterLine
from web.idempotency import idempotent
from web.paging import keyset_page


class RosterLineSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    person = serializers.CharField()
    role = serializers.CharField()
    everywhere = serializers.BooleanField()
    since = serializers.DateTimeField()
    decision = serializers.CharField()
    reason = serializers.CharField()


class ReviewSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(Review.Kind.choices)
    release_label = serializers.CharField()
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    frozen_at = serializers.DateTimeField(allow_null=True)
    numbers = serializers.DictField(allow_null=True)
    numbers_digest = serializers.CharField()
    outcome = serializers.CharField()
    findings = serializers.CharField()
    done_by = serializers.CharField(allow_null=True)
    done_at = serializers.DateTimeField(allow_null=True)


class ReviewDetailSerializer(ReviewSerializer):
    roster = RosterLineSerializer(many=True)


class ReviewPageSerializer(serializers.Serializer[Any]):
    results = ReviewSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Cursor of the next page.")


class MadeReviewSerializer(serializers.Serializer[Any]):
    outcome = serializers.ChoiceField(Review.Outcome.choices)
    findings = serializers.CharField(max_length=20_000)


class DecisionSerializer(serializers.Serializer[Any]):
    decision = serializers.ChoiceField(RosterLine.Decision.choices)
    reason = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


def review(row: Review) -> dict[str, Any]:
    plain = ("kind", "release_label", "since", "until", "due_at", "frozen_at", "numbers", "numbers_digest", "outcome",
             "findings", "done_at")  # fmt: skip
    return {
        "id": str(row.pk),
        **{name: getattr(row, name) for name in plain},
        "done_by": row.done_by.actor_id if row.done_by else None,
    }


def line(row: RosterLine) -> dict[str, Any]:
    plain = ("role", "everywhere", "since", "decision", "reason")
    return {"id": str(row.pk), "person": row.person.actor_id, **{name: getattr(row, name) for name in plain}}


def detail(row: Review) -> dict[str, Any]:
    return review(row) | {"roster": [line(one) for one in row.roster.select_related("person")]}


class Reviews(SystemView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=ReviewPageSerializer, operation_id="reviews_list", parameters=[CURSOR])
    def get(self, request: Request, slug: str) -> Response:
        """The calendar of the system, the latest due first."""
        rows = Review.objects.filter(system=self.system(request, slug)).select_related("done_by")
        page = keyset_page(rows, order=("-due_at", "-pk"), cursor=request.query_params.get("cursor"))
        return Response({"results": [review(row) for row in page.items], "next": page.next_cursor})


class ReviewView(SystemView):
    def review(self, request: Request, slug: str, review_id: UUID) -> Review:
        rows = Review.objects.select_related("system", "done_by")
        return get_object_or_404(rows, pk=review_id, system=self.system(request, slug))


class ReviewDetail(ReviewView):
    required_scopes = {"GET": "status:read"}

    @extend_schema(responses=ReviewDetailSerializer)
    def get(self, request: Request, slug: str, review_id: UUID) -> Response:
        return Response(detail(self.review(request, slug, review_id)))

    @extend_schema(request=MadeReviewSerializer, responses=ReviewDetailSerializer)
    @idempotent
    def post(self, request: Request, slug: str, review_id: UUID) -> Response:
        """Closes the review with its findings. It does not change afterwards."""
        found = self.review(request, slug, review_id)
        data = valid(MadeReviewSerializer, request)
        return Response(detail(act.complete_review(review=found, by=caller(request), now=timezone.now(), **data)))


class Freeze(ReviewView):
    @extend_schema(request=None, responses=ReviewDetailSerializer, operation_id="review_freeze")
    @idempotent
    def post(self, request: Request, slug: str, review_id: UUID) -> Response:
        """Takes the numbers of the period so far, once; of an access review, the roster too."""
        found = self.review(request, slug, review_id)
        return Response(detail(act.freeze_numbers(review=found, by=caller(request), now=timezone.now())))


class Line(ReviewView):
    @extend_schema(request=DecisionSerializer, responses=RosterLineSerializer, operation_id="review_decide_line")
    @idempotent
    def post(self, request: Request, slug: str, review_id: UUID, line_id: UUID) -> Response:
        """Confirms one line of the roster, or revokes the role at once."""
        found = get_object_or_404(RosterLine, pk=line_id, review=self.review(request, slug, review_id))
        data = valid(DecisionSerializer, request)
        return Response(line(act.decide_line(line=found, by=caller(request), now=timezone.now(), **data)))
