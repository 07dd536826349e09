"""Who said yes or no, to exactly what; and the decisions that were taken on it."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from releases.gate.types import Question
from releases.models.release import Release
from web.ids import uuid7

QUESTIONS = [(question.value, question.value.capitalize()) for question in Question]
SIDES = [("engineering", "Engineering"), ("operations", "Operations")]
# The sections' owners sign beside the two sides; clearance counts the sides alone.
SECTIONS = [("platform", "Security"), ("privacy", "Privacy"), ("compliance", "Regulated data")]


class SignOff(models.Model):
    """One person's signature for one side, over one statement. It never moves to another state: a change voids it."""

    class Method(models.TextChoices):
        PASSKEY = "passkey", "Passkey"
        TWO_FACTOR = "two-factor", "Password and one-time code (not key-bound)"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="sign_offs")
    question = models.CharField(max_length=10, choices=QUESTIONS)
    side = models.CharField(max_length=12, choices=[*SIDES, *SECTIONS])
    signer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state_digest = models.CharField(max_length=71)
    statement = models.JSONField(help_text="What was signed, in full: releases.statement.")
    statement_digest = models.CharField(max_length=71)
    nonce = models.CharField(max_length=64, unique=True)
    method = models.CharField(max_length=12, choices=Method.choices)
    assertion = models.JSONField(null=True, help_text="The passkey's answer; it verifies without this program.")
    grant = models.ForeignKey("accounts.RoleGrant", on_delete=models.PROTECT, related_name="+")
    signed_at = models.DateTimeField()
    voided_at = models.DateTimeField(null=True)
    void_reason = models.TextField(blank=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("signed_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["release", "question", "side", "signer", "state_digest"],
                condition=Q(voided_at=None, withdrawn_at=None),
                name="releases_signoff_once",
            ),
            models.CheckConstraint(
                name="releases_signoff_passkey_has_assertion",
                condition=Q(method="two-factor", assertion__isnull=True) | Q(method="passkey", assertion__isnull=False),
            ),
            models.CheckConstraint(
                name="releases_signoff_void_has_reason",
                condition=Q(voided_at=None, void_reason="") | (Q(voided_at__isnull=False) & ~Q(void_reason="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} of {self.release}"


class Rejection(models.Model):
    """A side says no. It stands through every change of state until it is lifted."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="rejections")
    side = models.CharField(max_length=12, choices=SIDES)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField()
    rejected_at = models.DateTimeField()
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="releases_rejection_has_reason", condition=~Q(reason="")),
            models.CheckConstraint(
                name="releases_rejection_lifted_both_or_neither",
                condition=Q(lifted_by__isnull=True, lifted_at__isnull=True)
                | Q(lifted_by__isnull=False, lifted_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.side} rejects {self.release}"


class Decision(models.Model):
    """The facts, the policy and the verdict at the moment when somebody signed, started, promoted or asked.

    Never changed and never deleted (a trigger refuses both). Whoever holds it can run the gate again and compare.
    """

    class Occasion(models.TextChoices):
        SIGNED = "signed", "Signed"
        SHADOW = "shadow", "Shadow run started"
        STARTED = "started", "Canary started"
        PROMOTED = "promoted", "Promoted"
        ASKED = "asked", "Pipeline asked"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="decisions")
    question = models.CharField(max_length=10, choices=QUESTIONS)
    occasion = models.CharField(max_length=10, choices=Occasion.choices)
    gate_version = models.PositiveSmallIntegerField()
    state_digest = models.CharField(max_length=71)
    facts = models.JSONField()
    policy = models.JSONField()
    verdict = models.JSONField()
    cleared = models.BooleanField()
    signatures = models.JSONField(help_text="Of each signer: name, role grant, public key, statement digest.")
    references = models.JSONField(
        help_text="Windows, raw answers and the request log checkpoint that the facts rest on."
    )
    digest = models.CharField(max_length=71, unique=True)
    decided_at = models.DateTimeField()

    class Meta:
        ordering = ("decided_at",)
        constraints = [
            # Starting the canary and promoting close their question: once each.
            models.UniqueConstraint(
                fields=["release", "occasion"],
                condition=Q(occasion__in=["started", "promoted"]),
                name="releases_decision_closes_once",
            ),
        ]
        indexes = [models.Index(fields=["release", "question", "decided_at"], name="releases_decision_latest")]

    def __str__(self) -> str:
        return f"{self.occasion} {self.release}"


class Bundle(models.Model):
    """The bundle that was made of a decision when it approved something. Its bytes are in the vault, by digest."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    decision = models.OneToOneField(Decision, on_delete=models.PROTECT, related_name="bundle")
    digest = models.CharField(max_length=71)
    size = models.PositiveBigIntegerField()
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"bundle of {self.decision}"
