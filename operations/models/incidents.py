from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from systems.models import System
from web.ids import uuid7


class Incident(models.Model):
    """Something went wrong with a system, from when it began until it was learnt from."""

    class Severity(models.TextChoices):
        MINOR = "minor", "Minor: few noticed"
        MAJOR = "major", "Major: many could not work"
        CRITICAL = "critical", "Critical: harm, or nobody could work"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        MITIGATED = "mitigated", "Mitigated"
        CLOSED = "closed", "Closed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="incidents")
    title = models.CharField(max_length=200)
    severity = models.CharField(max_length=10, choices=Severity.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    release_label = models.CharField(max_length=100, blank=True)
    requests = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    began_at = models.DateTimeField()
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    opened_at = models.DateTimeField()
    mitigated_at = models.DateTimeField(null=True)
    # The post-mortem.
    impact = models.TextField(blank=True)
    cause = models.TextField(blank=True)
    lessons = models.TextField(blank=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-opened_at", "-id")
        constraints = [
            models.CheckConstraint(
                name="operations_incident_times_fit_state",
                condition=Q(state="open", mitigated_at=None, closed_at=None)
                | Q(state="mitigated", mitigated_at__isnull=False, closed_at=None)
                | Q(state="closed", mitigated_at__isnull=False, closed_at__isnull=False),
            ),
            models.CheckConstraint(
                name="operations_incident_closed_with_post_mortem",
                condition=Q(closed_at=None, closed_by=None)
                | (Q(closed_by__isnull=False) & ~Q(impact="") & ~Q(cause="") & ~Q(lessons="")),
            ),
            models.CheckConstraint(
                name="operations_incident_began_before_it_was_seen", condition=Q(began_at__lte=F("opened_at"))
            ),
        ]
        indexes = [models.Index(fields=["system", "-opened_at", "-id"], name="operations_incident_list")]

    def __str__(self) -> str:
        return self.title


class IncidentMoment(models.Model):
    """One line of an incident's timeline, at the server's time."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="moments")
    at = models.DateTimeField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.CharField(max_length=1000)

    class Meta:
        ordering = ("at", "id")

    def __str__(self) -> str:
        return self.text


class FollowUp(models.Model):
    """What has to be done so that it does not happen again, by whom, until when."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="follow_ups")
    text = models.CharField(max_length=500)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    due_on = models.DateField()
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    reminded_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("due_on", "id")
        constraints = [
            models.CheckConstraint(
                name="operations_follow_up_done_both_or_neither",
                condition=Q(done_by=None, done_at=None) | Q(done_by__isnull=False, done_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.text
