"""Standards: what every release is measured against. Drafts are worked on; a published version never changes."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from web.ids import uuid7

PERSON = settings.AUTH_USER_MODEL
SHIPPED_LINE = "readiness"


class StandardVersion(models.Model):
    """A published version of a standard: its whole content, by digest. It never changes; a trigger sees to that.

    Versions of one `line` supersede each other. The line that the product ships is the base that all are compared with.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    line = models.CharField(max_length=60, default=SHIPPED_LINE)
    system = models.CharField(
        max_length=60, blank=True, help_text="Slug of the one system that may use it; empty: all."
    )
    number = models.CharField(max_length=20, unique=True)
    title = models.CharField(max_length=120)
    body = models.JSONField()
    sha256 = models.CharField(max_length=71)
    base = models.CharField(
        max_length=20, blank=True, help_text="Number of the shipped standard that it was compared with."
    )
    weakens = models.JSONField(default=list, help_text="What it asks less than its base: shown on every release.")
    author = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+", null=True)
    approver = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+", null=True)
    platform_approver = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+", null=True)
    published_at = models.DateTimeField()
    superseded_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-published_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["line"], condition=Q(superseded_at=None), name="releases_standard_one_in_force_per_line"
            ),
            models.CheckConstraint(
                name="releases_standard_shipped_or_approved",
                condition=Q(line=SHIPPED_LINE) | Q(author__isnull=False, approver__isnull=False),
            ),
            models.CheckConstraint(
                name="releases_standard_second_person", condition=Q(approver=None) | ~Q(approver=F("author"))
            ),
            models.CheckConstraint(
                name="releases_standard_weaker_takes_platform",
                condition=Q(weakens=[]) | Q(platform_approver__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.number


class StandardDraft(models.Model):
    """A standard that somebody is working on, until it is published or given up."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SUBMITTED = "submitted", "To approve"
        PUBLISHED = "published", "Published"
        DECLINED = "declined", "Declined"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    line = models.CharField(max_length=60)
    system = models.CharField(max_length=60, blank=True)
    body = models.JSONField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.DRAFT)
    created_by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    authors = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="+", help_text="All who wrote in it; none of them approves it."
    )
    changed_at = models.DateTimeField()
    revision = models.PositiveIntegerField(default=0, help_text="Grows with each change: two editors cannot both win.")
    approver = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+", null=True)
    platform_approver = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+", null=True)
    decline_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("-changed_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["line"],
                condition=Q(state__in=["draft", "submitted"]),
                name="releases_standarddraft_one_per_line",
            ),
            models.CheckConstraint(
                name="releases_standarddraft_two_approvers",
                condition=Q(approver=None) | Q(platform_approver=None) | ~Q(approver=F("platform_approver")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.line} {self.number}"

    @property
    def number(self) -> str:
        return str(self.body["number"])

    @property
    def subject(self) -> str:
        """How the record names it: as the version that it becomes."""
        return f"standard:{self.number}"
