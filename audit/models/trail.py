"""The request trail: spans as they came, their payloads, and the log they are sealed in.

Nothing of it changes (tables and triggers: migration 0002_trail), but for what a batch and the log's head gain once.
"""

from datetime import datetime, timedelta

from django.contrib.postgres.fields import ArrayField
from django.db import models

from web.ids import uuid7


class Span(models.Model):
    """One span, partitioned by the day it started. Written by binary COPY (audit.ingest.store), never by the ORM."""

    pk = models.CompositePrimaryKey("trace_id", "span_id", "started_at", "system")
    system = models.TextField()
    environment = models.TextField()
    trace_id = models.UUIDField()
    span_id = models.TextField()
    parent_id = models.TextField()
    started_at = models.DateTimeField()
    duration_us = models.BigIntegerField()
    name = models.TextField()
    kind = models.TextField()
    component = models.TextField()
    service = models.TextField()
    scope = models.TextField()
    otlp_kind = models.SmallIntegerField()
    failed = models.BooleanField()
    error_type = models.TextField()
    status_message = models.TextField()
    request_id = models.TextField()
    release = models.TextField()
    tenant = models.TextField()
    prompt_name = models.TextField()
    prompt_version = models.TextField()
    prompt_hash = models.TextField()
    prompt_hash_source = models.TextField()
    model_requested = models.TextField()
    model_answered = models.TextField()
    provider = models.TextField()
    response_id = models.TextField()
    tokens_in = models.IntegerField(null=True)
    tokens_out = models.IntegerField(null=True)
    tokens_cached = models.IntegerField(null=True)
    cost_nanousd = models.BigIntegerField(null=True)
    price_source = models.TextField()
    source_ids = ArrayField(models.TextField(), null=True)
    input_ok = models.BooleanField(null=True)
    output_ok = models.BooleanField(null=True)
    contract_source = models.TextField()
    flags = ArrayField(models.TextField())
    retries = models.IntegerField(null=True)
    timed_out = models.BooleanField()
    fallback = models.TextField()
    handoff = models.BooleanField()
    redactions = models.IntegerField()
    attributes = models.JSONField()
    resource = models.JSONField()
    events = models.JSONField()
    input_commitment = models.BinaryField(null=True)
    output_commitment = models.BinaryField(null=True)
    # Of the record, not of the span: outside its leaf.
    leaf_hash = models.BinaryField()
    batch_id = models.UUIDField()
    position = models.IntegerField(help_text="In its batch: the batch's first index plus this is the span's log index.")
    received_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "audit_span"

    def __str__(self) -> str:
        return f"{self.name} {self.trace_id.hex}/{self.span_id}"

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(microseconds=self.duration_us)


class SpanPayload(models.Model):
    """Prompt and answer of a span, encrypted. Apart from the span, so that they can leave earlier."""

    pk = models.CompositePrimaryKey("trace_id", "span_id", "started_at", "system")
    system = models.TextField()
    trace_id = models.UUIDField()
    span_id = models.TextField()
    started_at = models.DateTimeField()
    key_id = models.UUIDField()
    sealed = models.BinaryField(help_text="Nonce and AES-256-GCM ciphertext of a JSON document.")

    class Meta:
        managed = False
        db_table = "audit_span_payload"

    def __str__(self) -> str:
        return f"{self.trace_id.hex}/{self.span_id}"


class PayloadKey(models.Model):
    """The data key of one system's payloads of one day, wrapped. Without it they are noise."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.CharField(max_length=60)
    day = models.DateField()
    kek_id = models.CharField(max_length=16, help_text="Which key of the installation wraps it.")
    wrapped = models.BinaryField()
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["system", "day"], name="audit_payload_key_once")]

    def __str__(self) -> str:
        return f"{self.system} {self.day}"


class SpanBatch(models.Model):
    """The spans of one accepted request, as leaf hashes. The sequencer gives it its place in the log, once."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    system = models.TextField()
    environment = models.TextField()
    received_at = models.DateTimeField()
    count = models.IntegerField()
    leaves = models.BinaryField(help_text="Leaf hashes, 32 bytes each, in order of position.")
    traces = ArrayField(models.UUIDField())
    profile = models.IntegerField(help_text="Number of the ingest profile it was checked against; 0: none.")
    redaction = models.TextField(help_text="Version of the pattern set that cleaned it.")
    found = models.JSONField(help_text="What was redacted, by kind.")
    refused = models.JSONField(help_text="Spans of the request that were not stored, by reason.")
    first_at = models.DateTimeField(null=True, help_text="When the earliest of its spans started.")
    last_at = models.DateTimeField(null=True, help_text="When the latest of its spans started.")
    first_index = models.BigIntegerField(null=True, unique=True)
    sequenced_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "audit_span_batch"

    def __str__(self) -> str:
        return f"{self.count} spans of {self.system}"


class SpanLog(models.Model):
    """The request log's head: how many spans are sequenced, and how far requests are derived. One row."""

    origin = models.TextField(primary_key=True)
    size = models.BigIntegerField(default=0)
    derived_to = models.BigIntegerField(default=0, help_text="Requests are derived from all spans below this index.")

    class Meta:
        managed = False
        db_table = "audit_span_log"

    def __str__(self) -> str:
        return self.origin


class SpanTile(models.Model):
    """The root over 256 leaves of the request log: proofs are put together from these instead of from every leaf."""

    index = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()

    class Meta:
        managed = False
        db_table = "audit_span_tile"

    def __str__(self) -> str:
        return f"leaves from {self.index * 256}"


class SpanNode(models.Model):
    """The root over 2**level leaves, above the tiles: with them a proof reads one hash for each level of the tree."""

    pk = models.CompositePrimaryKey("level", "index")
    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField()

    class Meta:
        managed = False
        db_table = "audit_span_node"

    def __str__(self) -> str:
        return f"node {self.index} of level {self.level}"


class SpanCheckpoint(models.Model):
    """A signed head of the request log."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    note = models.TextField()
    peaks = models.BinaryField(help_text="Roots of the tree's perfect subtrees: enough to append to it.")
    signed_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "audit_span_checkpoint"

    def __str__(self) -> str:
        return f"{self.size} spans"
