"""Stored bytes that must not be readable from a dump or a disk: evidence files, raw answers, payloads."""

from django.db import models
from django.db.models import Q


class Blob(models.Model):
    """One content, encrypted with a key of its own, which is wrapped by a key that the database does not hold.

    Named by the digest of the content. After erasure the row stays, so that what refers to it can say "erased".
    """

    digest = models.CharField(primary_key=True, max_length=71)
    kind = models.CharField(max_length=40)
    media_type = models.CharField(max_length=127)
    system = models.CharField(max_length=60, blank=True)
    size = models.BigIntegerField()
    created_at = models.DateTimeField()
    kek_id = models.CharField(max_length=16)
    wrapped_key = models.BinaryField(null=True)
    ciphertext = models.BinaryField(null=True)
    erased_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="audit_blob_there_or_erased",
                condition=Q(erased_at=None, wrapped_key__isnull=False, ciphertext__isnull=False)
                | Q(erased_at__isnull=False, wrapped_key=None, ciphertext=None),
            )
        ]
        indexes = [models.Index(fields=["kek_id"], name="audit_blob_kek")]

    def __str__(self) -> str:
        return self.digest
