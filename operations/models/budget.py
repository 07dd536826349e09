from django.conf import settings
from django.db import models
from django.db.models import F, Q

from operations.models.channels import Notification
from systems.models import System
from web.ids import uuid7


class BudgetAlarm(models.Model):
    """A threshold of the daily budget was crossed. One row per day, level and amount: crossed once, told once.

    The amount is part of it because a budget can be raised during the day, and the new one be crossed as well.
    """

    class Level(models.TextChoices):
        ALERT = "alert", "Alert"
        EXCEEDED = "exceeded", "Exceeded"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="budget_alarms")
    day = models.DateField(help_text="The system's budget day, in its own time zone.")
    level = models.CharField(max_length=10, choices=Level.choices)
    threshold_nanousd = models.BigIntegerField()
    spent_nanousd = models.BigIntegerField(help_text="When it was noticed.")
    breach_at = models.DateTimeField(help_text="Start of the request whose cost crossed the threshold.")
    noticed_at = models.DateTimeField()
    notification = models.OneToOneField(Notification, on_delete=models.CASCADE, related_name="+")

    class Meta:
        ordering = ("-noticed_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["system", "day", "level", "threshold_nanousd"], name="operations_budget_alarm_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.level} of {self.day}"


class TenantBudget(models.Model):
    """What one customer of a system may spend per day. The tenant is a label on requests, never a border of access."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="tenant_budgets")
    tenant = models.CharField(max_length=100)
    cap_nanousd = models.BigIntegerField()
    alert_nanousd = models.BigIntegerField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    set_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        ordering = ("tenant",)
        constraints = [
            models.UniqueConstraint(fields=["system", "tenant"], name="operations_tenant_budget_once"),
            models.CheckConstraint(
                name="operations_tenant_budget_alert_first",
                condition=Q(alert_nanousd__gt=0, alert_nanousd__lte=F("cap_nanousd")),
            ),
        ]

    def __str__(self) -> str:
        return self.tenant
