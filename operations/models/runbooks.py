from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models

from systems.models import System
from web.ids import uuid7


class Runbook(models.Model):
    """What to do when one thing goes wrong, in versions. The newest counts."""

    class Kind(models.TextChoices):
        MODEL_OUTAGE = "model_outage", "Model outage"
        BUDGET_BREACH = "budget_breach", "Budget breach"
        OTHER = "other", "Other"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="runbooks")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    title = models.CharField(max_length=120)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("title", "id")
        constraints = [models.UniqueConstraint(fields=["system", "title"], name="operations_runbook_title_once")]

    def __str__(self) -> str:
        return self.title


class RunbookVersion(models.Model):
    """One text of a runbook. Written once; `missing` names the required parts that it lacks."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    runbook = models.ForeignKey(Runbook, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField(help_text="Markdown.")
    sha256 = models.CharField(max_length=71)
    missing = ArrayField(models.CharField(max_length=40), default=list)
    note = models.CharField(max_length=200, blank=True)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-number",)
        constraints = [models.UniqueConstraint(fields=["runbook", "number"], name="operations_runbook_version_once")]

    def __str__(self) -> str:
        return f"{self.runbook.title}, version {self.number}"


class DegradationPlan(models.Model):
    """One version of what a system gives up, in which order, when it cannot serve everything."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="degradation_plans")
    number = models.PositiveIntegerField()
    steps = models.JSONField(help_text="In order: {do, undo, status}. The first gives up least.")
    sha256 = models.CharField(max_length=71)
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("-number",)
        constraints = [models.UniqueConstraint(fields=["system", "number"], name="operations_degradation_once")]

    def __str__(self) -> str:
        return f"version {self.number}"
