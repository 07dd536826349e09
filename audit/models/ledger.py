"""The decision log as Django sees it. The database writes these tables (migration 0001_ledger); Django only reads them.

`managed = False`: no migration of Django's making touches them, and a test that empties tables leaves them alone.
"""

from typing import Any

from django.db import models

from audit.canonical import loads


class Head(models.Model):
    """One row: which log this is, how long it is, and why it takes nothing more, where it does not."""

    log = models.TextField(primary_key=True)
    origin = models.TextField()
    size = models.BigIntegerField()
    read_only = models.TextField()

    class Meta:
        managed = False
        db_table = "audit_head"

    def __str__(self) -> str:
        return f"{self.origin} ({self.size})"


class Entry(models.Model):
    """One act. `at` is the application's clock, `recorded_at` the database's; the order is that of `index`."""

    index = models.BigIntegerField(primary_key=True)
    kind = models.TextField()
    actor_id = models.TextField()
    via = models.TextField()
    subject = models.TextField()
    system = models.TextField()
    at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    commitment = models.BinaryField()
    leaf = models.TextField()
    leaf_hash = models.BinaryField()

    class Meta:
        managed = False
        db_table = "audit_entry"

    def __str__(self) -> str:
        return f"{self.index} {self.kind} {self.subject}"


class Payload(models.Model):
    """What an entry says in detail. No row: erased, and a tombstone entry says so."""

    index = models.BigIntegerField(primary_key=True)
    salt = models.BinaryField()
    payload = models.BinaryField()

    class Meta:
        managed = False
        db_table = "audit_payload"

    def __str__(self) -> str:
        return f"payload of entry {self.pk}"

    def read(self) -> Any:
        return loads(bytes(self.payload))


class Checkpoint(models.Model):
    """A signed tree head of the decision log, the public keys that signed it, and the peaks of its tree."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    note = models.TextField()
    keys = models.TextField()
    peaks = models.BinaryField()
    signed_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "audit_checkpoint"

    def __str__(self) -> str:
        return f"checkpoint of {self.size} entries"

    @property
    def root_digest(self) -> str:
        return f"sha256:{bytes(self.root).hex()}"


class Node(models.Model):
    """The root of a complete subtree of 2**level entries: a cache from which proofs are made (audit/proofs.py)."""

    pk = models.CompositePrimaryKey("level", "index")
    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    hash = models.BinaryField()

    class Meta:
        db_table = "audit_node"

    def __str__(self) -> str:
        return f"node {self.index} of level {self.level}"
