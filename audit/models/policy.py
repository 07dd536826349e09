"""What the data policy turned away, and what was asked of the contract. Counts and verdicts, never the content."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from web.ids import uuid7


class UnsafeLogging(models.Model):
    """Attempts to log what the data policy denies: one row for each thing and place, with its alarm."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.CharField(max_length=60)
    environment = models.CharField(max_length=40)
    what = models.TextField(help_text="`field` and the pattern that denies it, or `data` and its kind.")
    attempts = models.BigIntegerField(default=0)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    alarmed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["system", "environment", "what"], name="audit_unsafe_once")]

    def __str__(self) -> str:
        return f"{self.system} {self.what}"


class ContractCheck(models.Model):
    """One input or output that was checked against a system's contract on request (audit.validation)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.CharField(max_length=60)
    at = models.DateTimeField()
    asked_by = models.TextField(help_text="Actor, as the ledger names it.")
    profile = models.IntegerField(help_text="Number of the ingest profile it was checked against.")
    valid = models.BooleanField()
    violations = ArrayField(models.TextField(), default=list, help_text="Where and which rule, without the values.")
    commitment = models.CharField(max_length=71, help_text="SHA-256 over salt and canonical payload.")
    salt = models.BinaryField()

    class Meta:
        indexes = [models.Index(fields=["system", "-id"], name="audit_contract_check_system")]

    def __str__(self) -> str:
        return f"{self.system} {'valid' if self.valid else 'invalid'}"
