"""Requests and sums, derived from spans: they can be thrown away and made again. And what traffic is compared with."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from web.ids import uuid7


class Request(models.Model):
    """One request, summed up from the spans of its trace some seconds after they came, and again for late ones."""

    class Approval(models.TextChoices):
        APPROVED = "approved", "Approved"
        INCOMPLETE = "incomplete", "Incomplete"  # what it reports is approved, but it does not report all
        UNAPPROVED = "unapproved", "Unapproved"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.CharField(max_length=60)
    environment = models.CharField(max_length=40)
    trace_id = models.UUIDField()
    request_id = models.TextField(blank=True)
    started_at = models.DateTimeField()
    duration_us = models.BigIntegerField()
    name = models.TextField()
    entry_span_id = models.CharField(max_length=16)
    span_count = models.PositiveIntegerField()
    release = models.TextField(blank=True)
    tenant = models.TextField(blank=True)
    prompt_name = models.TextField(blank=True)
    prompt_version = models.TextField(blank=True)
    prompt_hash = models.TextField(blank=True)
    prompt_hash_source = models.TextField(blank=True)
    model = models.TextField(blank=True)
    models_seen = ArrayField(models.TextField(), default=list)
    failed = models.BooleanField()
    error_type = models.TextField(blank=True)
    calls = models.PositiveIntegerField(help_text="Provider calls that were counted, unknown ones included.")
    calls_unknown = models.PositiveIntegerField(help_text="Of those, the ones without token counts.")
    tokens_in = models.BigIntegerField(null=True)
    tokens_out = models.BigIntegerField(null=True)
    cost_nanousd = models.BigIntegerField(null=True, help_text="Null: unknown in whole or in part.")
    source_ids = ArrayField(models.TextField(), null=True)
    input_ok = models.BooleanField(null=True)
    output_ok = models.BooleanField(null=True)
    contract_source = models.CharField(max_length=10, blank=True)
    complete = models.BooleanField(help_text="Every span's parent is there.")
    flags = ArrayField(models.TextField(), default=list)
    retries = models.PositiveIntegerField(default=0)
    timeouts = models.PositiveIntegerField(default=0)
    fallback = models.TextField(blank=True)
    handoff = models.BooleanField(default=False)
    approval = models.CharField(max_length=10, choices=Approval.choices)
    approved_release_id = models.TextField(blank=True, help_text="Of the release whose approval covers it.")
    with_request_id = models.BooleanField(help_text="It has an id to quote, and no span of it carries another one.")
    derived_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trace_id", "system", "environment"], name="audit_request_once"),
        ]
        indexes = [
            models.Index(fields=["-started_at", "-id"], name="audit_request_newest"),
            models.Index(fields=["system", "-started_at", "-id"], name="audit_request_system"),
            models.Index(fields=["system", "release", "-started_at"], name="audit_request_release"),
            models.Index(fields=["system", "prompt_version", "-started_at"], name="audit_request_prompt"),
            models.Index(fields=["request_id"], name="audit_request_quoted", condition=~Q(request_id="")),
            # What auditors look for is rare: a small index each, where the wide one would be read to its end.
            models.Index(
                fields=["system", "-started_at", "-id"], name="audit_request_failed", condition=Q(failed=True)
            ),
            models.Index(
                fields=["system", "-started_at", "-id"],
                name="audit_request_schema",
                condition=Q(output_ok=False) | Q(input_ok=False),
            ),
            models.Index(
                fields=["system", "-started_at", "-id"],
                name="audit_request_unusual",
                condition=~Q(fallback="") | Q(handoff=True) | Q(timeouts__gt=0) | Q(retries__gt=0) | Q(complete=False),
            ),
            models.Index(
                fields=["system", "-started_at", "-id"],
                name="audit_request_unapproved",
                condition=Q(approval="unapproved"),
            ),
            models.Index(fields=["system", "tenant", "-started_at"], name="audit_request_tenant"),
            # Which answers used this document, or that model: also where the answer is "none".
            GinIndex(fields=["source_ids", "models_seen"], name="audit_request_used"),
        ]

    def __str__(self) -> str:
        return self.request_id or self.trace_id.hex

    @property
    def duration_ms(self) -> float:
        return self.duration_us / 1000


class Call(models.Model):
    """One provider call of a request, counted once however many spans report it (audit.usage)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.CharField(max_length=60)
    environment = models.CharField(max_length=40)
    trace_id = models.UUIDField()
    span_id = models.CharField(max_length=16)
    started_at = models.DateTimeField()
    release = models.TextField(blank=True)
    tenant = models.TextField(blank=True)
    model = models.TextField(blank=True)
    tokens_in = models.IntegerField(null=True)
    tokens_out = models.IntegerField(null=True)
    cost_nanousd = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["trace_id", "span_id", "system", "environment"], name="audit_call_once"),
        ]
        indexes = [models.Index(fields=["system", "started_at"], name="audit_call_system")]

    def __str__(self) -> str:
        return f"{self.model} {self.trace_id.hex}/{self.span_id}"


class Rollup(models.Model):
    """Requests of one release in one environment in a bucket of time, by when they started.

    Kept in three widths (audit.rollups), so that a month of chart is thirty rows and not three thousand.
    """

    system = models.CharField(max_length=60)
    environment = models.CharField(max_length=40)
    release = models.TextField()
    width = models.PositiveSmallIntegerField(default=15, help_text="Minutes: 15, 60 or 1440 (a UTC day).")
    bucket = models.DateTimeField()
    requests = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    schema_checked = models.BigIntegerField(default=0)
    schema_valid = models.BigIntegerField(default=0)
    with_sources = models.BigIntegerField(default=0)
    with_request_id = models.BigIntegerField(default=0)
    unapproved = models.BigIntegerField(default=0)
    cost_nanousd = models.BigIntegerField(default=0, help_text="Of the requests whose cost is known.")
    cost_known = models.BigIntegerField(default=0)
    retries = models.BigIntegerField(default=0)
    timeouts = models.BigIntegerField(default=0)
    latency = ArrayField(models.IntegerField(), default=list, help_text="Histogram: see audit.histogram.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["system", "width", "bucket", "environment", "release"], name="audit_rollup_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system} {self.release} {self.bucket}"


class ComponentRollup(models.Model):
    """Spans of one component (retrieval, model, a tool) in a bucket of time, by when they started."""

    system = models.CharField(max_length=60)
    environment = models.CharField(max_length=40)
    release = models.TextField(help_text="Of the request that the span belongs to.")
    component = models.TextField()
    width = models.PositiveSmallIntegerField(help_text="Minutes: 15, 60 or 1440 (a UTC day).")
    bucket = models.DateTimeField()
    spans = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    retries = models.BigIntegerField(default=0)
    timeouts = models.BigIntegerField(default=0)
    latency = ArrayField(models.IntegerField(), default=list, help_text="Histogram: see audit.histogram.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["system", "width", "bucket", "environment", "release", "component"],
                name="audit_component_rollup_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system} {self.component} {self.bucket}"


class Spend(models.Model):
    """Provider calls of one tenant in one quarter of an hour, by when they started: a call spends when it starts."""

    system = models.CharField(max_length=60)
    environment = models.CharField(max_length=40)
    release = models.TextField()
    tenant = models.TextField()
    bucket = models.DateTimeField()
    calls = models.BigIntegerField(default=0)
    calls_unknown = models.BigIntegerField(default=0)
    tokens_in = models.BigIntegerField(default=0)
    tokens_out = models.BigIntegerField(default=0)
    cost_nanousd = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["system", "bucket", "environment", "release", "tenant"], name="audit_spend_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system} {self.tenant} {self.bucket}"


class Profile(models.Model):
    """What ingest checks a system's traffic against. Pushed down by `systems`; a new one supersedes, none changes."""

    system = models.CharField(max_length=60)
    number = models.PositiveIntegerField()
    body = models.JSONField()
    set_by = models.TextField()
    set_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["system", "number"], name="audit_profile_once")]

    def __str__(self) -> str:
        return f"{self.system} profile {self.number}"


class Fingerprint(models.Model):
    """What a release may look like in telemetry, and from when until when. Pushed down by `releases`."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.CharField(max_length=60)
    release_label = models.TextField()
    release_id = models.TextField()
    fingerprint = models.JSONField(help_text="Key (of audit.approval.KEYS) to the values that are approved.")
    share = models.DecimalField(max_digits=5, decimal_places=4, default=1, help_text="Of traffic, at most: 1 is all.")
    from_at = models.DateTimeField()
    until_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="audit_fingerprint_share", condition=Q(share__gt=0, share__lte=1)),
            models.CheckConstraint(
                name="audit_fingerprint_order", condition=Q(until_at=None) | Q(until_at__gt=F("from_at"))
            ),
        ]
        indexes = [models.Index(fields=["system", "from_at"], name="audit_fingerprint_system")]

    def __str__(self) -> str:
        return f"{self.system} {self.release_label}"


class Unapproved(models.Model):
    """Traffic that no approved release explains: one row per fingerprint seen, with its alarm."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.CharField(max_length=60)
    environment = models.CharField(max_length=40)
    fingerprint = models.JSONField()
    digest = models.CharField(max_length=71)
    requests = models.BigIntegerField(default=0)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()
    example_trace = models.UUIDField()
    alarmed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["system", "environment", "digest"], name="audit_unapproved_once"),
        ]

    def __str__(self) -> str:
        return f"{self.system} {self.fingerprint}"
