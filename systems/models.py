"""The GenAI systems: who answers for what, what they are made of, and by which policy they are judged."""

from typing import ClassVar

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import F, Q

from systems.kinds import Area, Kind
from web.ids import uuid7

SLUG = RegexValidator(
    r"\A[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?\Z",
    "Use lower-case letters, digits and single dashes inside, up to 60.",
)


class System(models.Model):
    """The unit of access, ownership, budget, freeze and retention. Its slug is its public id and never changes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(max_length=60, unique=True, validators=[SLUG])
    name = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        help_text="Its budget day begins at midnight there.",
    )
    ticket_url_template = models.CharField(
        max_length=300,
        blank=True,
        help_text="Where releases are tracked; {label} stands for the release.",
    )
    has_regulated_data = models.BooleanField(default=False)
    is_demo = models.BooleanField(default=False, help_text="Made by the demo project, and removed with it.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("name", "slug")
        constraints = [
            models.CheckConstraint(
                name="systems_system_slug",
                condition=Q(slug__regex=r"^[a-z0-9]([a-z0-9-]{0,58}[a-z0-9])?$"),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Ownership(models.Model):
    """Who answers for one area of a system now. Who did before is in the ledger."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="ownerships")
    area = models.CharField(max_length=20, choices=Area.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="ownerships")
    since = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True, help_text="When this person said that they answer for it.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["system", "area"], name="systems_ownership_one_per_area")]

    def __str__(self) -> str:
        return f"{self.get_area_display()} of {self.system_id}"


class Component(models.Model):
    """A named part of a system. A release pins one approved version of each component that is in use."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="components")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    name = models.CharField(max_length=100)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True, help_text="From then on releases need not pin it.")

    class Meta:
        ordering = ("kind", "name")
        constraints = [models.UniqueConstraint(fields=["system", "kind", "name"], name="systems_component_name")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.name}"


class Version(models.Model):
    """One content of a component. It never changes: a correction is another version, and only its state moves on."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        IN_REVIEW = "in_review", "In review"
        APPROVED = "approved", "Approved"
        DEPRECATED = "deprecated", "Deprecated"
        RETIRED = "retired", "Retired"

    # States that only a reviewed version can be in.
    REVIEWED: ClassVar[tuple[str, ...]] = (
        State.APPROVED,
        State.DEPRECATED,
        State.RETIRED,
    )

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    component = models.ForeignKey(Component, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=71, help_text="sha256:<hex> over the canonical bytes.")
    content = models.BinaryField(
        null=True,
        help_text="The bytes exactly as they came; larger ones are in the vault.",
    )
    vault_digest = models.CharField(max_length=71, blank=True)
    size = models.PositiveBigIntegerField()
    media_type = models.CharField(max_length=100)
    meta = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.DRAFT)
    note = models.TextField(blank=True, help_text="What changed, and why.")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True, blank=True)
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    reviewed_at = models.DateTimeField(null=True, blank=True)
    review_note = models.TextField(blank=True)
    breaks = models.JSONField(
        default=list, help_text="What consumers or producers would break on, as computed at approval."
    )
    breaks_against = models.PositiveIntegerField(
        null=True, help_text="Number of the version that it was compared with."
    )
    compatibility_note = models.TextField(blank=True, help_text="What others have to change, and how.")
    window_days = models.PositiveSmallIntegerField(null=True, help_text="How long the versions before it still count.")
    deprecated_until = models.DateTimeField(null=True, help_text="It is not retired before.")

    class Meta:
        ordering = ("-number",)
        constraints = [
            models.CheckConstraint(
                name="systems_version_breaking_says_so",
                condition=Q(state__in=["draft", "in_review"])
                | Q(breaks=[])
                | (~Q(compatibility_note="") & Q(window_days__gte=1)),
            ),
            models.UniqueConstraint(fields=["component", "number"], name="systems_version_number"),
            models.CheckConstraint(
                name="systems_version_sha256",
                condition=Q(sha256__regex=r"^sha256:[0-9a-f]{64}$"),
            ),
            models.CheckConstraint(
                name="systems_version_content_in_one_place",
                condition=Q(content__isnull=False, vault_digest="") | (Q(content__isnull=True) & ~Q(vault_digest="")),
            ),
            models.CheckConstraint(
                name="systems_version_second_person",
                condition=Q(reviewer=None) | ~Q(reviewer=F("author")),
            ),
            models.CheckConstraint(
                name="systems_version_reviewed_both_or_neither",
                condition=Q(reviewer__isnull=True, reviewed_at__isnull=True)
                | Q(reviewer__isnull=False, reviewed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="systems_version_approved_has_reviewer",
                condition=Q(state__in=["draft", "in_review"]) | Q(reviewer__isnull=False),
            ),
            models.CheckConstraint(
                name="systems_version_review_has_time",
                condition=Q(state="draft") | Q(submitted_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.component} v{self.number}"


class Consumer(models.Model):
    """Whoever builds on a component: hears of each new version of it, and says that they have."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    component = models.ForeignKey(Component, on_delete=models.CASCADE, related_name="consumers")
    name = models.CharField(max_length=120)
    contact = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        help_text="Who acknowledges for them.",
    )
    reached_at = models.CharField(
        max_length=200, blank=True, help_text="Where they are reached: a channel or an address."
    )
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name",)
        constraints = [
            models.UniqueConstraint(
                fields=["component", "name"], condition=Q(ended_at=None), name="systems_consumer_name_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Announcement(models.Model):
    """One new version, told to one consumer; and their word that they have heard."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="announcements")
    consumer = models.ForeignKey(Consumer, on_delete=models.PROTECT, related_name="announcements")
    announced_at = models.DateTimeField()
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    acknowledged_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True)

    class Meta:
        ordering = ("-announced_at", "consumer__name")
        constraints = [
            models.UniqueConstraint(fields=["version", "consumer"], name="systems_announcement_once"),
            models.CheckConstraint(
                name="systems_announcement_acknowledged_whole",
                condition=Q(acknowledged_by__isnull=True, acknowledged_at__isnull=True)
                | Q(acknowledged_by__isnull=False, acknowledged_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version} to {self.consumer}"


class Policy(models.Model):
    """One version of a policy. `systems.policy` reads its body; the body never changes, its state does.

    Version 1 is `shipped`: the product's own defaults, in force from the first minute without a person having approved
    them, and marked so wherever it is named.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Proposed"
        APPROVED = "approved", "In force"
        SUPERSEDED = "superseded", "Superseded"
        DECLINED = "declined", "Declined"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    body = models.JSONField()
    sha256 = models.CharField(max_length=71)
    weakens = models.JSONField(
        default=list,
        help_text="Thresholds below the shipped ones: they show on every release.",
    )
    reason = models.TextField()
    shipped = models.BooleanField(default=False)
    state = models.CharField(max_length=12, choices=State.choices, default=State.DRAFT)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    created_at = models.DateTimeField()
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    platform_approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True,
        help_text="Asked besides product where a bar is weaker than the shipped one.",
    )  # fmt: skip
    approved_at = models.DateTimeField(null=True)
    superseded_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True
        ordering = ("-number",)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["system", "number"], name="%(app_label)s_%(class)s_number"),
            models.UniqueConstraint(
                fields=["system"],
                condition=Q(state="approved"),
                name="%(app_label)s_%(class)s_one_in_force",
            ),
            models.UniqueConstraint(
                fields=["system"],
                condition=Q(state="draft"),
                name="%(app_label)s_%(class)s_one_proposed",
            ),
            models.CheckConstraint(
                name="%(app_label)s_%(class)s_shipped_or_written",
                condition=Q(shipped=True) ^ Q(author__isnull=False),
            ),
            models.CheckConstraint(
                name="%(app_label)s_%(class)s_second_person",
                condition=(Q(approver=None) | ~Q(approver=F("author")))
                & (Q(platform_approver=None) | ~Q(platform_approver=F("author")))
                & (Q(approver=None) | Q(platform_approver=None) | ~Q(platform_approver=F("approver"))),
            ),
            models.CheckConstraint(
                name="%(app_label)s_%(class)s_approved_by_somebody",
                condition=~Q(state__in=["approved", "superseded"])
                | Q(shipped=True)
                | Q(approver__isnull=False, approved_at__isnull=False),
            ),
            models.CheckConstraint(
                name="%(app_label)s_%(class)s_weaker_takes_platform",
                condition=~Q(state__in=["approved", "superseded"]) | Q(weakens=[]) | Q(platform_approver__isnull=False),
            ),
            models.CheckConstraint(
                name="%(app_label)s_%(class)s_superseded_has_time",
                condition=~Q(state="superseded") | Q(superseded_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.number}"


class ReleasePolicy(Policy):
    """Bars of a release (`systems.policy.ReleaseBars`); a release pins one version."""

    class Meta(Policy.Meta):
        verbose_name = "release policy"


class RunningPolicy(Policy):
    """Limits of the running system (`systems.policy.RunningLimits`); the version in force always applies."""

    class Meta(Policy.Meta):
        verbose_name = "running policy"
