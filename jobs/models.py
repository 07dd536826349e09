"""Work to be done, things that happened, and beats of the clock. The truth about them is here, not in the broker."""

from uuid import uuid4

from django.db import models
from django.db.models import Q


class Job(models.Model):
    """One piece of background work. Written in the business transaction; a worker claims it by a conditional update."""

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"  # it will never work: the error says why
        PARKED = "parked"  # tried as often as we try; a person decides

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    task = models.CharField(max_length=100)
    key = models.CharField(max_length=255, unique=True, help_text="Names the work: the same work is queued once.")
    args = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    run_after = models.DateTimeField()
    deadline = models.DateTimeField(null=True, help_text="A running job past it is taken to be lost, and queued again.")
    progress = models.PositiveSmallIntegerField(default=0, help_text="Percent.")
    message = models.CharField(max_length=300, blank=True)
    error = models.TextField(blank=True)
    claim = models.CharField(max_length=40, blank=True, help_text="The broker's message that runs it.")
    created_at = models.DateTimeField()
    woken_at = models.DateTimeField(null=True, help_text="When a worker was last told about it.")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="jobs_job_progress", condition=Q(progress__lte=100)),
            models.CheckConstraint(
                name="jobs_job_running_has_deadline", condition=~Q(state="running") | Q(deadline__isnull=False)
            ),
        ]
        indexes = [
            models.Index(fields=["run_after"], name="jobs_job_due", condition=Q(state__in=["queued", "running"])),
            models.Index(fields=["finished_at"], name="jobs_job_finished"),
        ]

    def __str__(self) -> str:
        return f"{self.task} {self.key}"


class Event(models.Model):
    """Something that happened, for whoever cares (the outbox). Written in the transaction in which it happened."""

    topic = models.CharField(max_length=100)
    subject = models.CharField(max_length=200)
    payload = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    relayed_at = models.DateTimeField(null=True, help_text="When each handler had its job.")

    class Meta:
        indexes = [models.Index(fields=["id"], name="jobs_event_waiting", condition=Q(relayed_at__isnull=True))]

    def __str__(self) -> str:
        return f"{self.topic} {self.subject}"


class Slot(models.Model):
    """One beat of one schedule. Its row is unique, so two clocks make one run."""

    schedule = models.CharField(max_length=100)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["schedule", "at"], name="jobs_slot_once")]

    def __str__(self) -> str:
        return f"{self.schedule} {self.at}"
