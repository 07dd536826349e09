"""What goes in and out of the API of releases."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from releases.decisions import Standing, decision_body
from releases.models import Decision, Release, Rollout
from releases.presenting import rows as presenting
from releases.reproduce import Reproduction
from releases.untaken import untaken as found_untaken
from systems.policy_words import asks_less


def valid(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The request's body as the serializer reads it, or every reason why not."""
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


class ReleaseSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    system = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # DRF fields have a label of their own
    state = serializers.CharField()
    summary = serializers.CharField()
    standard = serializers.CharField()
    policy = serializers.IntegerField()
    asks_less = serializers.ListField(
        child=serializers.CharField(), help_text="What its standard and its policy ask less than the shipped ones."
    )
    opened_at = serializers.DateTimeField()
    url = serializers.CharField()


def release(row: Release) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "system": row.system.slug,
        "label": row.label,
        "state": row.state,
        "summary": row.summary,
        "standard": row.standard.number,
        "policy": row.policy.number,
        "asks_less": [*row.standard.weakens, *asks_less(row.policy.body)],
        "opened_at": row.opened_at,
        "url": presenting.release_url(row),
    }


def pins(row: Release) -> list[dict[str, Any]]:
    return [
        {
            "kind": pin.component.kind,
            "component": pin.component.name,
            "version": pin.version.number,
            "sha256": pin.version.sha256,
        }
        for pin in row.pins.select_related("component", "version").order_by("component__kind", "component__name")
    ]


class ReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    sentence = serializers.CharField()
    who = serializers.CharField()
    url = serializers.CharField()


class GateSerializer(serializers.Serializer[Any]):
    release = serializers.UUIDField()
    system = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # DRF fields have a label of their own
    state = serializers.CharField()
    question = serializers.CharField()
    allow = serializers.BooleanField(help_text="Clearance: the verdict is go, and both sides have signed.")
    verdict = serializers.ChoiceField(["go", "no-go"])
    closed = serializers.BooleanField()
    decision = serializers.UUIDField(allow_null=True)
    state_digest = serializers.CharField()
    gate_version = serializers.IntegerField()
    policy = serializers.IntegerField()
    standard = serializers.CharField()
    reasons = ReasonSerializer(many=True)


def gate(row: Release, found: Standing) -> dict[str, Any]:
    """A closed question answers with its decision, an ended release with no-go, everything else afresh."""
    if found.answers_no:
        outcome = "no-go"
    elif found.closed_by:
        outcome = found.closed_by.verdict["outcome"]
    else:
        outcome = found.verdict.outcome.value
    return {
        "release": str(row.pk),
        "system": row.system.slug,
        "label": row.label,
        "state": row.state,
        "question": found.question.value,
        "allow": found.cleared,
        "verdict": outcome,
        "closed": found.closed_by is not None,
        "decision": str(found.closed_by.pk) if found.closed_by else None,
        "state_digest": found.closed_by.state_digest if found.closed_by else found.state_digest,
        "gate_version": found.verdict.gate_version,
        "policy": row.policy.number,
        "standard": row.standard.number,
        "reasons": [
            {"code": reason.code, "sentence": reason.sentence, "who": reason.who, "url": reason.url}
            for reason in presenting.reasons(found, row)
        ],
    }


class ItemSerializer(serializers.Serializer[Any]):
    key = serializers.CharField()
    title = serializers.CharField()
    phase = serializers.CharField()
    state = serializers.CharField()
    sentence = serializers.CharField()
    blocks = serializers.BooleanField()
    owner = serializers.CharField(allow_null=True)
    revision = serializers.IntegerField()
    evidence = serializers.ListField(child=serializers.DictField())


class UntakenSerializer(serializers.Serializer[Any]):
    source = serializers.CharField()  # type: ignore[assignment]  # DRF fields have a source of their own
    about = serializers.CharField(help_text="The release that was asked about: this one, or the live one.")
    outcome = serializers.CharField(help_text="refused, failed, unanswered or not comparable")
    reason = serializers.CharField()
    at = serializers.DateTimeField()


class OneItemSerializer(ItemSerializer):
    untaken = UntakenSerializer(many=True, help_text="What sources last answered for it, where it could not be used.")


def untaken(release: Release, row: presenting.ShownItem) -> list[dict[str, Any]]:
    return [
        {"source": one.name, "about": one.about, "outcome": one.outcome, "reason": one.reason, "at": one.at}
        for one in found_untaken(release, row.definition.auto_fact)
    ]


def item(row: presenting.ShownItem) -> dict[str, Any]:
    return {
        "key": row.item.key,
        "title": row.definition.title,
        "phase": row.definition.phase,
        "section": row.definition.section,
        "verification": row.definition.verification,
        "state": row.state,
        "sentence": row.sentence,
        "blocks": row.blocks,
        "owner": row.item.owner.email if row.item.owner else None,
        "revision": row.item.revision,
        "evidence": [
            {
                "id": str(e.pk),
                "title": e.title,
                "kind": e.kind,
                "digest": e.digest,
                "attached_at": e.attached_at,
                "valid_until": e.valid_until,
            }
            for e in row.evidence
        ],
        "url": row.url,
    }


class OpenSerializer(serializers.Serializer[Any]):
    system = serializers.SlugField()
    label = serializers.CharField(max_length=60)  # type: ignore[assignment]  # DRF fields have a label of their own
    summary = serializers.CharField(default="", allow_blank=True)
    ticket_url = serializers.URLField(default="", allow_blank=True)
    pin_newest = serializers.BooleanField(default=True, help_text="Pin the newest approved version of every component.")


class ItemActSerializer(serializers.Serializer[Any]):
    act = serializers.ChoiceField(["assign", "verify", "send-back", "comment", "propose", "confirm", "withdraw"])
    revision = serializers.IntegerField(required=False)
    owner = serializers.EmailField(default="", allow_blank=True)
    due_at = serializers.DateTimeField(default=None, allow_null=True)
    reason = serializers.CharField(default="", allow_blank=True, help_text="Of sending back; a comment's words.")
    digests = serializers.ListField(child=serializers.CharField(), default=list)


class EvidenceSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField(default="file")
    title = serializers.CharField(max_length=200, default="", allow_blank=True)
    content = serializers.CharField(default="", allow_blank=True, help_text="Base64.")
    record = serializers.CharField(
        default="", allow_blank=True, help_text="In place of content: a kind of record that the item takes."
    )
    values = serializers.DictField(
        child=serializers.CharField(allow_blank=True), default=dict, help_text="Of the record: field -> what it says."
    )
    sha256 = serializers.CharField(default="", allow_blank=True)
    media_type = serializers.CharField(default="application/octet-stream", max_length=100)
    url = serializers.URLField(default="", allow_blank=True)
    note = serializers.CharField(default="", allow_blank=True)
    replace = serializers.BooleanField(default=False)


class AttachedSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    digest = serializers.CharField()
    valid_until = serializers.DateTimeField(allow_null=True)


class ActSerializer(serializers.Serializer[Any]):
    act = serializers.ChoiceField(
        [
            "pin",
            "plan",
            "review",
            "answer",
            "start-shadow",
            "end-shadow",
            "start",
            "promote",
            "roll-back",
            "abandon",
            "reject",
            "upgrade",
            "policy",
        ]
    )
    version = serializers.UUIDField(required=False)
    key = serializers.CharField(default="", allow_blank=True)
    value = serializers.CharField(default="", allow_blank=True)
    side = serializers.CharField(default="", allow_blank=True)
    text = serializers.CharField(
        default="", allow_blank=True, help_text="The answer, the reason, the standard to upgrade to, or the policy."
    )
    evidence = serializers.UUIDField(
        required=False, default=None, allow_null=True, help_text="What an answer rests on."
    )


class StepSerializer(serializers.Serializer[Any]):
    share = serializers.DecimalField(max_digits=5, decimal_places=4)
    hours = serializers.IntegerField(help_text="Covered hours that it is held.")


class PlanSerializer(serializers.Serializer[Any]):
    strategy = serializers.ChoiceField(Rollout.Strategy.choices, default="canary")
    share = serializers.DecimalField(max_digits=5, decimal_places=4)
    hours = serializers.IntegerField()
    error_rate_max = serializers.DecimalField(max_digits=6, decimal_places=5)
    p95_ms_max = serializers.IntegerField()
    source = serializers.UUIDField()  # type: ignore[assignment]  # DRF fields have a source of their own
    steps = StepSerializer(many=True, default=list, help_text="Smaller shares that come first.")
    shadow_source = serializers.UUIDField(required=False, default=None, allow_null=True)
    shadow_hours = serializers.IntegerField(required=False, default=None, allow_null=True)


class SignSerializer(serializers.Serializer[Any]):
    sealed = serializers.CharField(help_text="As GET gave it.")
    state_digest = serializers.CharField(help_text="The digest of the state that was shown. Never empty.")
    passkey = serializers.JSONField(required=False, help_text="The authenticator's answer to `passkey_options`.")
    password = serializers.CharField(default="", allow_blank=True)
    code = serializers.CharField(default="", allow_blank=True)


class SignedSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    statement_digest = serializers.CharField()
    method = serializers.CharField()


def reproduction(found: Reproduction) -> dict[str, Any]:
    return {
        "request_id": found.request_id,
        "whole": found.whole,
        "release": str(found.release.pk) if found.release else None,
        "decision": str(found.decision.pk) if found.decision else None,
        "steps": [
            {"name": step.name, "ok": step.ok, "sentence": step.sentence, "details": step.details}
            for step in found.steps
        ],
    }


def decision(row: Decision) -> dict[str, Any]:
    return {"id": str(row.pk), "digest": row.digest, **decision_body(row)}
