from django.conf import settings
from django.db import models
from django.db.models import Q

from operations.models.channels import Channel
from operations.models.runbooks import RunbookVersion
from operations.rules import DrillState
from systems.models import System
from web.ids import uuid7


class Drill(models.Model):
    """A rehearsal. Its times are the server's clock at the moment of each click: measured, never typed."""

    class Kind(models.TextChoices):
        ROLLBACK = "rollback", "Rollback"
        RUNBOOK = "runbook", "Runbook"
        UX_FALLBACK = "ux_fallback", "Fallback as users see it"
        DEGRADATION = "degradation", "Degradation plan"
        BUDGET_ALARM = "budget_alarm", "Budget alarm"
        INCIDENT = "incident", "Simulated incident"
        ACCESS = "access", "Access of on-call"

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        RUNNING = "running", "Running"
        ENDED = "ended", "Ended"

    class Outcome(models.TextChoices):
        PASSED = "passed", "Passed"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="drills")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    environment = models.CharField(max_length=40)
    release_label = models.CharField(max_length=100, blank=True, help_text="The release it was run with.")
    plan = models.TextField(help_text="What will be broken, and what must happen.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PLANNED)
    planned_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    planned_at = models.DateTimeField()
    scheduled_for = models.DateField(null=True, help_text="The day on which it is to be run.")
    reminded_at = models.DateTimeField(null=True)
    by_product = models.BooleanField(
        default=False, help_text="The product runs it: it breaks what the plan says, and takes the times itself."
    )
    hook = models.ForeignKey(
        Channel,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        help_text="The webhook that is told to roll back.",
    )
    runbook = models.ForeignKey(RunbookVersion, on_delete=models.PROTECT, related_name="drills", null=True)
    participants = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+")
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    started_at = models.DateTimeField(null=True)
    recovered_at = models.DateTimeField(null=True, help_text="The service was well again: the measured time ends here.")
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    ended_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    measured = models.DurationField(null=True, help_text="From start to recovery; without one, to the end.")
    log = models.TextField(blank=True, help_text="What happened, and what to do better.")
    evidence_digest = models.CharField(max_length=71, blank=True)
    evidence_name = models.CharField(max_length=200, blank=True)
    evidence_type = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering = ("-planned_at",)
        constraints = [
            models.CheckConstraint(
                name="operations_drill_times_fit_state",
                condition=Q(state="planned", started_at=None, started_by=None, recovered_at=None, ended_at=None)
                | Q(state="running", started_at__isnull=False, started_by__isnull=False, ended_at=None)
                | Q(
                    state="ended",
                    started_at__isnull=False,
                    started_by__isnull=False,
                    ended_at__isnull=False,
                    ended_by__isnull=False,
                    measured__isnull=False,
                ),
            ),
            models.CheckConstraint(
                name="operations_drill_outcome_at_end",
                condition=Q(state="ended", outcome__in=["passed", "failed"]) | (~Q(state="ended") & Q(outcome="")),
            ),
            models.CheckConstraint(
                name="operations_drill_passed_recovered", condition=~Q(outcome="passed") | Q(recovered_at__isnull=False)
            ),
            models.CheckConstraint(
                name="operations_drill_product_runs",
                condition=Q(by_product=False, hook=None)
                | Q(by_product=True, kind="budget_alarm", hook=None)
                | Q(by_product=True, kind="rollback", hook__isnull=False),
            ),
            models.CheckConstraint(
                name="operations_drill_time_runs_forward",
                condition=(Q(recovered_at=None) | Q(recovered_at__gte=models.F("started_at")))
                & (Q(ended_at=None) | Q(ended_at__gte=models.F("started_at"))),
            ),
        ]
        indexes = [models.Index(fields=["system", "kind", "-ended_at"], name="operations_drill_latest")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} drill"

    @property
    def facts(self) -> DrillState:
        """What the rules ask."""
        return DrillState(state=self.state, recovered=self.recovered_at is not None, by_product=self.by_product)

    @property
    def trail_label(self) -> str:
        """Under which name the trail keeps the synthetic requests of this drill: they count for no system."""
        return f"drill:{self.pk.hex}"


class DrillMoment(models.Model):
    """One line of a drill's timeline, at the server's time."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    drill = models.ForeignKey(Drill, on_delete=models.CASCADE, related_name="moments")
    at = models.DateTimeField()
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, help_text="None: the product."
    )
    text = models.CharField(max_length=500)

    class Meta:
        ordering = ("at", "id")

    def __str__(self) -> str:
        return self.text
