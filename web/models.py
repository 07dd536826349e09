from django.conf import settings
from django.db import models


class IdempotencyKey(models.Model):
    """The answer that a POST with this key got, so that a retry gets the same one and nothing happens twice."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    request_digest = models.CharField(max_length=71)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="web_idempotency_once")]

    def __str__(self) -> str:
        return self.key
