"""What goes in and out of the API of systems."""

import base64
import binascii
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from accounts.models import User
from systems.actions.policies import PARTS, part_of
from systems.kinds import Area, Kind
from systems.models import Announcement, Component, Consumer, Policy, System, Version
from systems.registry import Owned

PART = list(PARTS)


def valid(serializer: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
    """The request's body as the serializer reads it, or every reason why not."""
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


class SystemOut(serializers.ModelSerializer[System]):
    class Meta:
        model = System
        fields = [
            "id", "slug", "name", "description", "time_zone", "ticket_url_template", "has_regulated_data", "is_demo",
            "created_at",
        ]  # fmt: skip


class SystemIn(serializers.Serializer[Any]):
    slug = serializers.CharField(max_length=60)
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(required=False, allow_blank=True, default="")
    time_zone = serializers.CharField(required=False, default="UTC", max_length=64)
    ticket_url_template = serializers.CharField(required=False, allow_blank=True, default="", max_length=300)
    has_regulated_data = serializers.BooleanField(required=False, default=False)
    owners = serializers.DictField(
        child=serializers.PrimaryKeyRelatedField(queryset=User.objects.all()), required=False, default=dict
    )


class OwnerOut(serializers.Serializer[Any]):
    area = serializers.ChoiceField(Area.choices)
    user = serializers.UUIDField(allow_null=True)
    name = serializers.CharField(allow_null=True)
    since = serializers.DateTimeField(allow_null=True)
    gap = serializers.CharField(allow_blank=True, help_text="What is missing; empty: nothing.")
    acknowledged_at = serializers.DateTimeField(allow_null=True, help_text="When its owner said so themselves.")


class OwnerIn(serializers.Serializer[Any]):
    area = serializers.ChoiceField(Area.choices)
    user = serializers.PrimaryKeyRelatedField(queryset=User.objects.all())


class SystemDetailOut(SystemOut):
    owners = OwnerOut(many=True)

    class Meta(SystemOut.Meta):
        fields = [*SystemOut.Meta.fields, "owners"]


class VersionOut(serializers.ModelSerializer[Version]):
    author = serializers.UUIDField(source="author_id")
    reviewer = serializers.UUIDField(source="reviewer_id", allow_null=True)

    class Meta:
        model = Version
        fields = [
            "id", "number", "sha256", "size", "media_type", "meta", "state", "note", "author", "created_at",
            "submitted_at", "reviewer", "reviewed_at", "review_note", "breaks", "breaks_against", "compatibility_note",
            "window_days", "deprecated_until",
        ]  # fmt: skip


class VersionWithContentOut(VersionOut):
    content_base64 = serializers.CharField(help_text="The bytes exactly as they were uploaded.")

    class Meta(VersionOut.Meta):
        fields = [*VersionOut.Meta.fields, "content_base64"]


class VersionIn(serializers.Serializer[Any]):
    """`content` is text, kept as its UTF-8 bytes; `content_base64` is any bytes. One of the two."""

    content = serializers.CharField(required=False, trim_whitespace=False)
    content_base64 = serializers.CharField(required=False)
    meta = serializers.DictField(required=False, default=dict)
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=4000)
    submit = serializers.BooleanField(required=False, default=False, help_text="Hand it over for review at once.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("content" in attrs) == ("content_base64" in attrs):
            raise serializers.ValidationError("Send either content or content_base64.")
        try:
            attrs["data"] = (
                base64.b64decode(attrs.pop("content_base64"), validate=True)
                if "content_base64" in attrs
                else attrs.pop("content").encode()
            )
        except (binascii.Error, ValueError):
            raise serializers.ValidationError({"content_base64": "This is not base64."}) from None
        return attrs


class ComponentOut(serializers.ModelSerializer[Component]):
    versions = VersionOut(many=True)

    class Meta:
        model = Component
        fields = ["id", "kind", "name", "created_at", "retired_at", "versions"]


class ComponentIn(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(Kind.choices)
    name = serializers.CharField(max_length=100)


class ActIn(serializers.Serializer[Any]):
    note = serializers.CharField(required=False, allow_blank=True, default="", max_length=4000)


class CompatibilityIn(ActIn):
    """Of a version's `compatibility`: what others change, and the window; of `deprecate`: the window."""

    window_days = serializers.IntegerField(required=False, default=0, min_value=0, max_value=730)


class CompatibilityOut(serializers.Serializer[Any]):
    against = serializers.IntegerField(allow_null=True, help_text="Number of the version in use; null: there is none.")
    compatible = serializers.BooleanField()
    breaks = serializers.ListField(child=serializers.CharField())


class ConsumerOut(serializers.ModelSerializer[Consumer]):
    class Meta:
        model = Consumer
        fields = ["id", "name", "contact", "reached_at", "added_at"]


class ConsumerIn(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=120)
    contact = serializers.PrimaryKeyRelatedField(
        queryset=User.objects.filter(is_active=True), required=False, default=None, allow_null=True
    )
    reached_at = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)


class AnnouncementOut(serializers.ModelSerializer[Announcement]):
    consumer = serializers.CharField(source="consumer.name")

    class Meta:
        model = Announcement
        fields = ["id", "consumer", "announced_at", "acknowledged_by", "acknowledged_at", "note"]


class PolicyOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    part = serializers.ChoiceField(PART)
    number = serializers.IntegerField()
    state = serializers.ChoiceField(Policy.State.choices)
    shipped = serializers.BooleanField()
    body = serializers.DictField()
    sha256 = serializers.CharField()
    weakens = serializers.ListField(child=serializers.CharField())
    reason = serializers.CharField()
    author = serializers.UUIDField(allow_null=True)
    approver = serializers.UUIDField(allow_null=True)
    platform_approver = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    approved_at = serializers.DateTimeField(allow_null=True)
    superseded_at = serializers.DateTimeField(allow_null=True)


class PolicyIn(serializers.Serializer[Any]):
    part = serializers.ChoiceField(PART)
    body = serializers.DictField(help_text='Thresholds that change; decimals as text: {"eval_min_delta": "0.02"}')
    reason = serializers.CharField(max_length=2000)


class DecisionIn(serializers.Serializer[Any]):
    role = serializers.ChoiceField(["product", "platform"], required=False, default="product")
    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


def owner(owned: Owned) -> dict[str, Any]:
    return {
        "area": owned.area.value,
        "user": str(owned.user.pk) if owned.user else None,
        "name": owned.user.name if owned.user else None,
        "since": owned.since,
        "gap": owned.gap,
        "acknowledged_at": owned.acknowledged_at,
    }


def policy(row: Policy) -> dict[str, Any]:
    return {
        "id": str(row.pk),
        "part": part_of(row),
        "number": row.number,
        "state": row.state,
        "shipped": row.shipped,
        "body": row.body,
        "sha256": row.sha256,
        "weakens": row.weakens,
        "reason": row.reason,
        "author": row.author_id,
        "approver": row.approver_id,
        "platform_approver": row.platform_approver_id,
        "created_at": row.created_at,
        "approved_at": row.approved_at,
        "superseded_at": row.superseded_at,
    }
