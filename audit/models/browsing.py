"""What people keep of their browsing, and how long the trail itself is kept."""

from django.db import models
from django.db.models import Q

from web.ids import uuid7


class SavedView(models.Model):
    """A search of the request trail under a name. One's own, or shared with everybody who browses."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.TextField(help_text="Actor id.")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=500)
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="audit_view_once")]
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Retention(models.Model):
    """How many days a system's requests and their prompts and answers are kept. The newest row counts."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.CharField(max_length=60)
    days = models.PositiveIntegerField(help_text="Requests and spans.")
    payload_days = models.PositiveIntegerField(help_text="Prompts and answers.")
    set_by = models.TextField()
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="audit_retention_order", condition=Q(payload_days__gte=1, payload_days__lte=models.F("days"))
            ),
        ]
        indexes = [models.Index(fields=["system", "-set_at"], name="audit_retention_newest")]

    def __str__(self) -> str:
        return f"{self.system}: {self.days} days, payloads {self.payload_days}"


class LegalHold(models.Model):
    """While it stands, nothing of the system's days in it is removed, whatever retention says."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.CharField(max_length=60, blank=True, help_text="Empty: every system.")
    since = models.DateField()
    until = models.DateField()
    reason = models.TextField()
    set_by = models.TextField()
    set_at = models.DateTimeField()
    lifted_by = models.TextField(blank=True)
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="audit_hold_order", condition=Q(until__gte=models.F("since"))),
            models.CheckConstraint(name="audit_hold_reason", condition=~Q(reason="")),
            models.CheckConstraint(
                name="audit_hold_lifted",
                condition=Q(lifted_by="", lifted_at=None) | (~Q(lifted_by="") & Q(lifted_at__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return f"hold on {self.system or 'everything'} {self.since}..{self.until}"


class Quota(models.Model):
    """Spans that one token sent in one minute: counted at once, before anything is stored."""

    token = models.TextField()
    minute = models.DateTimeField()
    spans = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["token", "minute"], name="audit_quota_once")]

    def __str__(self) -> str:
        return f"{self.token} {self.minute}"
