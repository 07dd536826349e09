"""A release: one proposed change of one system, and the versions that it is made of."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from releases.models.standard import StandardVersion
from web.ids import uuid7


class Release(models.Model):
    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        PRE_PRODUCTION = "pre-production", "Pre-production"
        SHADOW = "shadow", "Shadow"
        CANARY = "canary", "Canary"
        LIVE = "live", "Live"
        SUPERSEDED = "superseded", "Superseded"
        ROLLED_BACK = "rolled-back", "Rolled back"
        ABANDONED = "abandoned", "Abandoned"

    # Pins, standard, policy and plan may still be chosen.
    OPEN: ClassVar[tuple[str, ...]] = (State.DRAFT, State.PRE_PRODUCTION)
    IN_ROLLOUT: ClassVar[tuple[str, ...]] = (State.SHADOW, State.CANARY)
    ENDED: ClassVar[tuple[str, ...]] = (State.SUPERSEDED, State.ROLLED_BACK, State.ABANDONED)
    # Serving users, or about to: restoring one of these passes a pipeline.
    SERVING: ClassVar[tuple[str, ...]] = (State.CANARY, State.LIVE)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey("systems.System", on_delete=models.PROTECT, related_name="releases")
    label = models.CharField(max_length=60)
    summary = models.TextField(blank=True)
    ticket_url = models.URLField(blank=True, max_length=500)
    standard = models.ForeignKey(StandardVersion, on_delete=models.PROTECT, related_name="+")
    policy = models.ForeignKey("systems.ReleasePolicy", on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=15, choices=State.choices, default=State.DRAFT)
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    authors = models.ManyToManyField(
        settings.AUTH_USER_MODEL,
        related_name="+",
        help_text="All who opened it or ever set a pin; they sign neither side.",
    )
    live_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("-opened_at",)
        constraints = [
            models.UniqueConstraint(fields=["system", "label"], name="releases_release_label"),
            models.UniqueConstraint(
                fields=["system"], condition=Q(state__in=["canary", "shadow"]), name="releases_release_one_in_rollout"
            ),
            models.UniqueConstraint(fields=["system"], condition=Q(state="live"), name="releases_release_one_live"),
            models.CheckConstraint(
                name="releases_release_ended_has_time",
                condition=~Q(state__in=["superseded", "rolled-back", "abandoned"]) | Q(ended_at__isnull=False),
            ),
            models.CheckConstraint(
                name="releases_release_live_has_time", condition=~Q(state="live") | Q(live_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def subject(self) -> str:
        """How the record names it."""
        return f"release:{self.pk}"


class Pin(models.Model):
    """One component's version in one release. Pinned versions cannot be deleted: PROTECT refuses it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="pins")
    component = models.ForeignKey("systems.Component", on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey("systems.Version", on_delete=models.PROTECT, related_name="+")
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["release", "component"], name="releases_pin_one_per_component")]

    def __str__(self) -> str:
        return f"{self.version}"


class Judgement(models.Model):
    """What the judge said of one evaluation run of a release, with all it rested on. A newer run gets a newer one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="judgements")
    run = models.ForeignKey("metrics.EvaluationRun", on_delete=models.PROTECT, related_name="+")
    baseline_run = models.ForeignKey("metrics.EvaluationRun", on_delete=models.PROTECT, related_name="+", null=True)
    policy = models.ForeignKey("systems.ReleasePolicy", on_delete=models.PROTECT, related_name="+")
    fact = models.JSONField(help_text="releases.gate.types.EvaluationFact")
    judged_at = models.DateTimeField()

    class Meta:
        ordering = ("-judged_at", "-id")
        constraints = [
            models.UniqueConstraint(
                fields=["release", "run", "baseline_run", "policy"],
                name="releases_judgement_once",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return f"judgement of {self.run}"
