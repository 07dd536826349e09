"""The checklist of one release: what is asked, by whom it is done, and what backs it."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from releases.models.release import Release
from web.ids import uuid7

PERSON = settings.AUTH_USER_MODEL


class Item(models.Model):
    """One requirement of the standard in one release. Whether it is verified is derived by the gate, never stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="items")
    key = models.CharField(max_length=80)
    position = models.PositiveSmallIntegerField()
    owner = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+", null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    verified_by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+", null=True)
    verified_at = models.DateTimeField(null=True)
    verified_digests = ArrayField(models.CharField(max_length=71), default=list)
    sent_back_reason = models.TextField(blank=True)
    stale_reason = models.TextField(blank=True)
    not_applicable_reason = models.TextField(blank=True)
    not_applicable_by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+", null=True)
    not_applicable_confirmed_by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+", null=True)
    revision = models.PositiveIntegerField(default=0, help_text="Grows with each change: two editors cannot both win.")

    class Meta:
        ordering = ("position",)
        constraints = [
            models.UniqueConstraint(fields=["release", "key"], name="releases_item_key"),
            models.CheckConstraint(
                name="releases_item_verified_whole",
                condition=Q(verified_by__isnull=True, verified_at__isnull=True, verified_digests=[])
                | (Q(verified_by__isnull=False, verified_at__isnull=False) & ~Q(verified_digests=[])),
            ),
            models.CheckConstraint(
                name="releases_item_not_applicable_reason",
                condition=Q(not_applicable_by=None) | ~Q(not_applicable_reason=""),
            ),
            models.CheckConstraint(
                name="releases_item_not_applicable_two_people",
                condition=Q(not_applicable_confirmed_by=None)
                | (Q(not_applicable_by__isnull=False) & ~Q(not_applicable_confirmed_by=F("not_applicable_by"))),
            ),
        ]

    def __str__(self) -> str:
        return self.key

    @property
    def subject(self) -> str:
        return f"item:{self.pk}"


class Evidence(models.Model):
    """What backs an item. It never changes; a newer one supersedes it."""

    class Kind(models.TextChoices):
        FILE = "file", "File"
        LINK = "link", "Link"
        RECORD = "record", "Record"
        MEASUREMENT = "measurement", "Measurement"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="evidence")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    title = models.CharField(max_length=200)
    digest = models.CharField(max_length=71, help_text="Of the bytes in the vault.")
    media_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()
    url = models.URLField(blank=True, max_length=1000)
    note = models.TextField(blank=True)
    attached_by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+", null=True)
    via = models.CharField(max_length=60, blank=True)
    attached_at = models.DateTimeField()
    valid_until = models.DateTimeField(null=True)
    superseded_at = models.DateTimeField(null=True)
    carried_from = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        help_text="The same evidence in an earlier release.",
    )

    class Meta:
        ordering = ("-attached_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["item", "digest"], condition=Q(superseded_at=None), name="releases_evidence_once"
            ),
            models.CheckConstraint(
                name="releases_evidence_product_measures",
                condition=Q(attached_by__isnull=False) | Q(kind="measurement"),
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Comment(models.Model):
    """What was said about an item. It decides nothing, so no signature covers it; like evidence it never changes."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="comments")
    text = models.TextField()
    by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ("at",)
        constraints = [models.CheckConstraint(name="releases_comment_has_words", condition=~Q(text=""))]

    def __str__(self) -> str:
        return self.text[:60]


class PhaseReport(models.Model):
    """What a phase looked like when the release left it, frozen: items, evidence, answers, numbers."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="phase_reports")
    phase = models.CharField(max_length=15)
    body = models.JSONField()
    digest = models.CharField(max_length=71)
    frozen_at = models.DateTimeField()

    class Meta:
        ordering = ("frozen_at",)
        constraints = [models.UniqueConstraint(fields=["release", "phase"], name="releases_phasereport_once")]

    def __str__(self) -> str:
        return f"{self.phase} report of {self.release}"


class Answer(models.Model):
    """One of the operational questions, answered for one release."""

    class Value(models.TextChoices):
        YES = "yes", "Yes"
        NO = "no", "No"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    release = models.ForeignKey(Release, on_delete=models.CASCADE, related_name="answers")
    key = models.CharField(max_length=80)
    value = models.CharField(max_length=3, choices=Value.choices)
    text = models.TextField()
    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, related_name="+", null=True)
    answered_by = models.ForeignKey(PERSON, on_delete=models.PROTECT, related_name="+")
    answered_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["release", "key"], name="releases_answer_once"),
            models.CheckConstraint(name="releases_answer_has_words", condition=~Q(text="")),
        ]

    def __str__(self) -> str:
        return f"{self.key}: {self.value}"
