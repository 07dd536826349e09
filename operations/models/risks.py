from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from operations.models.incidents import Incident
from systems.models import System
from web.ids import uuid7


class Risk(models.Model):
    """What could go wrong with a system, how likely and how bad, what is done about it and by whom."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="risks")
    title = models.CharField(max_length=200)
    likelihood = models.PositiveSmallIntegerField(help_text="1 (hardly ever) to 5 (any day).")
    impact = models.PositiveSmallIntegerField(help_text="1 (a nuisance) to 5 (harm).")
    mitigation = models.TextField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    review_on = models.DateField(help_text="When it is looked at again.")
    items = ArrayField(models.CharField(max_length=100), default=list, blank=True, help_text="Keys of the standard.")
    incidents = models.ManyToManyField(Incident, related_name="risks", blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reviewed_at = models.DateTimeField()
    reminded_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("state", "review_on", "id")
        constraints = [
            models.CheckConstraint(
                name="operations_risk_scale",
                condition=Q(likelihood__gte=1, likelihood__lte=5, impact__gte=1, impact__lte=5),
            ),
            models.CheckConstraint(name="operations_risk_has_mitigation", condition=~Q(mitigation="") & ~Q(title="")),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def score(self) -> int:
        return self.likelihood * self.impact
