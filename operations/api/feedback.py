from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import person as caller
from operations.actions.feedback import record_feedback
from operations.api.base import CURSOR, SystemView
from operations.api.serializers import valid
from operations.models import Feedback
from web.idempotency import idempotent
from web.paging import keyset_page


class NewFeedbackSerializer(serializers.Serializer[Any]):
    rating = serializers.ChoiceField(Feedback.Rating.choices, required=False, default=Feedback.Rating.NONE)
    text = serializers.CharField(max_length=4000, required=False, allow_blank=True, default="")
    request_id = serializers.CharField(
        max_length=200, required=False, allow_blank=True, default="", help_text="As the user quotes it."
    )
    release_label = serializers.CharField(
        max_length=100, required=False, allow_blank=True, default="", help_text="Left out: the request's."
    )


class FeedbackSerializer(NewFeedbackSerializer):
    id = serializers.UUIDField()
    via = serializers.ChoiceField(Feedback.Via.choices)
    received_at = serializers.DateTimeField()


class FeedbackPageSerializer(serializers.Serializer[Any]):
    results = FeedbackSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Cursor of the next page.")


def shown(row: Feedback) -> dict[str, Any]:
    plain = ("rating", "text", "request_id", "release_label", "via", "received_at")
    return {"id": str(row.pk), **{name: getattr(row, name) for name in plain}}


class FeedbackList(SystemView):
    # The application that sends a request's trace also sends what its user thought of it.
    required_scopes = {"GET": "trail:read", "POST": "ingest"}

    @extend_schema(responses=FeedbackPageSerializer, operation_id="feedback_list", parameters=[CURSOR])
    def get(self, request: Request, slug: str) -> Response:
        """What users said, newest first."""
        rows = Feedback.objects.filter(system=self.system(request, slug))
        page = keyset_page(rows, order=("-received_at", "-pk"), cursor=request.query_params.get("cursor"))
        return Response({"results": [shown(row) for row in page.items], "next": page.next_cursor})

    @extend_schema(request=NewFeedbackSerializer, responses={201: FeedbackSerializer})
    @idempotent
    def post(self, request: Request, slug: str) -> Response:
        """Records what a user thought of an answer: a rating, words, or both."""
        system = self.system(request, slug)
        data = valid(NewFeedbackSerializer, request)
        row = record_feedback(system=system, via=Feedback.Via.API, by=caller(request), now=timezone.now(), **data)
        return Response(shown(row), status=201)
