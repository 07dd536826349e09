"""What goes in and out of the API of operations. Amounts of money are exact decimals in dollars, as text."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from operations.budget import NANO, BudgetState
from operations.drill_schedule import Scheduled
from operations.models import Channel, Delivery, Drill, Freeze, StatusChange
from operations.presenters import TOPICS
from operations.queries import Alarm, AlarmDelays
from operations.rules import SIDES, StatusState


def valid(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The request's body as the serializer reads it, or every reason why not."""
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


def usd(nanousd: int) -> str:
    return f"{Decimal(nanousd) / NANO:f}"


def seconds(duration: timedelta | None) -> int | None:
    return None if duration is None else int(duration.total_seconds())


class BudgetSerializer(serializers.Serializer[Any]):
    system = serializers.CharField()
    state = serializers.ChoiceField(["ok", "alert", "exceeded"])
    day = serializers.DateField()
    spent_usd = serializers.CharField()
    alert_usd = serializers.CharField()
    cap_usd = serializers.CharField()
    unknown_share = serializers.CharField(help_text="Requests of the day whose cost nobody could price.")


def budget(slug: str, state: BudgetState) -> dict[str, Any]:
    return {
        "system": slug,
        "state": state.state,
        "day": state.day,
        "spent_usd": usd(state.spent_nanousd),
        "alert_usd": usd(state.alert_nanousd),
        "cap_usd": usd(state.cap_nanousd),
        "unknown_share": str(state.unknown_share),
    }


class StatusSerializer(serializers.Serializer[Any]):
    system = serializers.CharField()
    status = serializers.ChoiceField(StatusChange.Status.choices)
    reason = serializers.CharField()
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)
    step = serializers.IntegerField(allow_null=True, help_text="How far the degradation plan is walked.")
    gives_up = serializers.CharField(help_text="What that step does.")
    plan = serializers.IntegerField(allow_null=True, help_text="The version of the plan.")


def status(slug: str, state: StatusState) -> dict[str, Any]:
    return {
        "system": slug,
        "status": state.status,
        "reason": state.reason,
        "since": state.since,
        "until": state.until,
        "step": state.step,
        "gives_up": state.gives_up,
        "plan": state.plan,
    }


class ChangeStatusSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(StatusChange.Status.choices, required=False, help_text="A step says it itself.")
    step = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, help_text="Of the degradation plan."
    )
    reason = serializers.CharField(max_length=2000)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, default=None)


class FreezeSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    cause = serializers.ChoiceField(Freeze.Cause.choices)
    reason = serializers.CharField()
    imposed_by = serializers.CharField()
    imposed_at = serializers.DateTimeField()
    mitigation = serializers.CharField()
    mitigation_release = serializers.CharField()
    mitigation_by = serializers.CharField(allow_null=True)
    mitigation_digest = serializers.CharField(help_text="Send it back as `seen` to confirm exactly this mitigation.")
    confirmed = serializers.DictField()
    lifted_at = serializers.DateTimeField(allow_null=True)


def freeze(row: Freeze) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "cause": row.cause,
        "reason": row.reason,
        "imposed_by": row.imposed_by.actor_id if row.imposed_by else "product",
        "imposed_at": row.imposed_at,
        "mitigation": row.mitigation,
        "mitigation_release": row.mitigation_release,
        "mitigation_by": row.mitigation_by.actor_id if row.mitigation_by else None,
        "mitigation_digest": row.mitigation_digest,
        "confirmed": {side: getattr(row, f"confirmed_{side}_at") for side in SIDES},
        "lifted_at": row.lifted_at,
    }


class ImposeSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=2000)


class MitigationSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=4000)
    release_label = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")


class ConfirmSerializer(serializers.Serializer[Any]):
    side = serializers.ChoiceField(SIDES)
    seen = serializers.CharField(max_length=71)


class DrillSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(Drill.Kind.choices)
    environment = serializers.CharField()
    release_label = serializers.CharField()
    plan = serializers.CharField()
    scheduled_for = serializers.DateField(allow_null=True)
    by_product = serializers.BooleanField()
    runbook = serializers.CharField(allow_null=True)
    state = serializers.ChoiceField(Drill.State.choices)
    outcome = serializers.CharField()
    started_at = serializers.DateTimeField(allow_null=True)
    recovered_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    measured_seconds = serializers.IntegerField(allow_null=True)
    log = serializers.CharField()
    evidence_digest = serializers.CharField()


class DrillPageSerializer(serializers.Serializer[Any]):
    results = DrillSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Cursor of the next page.")


def drill(row: Drill) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "environment": row.environment,
        "release_label": row.release_label,
        "plan": row.plan,
        "scheduled_for": row.scheduled_for,
        "by_product": row.by_product,
        "runbook": str(row.runbook) if row.runbook else None,
        "state": row.state,
        "outcome": row.outcome,
        "started_at": row.started_at,
        "recovered_at": row.recovered_at,
        "ended_at": row.ended_at,
        "measured_seconds": seconds(row.measured),
        "log": row.log,
        "evidence_digest": row.evidence_digest,
    }


class PlanSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(Drill.Kind.choices)
    environment = serializers.SlugField(max_length=40)
    plan = serializers.CharField(max_length=4000)
    release_label = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")
    participants = serializers.ListField(child=serializers.EmailField(), required=False, default=list)
    scheduled_for = serializers.DateField(required=False, allow_null=True, default=None)
    runbook = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="Whose newest version is followed."
    )
    by_product = serializers.BooleanField(
        required=False, default=False, help_text="Budget alarm and rollback: the product runs it against staging."
    )
    hook = serializers.UUIDField(
        required=False, allow_null=True, default=None, help_text="The webhook that a rollback by the product tells."
    )


class AcknowledgeSerializer(serializers.Serializer[Any]):
    restored = serializers.CharField(max_length=100, help_text="The release that serves again, or `fallback`.")


class ScheduledSerializer(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(Drill.Kind.choices)
    state = serializers.ChoiceField(["missing", "ok", "alert", "lapsed"])
    passed_at = serializers.DateTimeField(allow_null=True)
    counts_until = serializers.DateTimeField(allow_null=True)
    next = serializers.UUIDField(allow_null=True, help_text="The drill of this kind that is planned or runs.")


def scheduled(row: Scheduled) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "state": row.state,
        "passed_at": row.passed_at,
        "counts_until": row.counts_until,
        "next": str(row.next.pk) if row.next else None,
    }


class MomentSerializer(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=500)


class EndSerializer(serializers.Serializer[Any]):
    outcome = serializers.ChoiceField(Drill.Outcome.choices)
    log = serializers.CharField(max_length=20_000)


class ChannelSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    system = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    kind = serializers.ChoiceField(Channel.Kind.choices)
    target = serializers.CharField(help_text="Without a webhook's query string, which may be a key.")
    topics = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(Channel.State.choices)
    tested_at = serializers.DateTimeField(allow_null=True)


def channel(row: Channel) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "system": row.system.slug if row.system else None,
        "name": row.name,
        "kind": row.kind,
        "target": row.shown_target,
        "topics": row.topics,
        "state": row.state,
        "tested_at": row.tested_at,
    }


class NewChannelSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80)
    kind = serializers.ChoiceField(Channel.Kind.choices)
    target = serializers.CharField(max_length=500)
    topics = serializers.ListField(child=serializers.ChoiceField(list(TOPICS)), required=False, default=list)


class MadeChannelSerializer(ChannelSerializer):
    secret = serializers.CharField(help_text="The signing secret of a webhook: shown now and never again.")


class SecretSerializer(serializers.Serializer[Any]):
    secret = serializers.CharField()


class SwitchSerializer(serializers.Serializer[Any]):
    on = serializers.BooleanField()


class DeliverySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    topic = serializers.CharField()
    title = serializers.CharField()
    to = serializers.CharField()
    state = serializers.ChoiceField(Delivery.State.choices)
    attempts = serializers.IntegerField()
    interrupted = serializers.IntegerField()
    sent_at = serializers.DateTimeField(allow_null=True)
    delay_seconds = serializers.IntegerField(allow_null=True)
    response_code = serializers.IntegerField(allow_null=True)
    last_error = serializers.CharField()
    created_at = serializers.DateTimeField()


class DeliveryPageSerializer(serializers.Serializer[Any]):
    results = DeliverySerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Cursor of the next page.")


def delivery(row: Delivery) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "topic": row.notification.topic,
        "title": row.notification.title,
        "to": row.receiver,
        "state": row.state,
        "attempts": row.attempts,
        "interrupted": row.interrupted,
        "sent_at": row.sent_at,
        "delay_seconds": seconds(row.delay),
        "response_code": row.response_code,
        "last_error": row.last_error,
        "created_at": row.created_at,
    }


class AlarmSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    topic = serializers.CharField()
    title = serializers.CharField()
    body = serializers.CharField(help_text="What was seen: the number and its limit.")
    breach_at = serializers.DateTimeField()
    delivered_at = serializers.DateTimeField(allow_null=True)
    delay_seconds = serializers.IntegerField()
    acknowledged_by = serializers.CharField(allow_null=True)
    acknowledged_at = serializers.DateTimeField(allow_null=True)
    escalated_at = serializers.DateTimeField(allow_null=True)


def alarm(found: Alarm) -> dict[str, Any]:
    row = found.notification
    return {
        "id": str(row.pk),
        "topic": row.topic,
        "title": row.title,
        "body": row.body,
        "breach_at": row.breach_at,
        "delivered_at": found.delivered_at,
        "delay_seconds": seconds(found.delay),
        "acknowledged_by": row.acknowledged_by.actor_id if row.acknowledged_by else None,
        "acknowledged_at": row.acknowledged_at,
        "escalated_at": row.escalated_at,
    }


class AlarmDelaysSerializer(serializers.Serializer[Any]):
    alarms = serializers.IntegerField()
    undelivered = serializers.IntegerField(help_text="They count with their age.")
    worst_seconds = serializers.IntegerField(allow_null=True)
    typical_seconds = serializers.IntegerField(allow_null=True, help_text="The median.")
    limit_seconds = serializers.IntegerField()


def alarm_delays(found: AlarmDelays, *, limit: int) -> dict[str, Any]:
    return {
        "alarms": found.alarms,
        "undelivered": found.undelivered,
        "worst_seconds": seconds(found.worst),
        "typical_seconds": seconds(found.typical),
        "limit_seconds": limit,
    }
