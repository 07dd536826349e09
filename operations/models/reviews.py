from django.conf import settings
from django.db import models
from django.db.models import F, Q

from systems.models import System
from web.ids import uuid7


class Launch(models.Model):
    """A release began to serve everybody: what reviews, incidents and freezes of a system are counted from.

    A label that an event of `releases` brings; the gate asks `releases` itself, never this.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="launches")
    release_label = models.CharField(max_length=100)
    live_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-live_at",)
        constraints = [
            models.UniqueConstraint(fields=["system", "release_label", "live_at"], name="operations_launch_once"),
        ]

    def __str__(self) -> str:
        return self.release_label


class Review(models.Model):
    """A look at how a system did in one period: due at a time, made on numbers that were frozen."""

    class Kind(models.TextChoices):
        POST_LAUNCH = "post_launch", "After launch"
        WEEKLY = "weekly", "Weekly: drift and cost"
        MONTHLY_COST = "monthly_cost", "Monthly: cost"
        MONTHLY_GOLDEN = "monthly_golden", "Monthly: golden set"
        QUARTERLY_SECURITY = "quarterly_security", "Quarterly: security"
        QUARTERLY_COMPLIANCE = "quarterly_compliance", "Quarterly: compliance"
        QUARTERLY_ACCESS = "quarterly_access", "Quarterly: access"

    class Outcome(models.TextChoices):
        FINE = "fine", "As it should be"
        ACTION = "action", "Something has to be done"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="reviews")
    kind = models.CharField(max_length=24, choices=Kind.choices)
    release_label = models.CharField(
        max_length=100, blank=True, help_text="Of the release that a launch review is about."
    )
    since = models.DateTimeField()
    until = models.DateTimeField(help_text="The numbers are of the time from `since` until then.")
    due_at = models.DateTimeField()
    created_at = models.DateTimeField()
    numbers = models.JSONField(null=True)
    numbers_digest = models.CharField(max_length=71, blank=True)
    frozen_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)
    overdue_at = models.DateTimeField(null=True, help_text="When it was told that nobody had made it in time.")
    escalated_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=10, choices=Outcome.choices, blank=True)
    findings = models.TextField(blank=True)
    done_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("due_at", "id")
        constraints = [
            models.UniqueConstraint(fields=["system", "kind", "release_label", "since"], name="operations_review_once"),
            models.CheckConstraint(
                name="operations_review_numbers_whole",
                condition=Q(numbers__isnull=True, numbers_digest="", frozen_at=None)
                | (Q(numbers__isnull=False, frozen_at__isnull=False) & ~Q(numbers_digest="")),
            ),
            models.CheckConstraint(
                name="operations_review_done_whole",
                condition=Q(outcome="", findings="", done_by=None, done_at=None)
                | (
                    Q(outcome__in=["fine", "action"], done_by__isnull=False, done_at__isnull=False)
                    & ~Q(findings="")
                    & Q(frozen_at__isnull=False)
                ),
            ),
            models.CheckConstraint(name="operations_review_window", condition=Q(until__gt=F("since"))),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="operations_review_open", condition=Q(done_at=None)),
            models.Index(fields=["system", "-due_at", "-id"], name="operations_review_list"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.release_label}".strip()


class RosterLine(models.Model):
    """One role of one person in the roster that an access review froze: confirmed, or taken away."""

    class Decision(models.TextChoices):
        CONFIRMED = "confirmed", "Confirmed"
        REVOKED = "revoked", "Revoked"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    review = models.ForeignKey(Review, on_delete=models.CASCADE, related_name="roster")
    grant_id = models.UUIDField(help_text="Of accounts' grant. The line says what it was when the roster was frozen.")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=20)
    everywhere = models.BooleanField(help_text="Held for the whole organisation, not only for this system.")
    since = models.DateTimeField()
    decision = models.CharField(max_length=10, choices=Decision.choices, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("role", "id")
        constraints = [
            models.UniqueConstraint(fields=["review", "grant_id"], name="operations_roster_line_once"),
            models.CheckConstraint(
                name="operations_roster_decided_whole",
                condition=Q(decision="", decided_by=None, decided_at=None)
                | Q(decision__in=["confirmed", "revoked"], decided_by__isnull=False, decided_at__isnull=False),
            ),
            models.CheckConstraint(
                name="operations_roster_another_decides",
                condition=Q(decided_by=None) | ~Q(decided_by=F("person")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} of {self.person_id}"
