from django.db import models
from django.db.models import Q

from operations.models.channels import Notification
from systems.models import System
from web.ids import uuid7


class Condition(models.Model):
    """Something that is wrong, from when it began until it was over. While it lasts it is told once."""

    class Kind(models.TextChoices):
        ERROR_RATE = "error_rate", "Error rate"
        SCHEMA_FAILURE = "schema_failure", "Schema failures"
        COST_SPIKE = "cost_spike", "Cost spike"
        DRIFT = "drift", "Drift"
        SILENCE = "silence", "No traffic"
        MISSED_BEAT = "missed_beat", "Missed beat"
        TENANT_ALERT = "tenant_alert", "Tenant budget alert"
        TENANT_EXCEEDED = "tenant_exceeded", "Tenant budget exceeded"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(
        System, on_delete=models.CASCADE, related_name="conditions", null=True, help_text="None: the product itself."
    )
    kind = models.CharField(max_length=20, choices=Kind.choices)
    about = models.CharField(max_length=100, blank=True, help_text="What it concerns within the system: a tenant.")
    said = models.CharField(max_length=500, help_text="What was found, with the numbers of that moment.")
    began_at = models.DateTimeField()
    noticed_at = models.DateTimeField()
    over_at = models.DateTimeField(null=True)
    notification = models.OneToOneField(Notification, on_delete=models.CASCADE, related_name="+")

    class Meta:
        ordering = ("-noticed_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["system", "kind", "about"],
                condition=Q(over_at=None),
                nulls_distinct=False,
                name="operations_condition_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.said}"
