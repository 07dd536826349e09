"""How a release meets its users: the plan, and the run that is watched."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from releases.models.release import Release
from web.ids import uuid7


class Rollout(models.Model):
    """The plan of a release and, once started, its run. What is measured meanwhile is kept by metrics, as windows."""

    class Strategy(models.TextChoices):
        CANARY = "canary", "Canary"
        SHADOW = "shadow", "Shadow, then canary"

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        RUNNING = "running", "Running"
        PASSED = "passed", "Passed"
        BREACHED = "breached", "Breached"
        ABORTED = "aborted", "Aborted"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    release = models.OneToOneField(Release, on_delete=models.CASCADE, related_name="rollout")
    strategy = models.CharField(max_length=6, choices=Strategy.choices, default=Strategy.CANARY)
    share = models.DecimalField(max_digits=5, decimal_places=4, validators=[MinValueValidator(Decimal("0.0001"))])
    hours = models.PositiveSmallIntegerField()
    steps = models.JSONField(
        default=list, blank=True, help_text="[[share, covered hours to hold it], ...]: smaller shares that come first."
    )
    shadow_source = models.ForeignKey(
        "metrics.Source", on_delete=models.PROTECT, related_name="+", null=True, help_text="Sees the mirrored requests."
    )
    shadow_hours = models.PositiveSmallIntegerField(null=True)
    error_rate_max = models.DecimalField(max_digits=6, decimal_places=5)
    p95_ms_max = models.PositiveIntegerField()
    source = models.ForeignKey("metrics.Source", on_delete=models.PROTECT, related_name="+")
    planned_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    planned_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.PLANNED)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    started_at = models.DateTimeField(null=True)
    baseline_label = models.CharField(
        max_length=60, blank=True, help_text="The release that was live at the start: the canary is compared with it."
    )
    step = models.PositiveSmallIntegerField(default=0, help_text="How many of the steps are behind it.")
    watched_until = models.DateTimeField(null=True, help_text="The end of the last window that was judged.")
    ended_at = models.DateTimeField(null=True)
    end_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="releases_rollout_share", condition=Q(share__gt=Decimal(0)) & Q(share__lte=Decimal(1))
            ),
            models.CheckConstraint(name="releases_rollout_hours", condition=Q(hours__gte=1)),
            models.CheckConstraint(
                name="releases_rollout_shadow_whole",
                condition=Q(strategy="canary", shadow_source=None, shadow_hours=None)
                | (Q(strategy="shadow", shadow_source__isnull=False, shadow_hours__gte=1)),
            ),
            models.CheckConstraint(
                name="releases_rollout_started_whole",
                condition=Q(state="planned", started_at__isnull=True, started_by__isnull=True)
                | (~Q(state="planned") & Q(started_at__isnull=False, started_by__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.strategy} of {self.release}"

    @property
    def stages(self) -> list[tuple[Decimal, int]]:
        """(share, covered hours from the start on at which the next share's turn comes), the planned share last."""
        held, stages = 0, []
        for share, hours in self.steps:
            held += hours
            stages.append((Decimal(share), held))
        return [*stages, (self.share, self.hours)]

    @property
    def share_now(self) -> Decimal:
        return self.stages[self.step][0]

    @property
    def began(self) -> datetime:
        """The start of a run that has started."""
        if self.started_at is None:
            raise ValueError("this rollout has not started")
        return self.started_at


class ShadowRun(models.Model):
    """Requests mirrored to a release whose answers nobody sees, beside the live one. Its report is frozen."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"
        INCONCLUSIVE = "inconclusive", "Inconclusive"
        ABORTED = "aborted", "Aborted"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="shadow_runs")
    source = models.ForeignKey("metrics.Source", on_delete=models.PROTECT, related_name="+")
    live_label = models.CharField(max_length=60, help_text="The release that served meanwhile.")
    hours = models.PositiveSmallIntegerField()
    state_digest = models.CharField(max_length=71, help_text="What the release was made of.")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField()
    watched_until = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.RUNNING)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.TextField(blank=True)
    report = models.JSONField(null=True, help_text="metrics.judges.shadow.Report, as it was at the end.")
    report_digest = models.CharField(max_length=71, blank=True)

    class Meta:
        ordering = ("-started_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["release"], condition=Q(state="running"), name="releases_shadow_one_at_a_time"
            ),
            models.CheckConstraint(
                name="releases_shadow_ended_whole", condition=Q(state="running") ^ Q(ended_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"shadow of {self.release}"


class Instruction(models.Model):
    """What the deploy system was told to do, and what it answered. A row of its own: a repeat is the same row."""

    class Act(models.TextChoices):
        START = "start", "Start the canary"
        STEP = "step", "Raise the share"
        PROMOTE = "promote", "Serve everybody"
        ROLL_BACK = "roll-back", "Roll back"
        START_SHADOW = "start-shadow", "Mirror requests"
        END_SHADOW = "end-shadow", "Stop mirroring"

    class Result(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="instructions")
    act = models.CharField(max_length=12, choices=Act.choices)
    share = models.DecimalField(max_digits=5, decimal_places=4, help_text="Of traffic that the release should get.")
    serves = models.CharField(max_length=60, blank=True, help_text="Gets the rest; empty: the fallback does.")
    reason = models.TextField(blank=True)
    ordered_at = models.DateTimeField()
    result = models.CharField(max_length=7, choices=Result.choices, default=Result.WAITING)
    detail = models.CharField(max_length=500, blank=True, help_text="The deploy system's own words.")
    answered_at = models.DateTimeField(null=True)
    overdue_at = models.DateTimeField(null=True, help_text="When people were told that no answer came.")

    class Meta:
        ordering = ("-ordered_at", "-id")
        constraints = [
            models.CheckConstraint(
                name="releases_instruction_answered_whole",
                condition=Q(result="waiting") ^ Q(answered_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_act_display()}: {self.release}"
