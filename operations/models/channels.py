"""Where notifications go, what they said, and what became of each attempt to deliver them."""

from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from systems.models import System
from web.ids import uuid7


class Channel(models.Model):
    """One address outside that hears of things: an on-call mailbox, a webhook signed by Standard Webhooks, or a chat or
    pager service that the operator set: of that one, the target is a name."""

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        WEBHOOK = "webhook", "Webhook"
        APPRISE = "apprise", "Chat or pager, set by the operator"

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        OFF = "off", "Switched off"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.ForeignKey(
        System, on_delete=models.CASCADE, related_name="channels", null=True, help_text="None: every system."
    )
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    target = models.CharField(max_length=500)
    secret = models.TextField(blank=True, help_text="Encrypted. Webhooks only.")
    previous_secret = models.TextField(blank=True, help_text="Encrypted. Signs besides the new one during rotation.")
    previous_secret_until = models.DateTimeField(null=True)
    topics = ArrayField(models.CharField(max_length=100), default=list, blank=True, help_text="Empty: every topic.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    tested_at = models.DateTimeField(null=True, help_text="When a test message last arrived.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.CheckConstraint(
                name="operations_channel_webhook_has_secret",
                condition=Q(kind__in=["email", "apprise"], secret="") | (Q(kind="webhook") & ~Q(secret="")),
            ),
            models.CheckConstraint(
                name="operations_channel_rotation_both_or_neither",
                condition=Q(previous_secret="", previous_secret_until=None)
                | (~Q(previous_secret="") & Q(previous_secret_until__isnull=False)),
            ),
            models.UniqueConstraint(
                fields=["system", "kind", "target"], nulls_distinct=False, name="operations_channel_target_once"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_target(self) -> str:
        """The target without what may be a key: a webhook's query string is for its admin alone."""
        if self.kind != self.Kind.WEBHOOK:
            return self.target
        url = urlsplit(self.target)
        return f"{url.scheme}://{url.netloc}{url.path}" + ("?…" if url.query else "")

    def secrets_at(self, now: datetime) -> list[str]:
        """The secrets that sign at that moment, encrypted: the newest, and for a while the one it came after."""
        former = self.previous_secret_until is not None and self.previous_secret_until > now
        return [self.secret, self.previous_secret] if former else [self.secret]

    def hears(self, topic: str) -> bool:
        return not self.topics or topic in self.topics


class Notification(models.Model):
    """What people are told. An alarm carries the time of the breach, so that its delay can be measured."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    key = models.CharField(max_length=255, unique=True, help_text="Names what happened: told twice, it is sent once.")
    topic = models.CharField(max_length=100)
    subject = models.CharField(max_length=200)
    system = models.ForeignKey(System, on_delete=models.CASCADE, related_name="notifications", null=True)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    url = models.CharField(max_length=500, blank=True, help_text="A path of this site.")
    details = models.JSONField(default=dict, blank=True, help_text="What a webhook carries besides, for programs.")
    breach_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    acknowledged_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", null=True)
    acknowledged_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True, help_text="Nobody acknowledged it in time: more people were told.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="operations_notification_acknowledged_both_or_neither",
                condition=Q(acknowledged_by=None, acknowledged_at=None)
                | Q(acknowledged_by__isnull=False, acknowledged_at__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["system", "-created_at"], name="operations_notification_list"),
            models.Index(
                fields=["system", "created_at"], name="operations_notification_alarm", condition=~Q(breach_at=None)
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Delivery(models.Model):
    """One notification on its way to one channel or one person."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        FAILED = "failed", "Failed, will be tried again"
        DEAD = "dead", "Given up"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries", null=True)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", null=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    interrupted = models.PositiveSmallIntegerField(
        default=0, help_text="Attempts whose worker was lost in the middle: the message may have arrived or not."
    )
    next_at = models.DateTimeField()
    claimed_until = models.DateTimeField(null=True, help_text="A worker is sending it until then.")
    sent_at = models.DateTimeField(null=True)
    delay = models.DurationField(null=True, help_text="From the breach (or the event) until it was sent.")
    last_error = models.CharField(max_length=500, blank=True)
    response_code = models.PositiveSmallIntegerField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "channel"], condition=~Q(channel=None), name="operations_delivery_once_channel"
            ),
            models.UniqueConstraint(
                fields=["notification", "person"], condition=~Q(person=None), name="operations_delivery_once_person"
            ),
            models.CheckConstraint(
                name="operations_delivery_one_receiver",
                condition=Q(channel=None, person__isnull=False) | Q(channel__isnull=False, person=None),
            ),
            models.CheckConstraint(
                name="operations_delivery_sent_has_time",
                condition=~Q(state="sent") | Q(sent_at__isnull=False, delay__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_at"], name="operations_delivery_due", condition=Q(state__in=["waiting", "failed"])
            ),
            models.Index(fields=["channel", "-created_at"], name="operations_delivery_log"),
        ]

    def __str__(self) -> str:
        return f"{self.notification_id} to {self.receiver}"

    @property
    def message_id(self) -> str:
        """The same at every attempt, so that a receiver can tell a repeat from news (`webhook-id`, `Message-ID`)."""
        return f"msg_{self.pk.hex}"

    @property
    def receiver(self) -> str:
        if self.channel is not None:
            return self.channel.name
        return self.person.name if self.person is not None else ""


class MailPreference(models.Model):
    """What one person wants by e-mail. Channels are the organisation's and know no preferences."""

    class Mode(models.TextChoices):
        ALL = "all", "Everything that concerns my roles"
        ALARMS = "alarms", "Alarms only"
        NONE = "none", "Nothing"

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="mail_preference"
    )
    mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.ALL)

    def __str__(self) -> str:
        return self.get_mode_display()
