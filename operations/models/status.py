from django.conf import settings
from django.db import models
from django.db.models import Q

from operations.models.runbooks import DegradationPlan
from systems.models import System
from web.ids import uuid7


class StatusChange(models.Model):
    """One change of what callers of a system are told. The newest counts, and a passed end means normal again."""

    class Status(models.TextChoices):
        NORMAL = "normal", "Normal"
        DEGRADED = "degraded", "Degraded"
        FALLBACK = "fallback", "Fallback"
        STOPPED = "stopped", "Stopped"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="status_changes")
    status = models.CharField(max_length=10, choices=Status.choices)
    reason = models.TextField()
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, help_text="None: the product."
    )
    changed_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    plan = models.ForeignKey(DegradationPlan, on_delete=models.PROTECT, related_name="+", null=True)
    step = models.PositiveSmallIntegerField(null=True, help_text="How far the plan is walked; the first step is 1.")

    class Meta:
        ordering = ("-changed_at", "-id")
        constraints = [
            models.CheckConstraint(
                name="operations_status_expiry",
                condition=Q(status__in=["degraded", "fallback"], expires_at__isnull=False)
                | Q(status__in=["normal", "stopped"], expires_at=None),
            ),
            models.CheckConstraint(
                name="operations_status_step_of_plan",
                condition=Q(plan=None, step=None) | Q(plan__isnull=False, step__gte=1),
            ),
            models.CheckConstraint(
                name="operations_status_ends_after_start",
                condition=Q(expires_at=None) | Q(expires_at__gt=models.F("changed_at")),
            ),
        ]
        indexes = [models.Index(fields=["system", "-changed_at", "-id"], name="operations_status_now")]

    def __str__(self) -> str:
        return self.get_status_display()
