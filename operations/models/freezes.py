from django.conf import settings
from django.db import models
from django.db.models import F, Q

from audit import canonical
from operations.rules import ENGINEERING, OPERATIONS, FreezeState
from systems.models import System
from web.ids import uuid7


class Freeze(models.Model):
    """A stop on new releases of a system. Lifted by a mitigation that one person records and two others confirm."""

    class Cause(models.TextChoices):
        MANUAL = "manual", "Decided by a person"
        INCIDENT = "incident", "Incident"
        DRIFT = "drift", "Drift"
        COST_SPIKE = "cost_spike", "Cost spike"
        OVERDUE_REVIEW = "overdue_review", "Overdue review"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="freezes")
    cause = models.CharField(max_length=20, choices=Cause.choices)
    reason = models.TextField()
    imposed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True, help_text="None: the product."
    )
    imposed_at = models.DateTimeField()
    mitigation = models.TextField(blank=True)
    mitigation_release = models.CharField(
        max_length=100, blank=True, help_text="Label of the release that is the fix: the freeze spares it."
    )
    mitigation_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    mitigation_at = models.DateTimeField(null=True)
    confirmed_engineering_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    confirmed_engineering_at = models.DateTimeField(null=True)
    confirmed_operations_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True
    )
    confirmed_operations_at = models.DateTimeField(null=True)
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-imposed_at",)
        constraints = [
            models.CheckConstraint(
                name="operations_freeze_mitigation_whole",
                condition=Q(mitigation="", mitigation_release="", mitigation_by=None, mitigation_at=None)
                | (~Q(mitigation="") & Q(mitigation_by__isnull=False, mitigation_at__isnull=False)),
            ),
            models.CheckConstraint(
                name="operations_freeze_engineering_both_or_neither",
                condition=Q(confirmed_engineering_by=None, confirmed_engineering_at=None)
                | Q(confirmed_engineering_by__isnull=False, confirmed_engineering_at__isnull=False),
            ),
            models.CheckConstraint(
                name="operations_freeze_operations_both_or_neither",
                condition=Q(confirmed_operations_by=None, confirmed_operations_at=None)
                | Q(confirmed_operations_by__isnull=False, confirmed_operations_at__isnull=False),
            ),
            models.CheckConstraint(
                name="operations_freeze_confirms_a_mitigation",
                condition=Q(mitigation_by__isnull=False)
                | Q(confirmed_engineering_by=None, confirmed_operations_by=None),
            ),
            # Three acts, three people.
            models.CheckConstraint(
                name="operations_freeze_three_people",
                condition=(Q(confirmed_engineering_by=None) | ~Q(confirmed_engineering_by=F("mitigation_by")))
                & (Q(confirmed_operations_by=None) | ~Q(confirmed_operations_by=F("mitigation_by")))
                & (
                    Q(confirmed_operations_by=None)
                    | Q(confirmed_engineering_by=None)
                    | ~Q(confirmed_operations_by=F("confirmed_engineering_by"))
                ),
            ),
            models.CheckConstraint(
                name="operations_freeze_lifted_by_both",
                condition=Q(lifted_at=None)
                | Q(confirmed_engineering_by__isnull=False, confirmed_operations_by__isnull=False),
            ),
            # What the product itself imposes, it imposes once per cause.
            models.UniqueConstraint(
                fields=["system", "cause"],
                condition=Q(imposed_by=None, lifted_at=None),
                name="operations_freeze_product_once",
            ),
        ]
        indexes = [models.Index(fields=["system"], name="operations_freeze_active", condition=Q(lifted_at=None))]

    def __str__(self) -> str:
        return f"{self.get_cause_display()}: {self.reason}"

    @property
    def mitigation_digest(self) -> str:
        """Digest of what a confirmation confirms: it is sent back with the click: nobody confirms unread text."""
        return canonical.digest(
            {
                "freeze": str(self.pk),
                "mitigation": self.mitigation,
                "release": self.mitigation_release,
                "at": self.mitigation_at.isoformat() if self.mitigation_at else "",
            }
        )

    @property
    def state(self) -> FreezeState:
        """What the rules ask."""
        confirmed = {ENGINEERING: self.confirmed_engineering_by_id, OPERATIONS: self.confirmed_operations_by_id}
        return FreezeState(
            mitigated_by=str(self.mitigation_by_id) if self.mitigation_by_id else None,
            mitigation_digest=self.mitigation_digest,
            confirmed_by=tuple((side, str(person)) for side, person in confirmed.items() if person),
            lifted=self.lifted_at is not None,
        )

    def spares(self, release_label: str) -> bool:
        """The release that a recorded mitigation names is the way out of the freeze; both sides still sign it."""
        return bool(self.mitigation_release) and self.mitigation_release == release_label
