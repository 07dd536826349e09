"""What goes in and out of the API of metrics. Scores are exact: a decimal as text, or a ratio such as "1/3"."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from metrics.judges.evaluation import EvaluationVerdict
from metrics.judges.paired import MetricVerdict
from metrics.models import DriftReport, EvaluationRun, Measurement, Pull, Source


def valid(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The request's body as the serializer reads it, or every reason why not."""
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


class MetricOut(serializers.Serializer[Any]):
    mean = serializers.CharField()
    cases = serializers.IntegerField()
    errored = serializers.IntegerField(help_text="Cases without a number; they count as 0 in the mean.")


class RunOut(serializers.ModelSerializer[EvaluationRun]):
    origin_proven = serializers.BooleanField()
    metrics = serializers.DictField(child=MetricOut())
    pins = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = EvaluationRun
        fields = [
            "id", "release_label", "dataset_hash", "pins", "tool", "tool_version", "tool_run_id", "task", "metric",
            "metrics", "cases", "errored", "finished_at", "origin", "origin_proven", "source", "raw_digest", "raw_size",
            "created_at",
        ]  # fmt: skip


class MetricVerdictOut(serializers.Serializer[MetricVerdict]):
    metric = serializers.CharField()
    outcome = serializers.ChoiceField(["pass", "fail", "inconclusive"])
    reasons = serializers.ListField(child=serializers.CharField())
    down = serializers.BooleanField(help_text="Lower is better.")
    weight = serializers.CharField()
    cases = serializers.IntegerField()
    errored = serializers.IntegerField()
    candidate_score = serializers.CharField(allow_null=True)
    baseline_score = serializers.CharField(allow_null=True)
    delta = serializers.CharField(allow_null=True)
    relative = serializers.CharField(allow_null=True)
    lower = serializers.CharField(allow_null=True)
    upper = serializers.CharField(allow_null=True)
    p_value = serializers.CharField(allow_null=True)
    p_adjusted = serializers.CharField(allow_null=True, help_text="Among all metrics of the policy.")
    smallest_detectable = serializers.CharField(allow_null=True)


class VerdictOut(serializers.Serializer[EvaluationVerdict]):
    outcome = serializers.ChoiceField(["pass", "fail", "inconclusive"])
    reasons = serializers.ListField(child=serializers.CharField())
    notes = serializers.ListField(child=serializers.CharField())
    metric = serializers.CharField()
    cases = serializers.IntegerField()
    errored = serializers.ListField(child=serializers.CharField())
    candidate_score = serializers.CharField(allow_null=True)
    baseline_score = serializers.CharField(allow_null=True)
    delta = serializers.CharField(allow_null=True)
    lower = serializers.CharField(allow_null=True, help_text="Of the 95 % interval.")
    upper = serializers.CharField(allow_null=True)
    p_value = serializers.CharField(allow_null=True)
    smallest_detectable = serializers.CharField(allow_null=True)
    regressed = serializers.ListField(child=serializers.CharField())
    improved = serializers.ListField(child=serializers.CharField())
    relative = serializers.CharField(allow_null=True)
    metrics = MetricVerdictOut(many=True)
    must_pass_failed = serializers.ListField(child=serializers.CharField())
    lost = serializers.ListField(child=serializers.CharField(), help_text="Passed before, fail now.")


class RunDetailOut(serializers.Serializer[Any]):
    run = RunOut()
    baseline = RunOut(allow_null=True)
    verdict = VerdictOut(
        help_text="Under the release policy in force; the word that counts for a release is the gate's."
    )


class SourceOut(serializers.ModelSerializer[Source]):
    has_secret = serializers.SerializerMethodField()

    class Meta:
        model = Source
        fields = [
            "id", "kind", "name", "config", "has_secret", "schedule_seconds", "state", "last_error", "last_ok_at",
            "created_at", "retired_at",
        ]  # fmt: skip

    def get_has_secret(self, source: Source) -> bool:
        return bool(source.secret)


class SourceChange(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    config = serializers.JSONField(help_text="Settings of the connector: see docs/how-to/connectors.md.")
    secret = serializers.CharField(
        required=False, allow_blank=True, max_length=2000, help_text="Left out: stays as it is. Empty: removed."
    )
    schedule_seconds = serializers.IntegerField(required=False, allow_null=True, min_value=10)

    def validate_config(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise serializers.ValidationError("Settings are an object.")
        return value


class SourceIn(SourceChange):
    kind = serializers.ChoiceField(Source.Kind.choices)


class FindingOut(serializers.Serializer[Any]):
    ok = serializers.BooleanField()
    sentence = serializers.CharField()


class PullIn(serializers.Serializer[Any]):
    release = serializers.CharField(required=False, default="", allow_blank=True, max_length=100)


class PullOut(serializers.ModelSerializer[Pull]):
    class Meta:
        model = Pull
        fields = ["id", "release_label", "outcome", "error", "raw_digest", "run", "started_at", "finished_at"]


class MeasurementOut(serializers.ModelSerializer[Measurement]):
    class Meta:
        model = Measurement
        fields = [
            "id", "release_label", "what", "value", "unit", "count", "window_from", "window_to", "raw_digest",
            "created_at",
        ]  # fmt: skip


class DriftOut(serializers.ModelSerializer[DriftReport]):
    class Meta:
        model = DriftReport
        fields = [
            "id", "since", "until", "requests", "requests_before", "psi_max", "drifted", "figures", "digest",
            "created_at",
        ]  # fmt: skip
