from django.db import models

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
