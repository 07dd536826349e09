"""The rollout as programs see it: how far it is, what happened, and the deploy system's answers to its orders."""

import json
from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from audit import shares
from operations.answering import signed_by
from releases.actions.instructing import TOPIC, acknowledge
from releases.api.views import ReleaseView
from releases.facts import judge_rollout
from releases.models import Instruction, Release, Rollout, ShadowRun
from releases.presenting.rollout_events import events, instructions
from systems.policy import release_bars
from web.api import ApiView
from web.problems import BadRequest, NotFound


class RolloutView(ReleaseView):
    required_scopes = {"GET": "gate:read"}

    @extend_schema(responses=OpenApiTypes.OBJECT, operation_id="release_rollout")
    def get(self, request: Request, reference: str) -> Response:
        """Plan, progress, hourly bins, events, orders to the deploy system, shadow runs."""
        release = self.release(request, reference)
        plan = Rollout.objects.select_related("source").filter(release=release).first()
        if plan is None:
            raise NotFound("The release has no rollout plan.")
        return Response(_shown(release, plan))


def _shown(release: Release, plan: Rollout) -> dict[str, Any]:
    judged = None
    if plan.started_at is not None:
        judged = judge_rollout(release, plan, release_bars(release.policy.body), now=timezone.now())
    return {
        "strategy": plan.strategy,
        "state": plan.state,
        "share": plan.share_now if plan.started_at else plan.share,
        "share_seen": _seen(release),
        "steps": [{"share": share, "until_covered_hours": until} for share, until in plan.stages],
        "step": plan.step,
        "started_at": plan.started_at,
        "watched_until": plan.watched_until,
        "ended_at": plan.ended_at,
        "end_reason": plan.end_reason,
        "judged": _judged(judged) if judged else None,
        "events": [{name: one[name] for name in ("at", "sentence", "detail")} for one in events(release, plan, judged)],
        "instructions": [_instruction(row) for row, _ in instructions(release)],
        "shadow_runs": [_shadow(run) for run in release.shadow_runs.all()],
    }


def _seen(release: Release) -> dict[str, Any] | None:
    found = shares.now_of(str(release.pk), now=timezone.now())
    if found is None:
        return None
    plain = ("since", "requests", "all_requests", "exceeded")
    return {"share": found.seen, **{name: getattr(found, name) for name in plain}}


def _judged(judged: Any) -> dict[str, Any]:
    plain = ("outcome", "reasons", "notes", "covered_hours", "requests", "errors", "error_rate", "p95_ms", "p_worse",
             "windows_digest")  # fmt: skip
    bins = ("since", "until", "covered", "answered", "requests", "errors", "p95_ms")
    return {name: getattr(judged, name) for name in plain} | {
        "bins": [{name: getattr(one, name) for name in bins} for one in judged.bins]
    }


def _shadow(run: ShadowRun) -> dict[str, Any]:
    plain = ("state", "live_label", "hours", "started_at", "ended_at", "end_reason", "report", "report_digest")
    return {name: getattr(run, name) for name in plain}


def _instruction(row: Instruction) -> dict[str, Any]:
    plain = ("act", "share", "serves", "reason", "ordered_at", "result", "detail", "answered_at")
    return {"id": str(row.pk), **{name: getattr(row, name) for name in plain}}


class AnswerSerializer(serializers.Serializer[Any]):
    instruction = serializers.UUIDField(help_text="The same as in the address: the signature covers it.")
    result = serializers.ChoiceField(["done", "failed"])
    detail = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")


class Acknowledgement(ApiView):
    """For the deploy system, which signs its answer with the secret of the webhook that told it (Standard Webhooks)."""

    permission_classes = [AllowAny]
    authentication_classes: tuple[()] = ()

    @extend_schema(
        request=AnswerSerializer, responses=OpenApiTypes.OBJECT, operation_id="instruction_acknowledge", auth=[]
    )
    def post(self, request: Request, instruction: UUID) -> Response:
        row = Instruction.objects.select_related("release__system").filter(pk=instruction).first()
        body = request._request.body
        now = timezone.now()
        channel = row and signed_by(row.release.system, TOPIC, headers=request.headers, body=body, now=now)
        if row is None or channel is None:
            raise NotFound(
                "No webhook that is told of instructions signed this answer, or there is no such instruction."
            )
        answer = AnswerSerializer(data=_read(body))
        answer.is_valid(raise_exception=True)
        data = answer.validated_data
        if data["instruction"] != row.pk:
            raise BadRequest("The signed answer is about another instruction than the address.")
        answered = acknowledge(
            instruction_id=row.pk, result=data["result"], detail=data["detail"], channel=str(channel.pk),
            now=now,
        )  # fmt: skip
        return Response(_instruction(answered))


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise BadRequest("The answer is not JSON.") from None
