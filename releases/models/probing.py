"""A contract probe that somebody ordered: a worker runs it, and what came back becomes evidence."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from releases.models.checklist import Evidence, Item
from web.ids import uuid7


class ContractProbe(models.Model):
    class Outcome(models.TextChoices):
        RUNNING = "running", "Running"
        RECORDED = "recorded", "Recorded"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="probes")
    url = models.CharField(max_length=2000)
    sealed = models.TextField(blank=True, help_text="Example and headers, encrypted. Emptied when the probe is over.")
    via = models.CharField(max_length=200, blank=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices, default=Outcome.RUNNING)
    error = models.TextField(blank=True)
    evidence = models.ForeignKey(Evidence, on_delete=models.CASCADE, related_name="+", null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-asked_at",)
        constraints = [
            models.CheckConstraint(
                name="releases_contractprobe_whole",
                condition=Q(outcome="running", finished_at=None, evidence=None)
                | Q(outcome="recorded", finished_at__isnull=False, evidence__isnull=False, sealed="")
                | (Q(outcome="failed", finished_at__isnull=False, evidence=None, sealed="") & ~Q(error="")),
            ),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def job_key(self) -> str:
        return f"probe:{self.pk}"
