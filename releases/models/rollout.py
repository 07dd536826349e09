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
                name="releases_rollout_started_whole",
                condition=Q(state="planned", started_at__isnull=True, started_by__isnull=True)
                | (~Q(state="planned") & Q(started_at__isnull=False, started_by__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.strategy} of {self.release}"

    @property
    def began(self) -> datetime:
        """The start of a run that has started."""
        if self.started_at is None:
            raise ValueError("this rollout has not started")
        return self.started_at
