from django.conf import settings
from django.db import models

from systems.models import System
from web.ids import uuid7


class Feedback(models.Model):
    """What one user thought of one answer. The release and the request are labels, as the application reported them."""

    class Rating(models.TextChoices):
        GOOD = "good", "Good"
        BAD = "bad", "Bad"
        NONE = "none", "No rating"

    class Via(models.TextChoices):
        API = "api", "API"
        FORM = "form", "Form"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="feedback")
    release_label = models.CharField(max_length=100, blank=True)
    request_id = models.CharField(max_length=200, blank=True, help_text="As the user quotes it: of the request trail.")
    rating = models.CharField(max_length=6, choices=Rating.choices, default=Rating.NONE)
    text = models.TextField(blank=True)
    via = models.CharField(max_length=4, choices=Via.choices)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    received_at = models.DateTimeField()

    class Meta:
        ordering = ("-received_at", "-id")
        constraints = [
            models.CheckConstraint(
                name="operations_feedback_says_something", condition=~models.Q(rating="none", text="")
            ),
        ]
        indexes = [models.Index(fields=["system", "-received_at", "-id"], name="operations_feedback_list")]

    def __str__(self) -> str:
        return f"{self.get_rating_display()} {self.request_id}".strip()
