"""Environments whose requests reach no user."""

from django.db import models
from django.db.models import F, Q

from web.ids import uuid7


class SideEnvironment(models.Model):
    """A test or shadow environment of a system, agreed by an admin and the platform owner. Others are production."""

    class Kind(models.TextChoices):
        TEST = "test", "Test"
        SHADOW = "shadow", "Shadow"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.CharField(max_length=60)
    name = models.CharField(max_length=40, help_text="As ingest tokens name it.")
    kind = models.CharField(max_length=6, choices=Kind.choices)
    daily_requests = models.PositiveIntegerField(help_text="With more in a day it counts as production again.")
    reason = models.TextField()
    proposed_by = models.TextField(help_text="Actor, as the ledger names it.")
    proposed_by_name = models.TextField()
    proposed_as = models.CharField(max_length=8, choices=[("admin", "Admin"), ("platform", "Platform owner")])
    proposed_at = models.DateTimeField()
    confirmed_by = models.TextField(blank=True)
    confirmed_by_name = models.TextField(blank=True)
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("-proposed_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["system", "name"], condition=Q(ended_at=None), name="audit_side_environment_once"
            ),
            models.CheckConstraint(
                name="audit_side_environment_two_people",
                condition=(Q(confirmed_by="") & Q(confirmed_at=None))
                | (~Q(confirmed_by="") & Q(confirmed_at__isnull=False) & ~Q(confirmed_by=F("proposed_by"))),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system} {self.name}"

    @property
    def state(self) -> str:
        return "ended" if self.ended_at else "ok" if self.confirmed_at else "waiting"
