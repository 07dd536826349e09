"""The request log's tree as it is stored: what proofs are made from, and what happens to whoever tampers with it."""

import hashlib
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection
from django.utils import timezone

from audit import merkle, spanlog, spantree
from audit.checkpoint import NoteError
from audit.merkle import ProofError
from audit.models import SpanBatch, SpanCheckpoint, SpanLog, SpanNode, SpanTile

pytestmark = pytest.mark.django_db
_TABLES = ("audit_span_batch", "audit_span_tile", "audit_span_node", "audit_span_checkpoint", "audit_span_log")


def as_attacker(*statements):
    """A superuser who lifts the guards, and puts them back."""
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgenabled = 'D' AND NOT tgisinternal")
        for table, trigger in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


@pytest.fixture
def log(settings, tmp_path):
    """An empty request log with a key and heads of its own, whatever earlier tests left."""
    settings.DATA_DIR = tmp_path
    settings.LEDGER_KEYS = []
    emptied = [f"DELETE FROM {table}" for table in _TABLES[:4]]
    as_attacker(*emptied, "UPDATE audit_span_log SET size = 0, derived_to = 0")


def grow(*counts):
    """Batches of so many spans each, sealed together. Returns all leaves of the log."""
    for count in counts:
        number = SpanBatch.objects.count()
        leaves = b"".join(hashlib.sha256(b"%d %d" % (number, place)).digest() for place in range(count))
        SpanBatch.objects.create(
            system="tree", environment="production", received_at=timezone.now(), count=count, leaves=leaves, traces=[],
            profile=0, redaction="", found={}, refused={},
        )  # fmt: skip
    spanlog.sequence(now=timezone.now())
    spanlog.sign_head(now=timezone.now())
    packed = b"".join(bytes(batch.leaves) for batch in SpanBatch.objects.order_by("first_index"))
    return [packed[at : at + 32] for at in range(0, len(packed), 32)]


def stored():
    tiles = {(spantree.TILE_LEVEL, tile.index): bytes(tile.root) for tile in SpanTile.objects.all()}
    return tiles | {(node.level, node.index): bytes(node.hash) for node in SpanNode.objects.all()}


def checked(leaves):
    (batch, *_) = SpanBatch.objects.values_list("pk", flat=True)
    _, signed = spanlog.places_of([(batch, 0)])
    return spanlog.check_sealed(leaves, signed, waiting=0)


def test_every_complete_subtree_from_256_leaves_up_is_stored_once(log):
    for counts in ((255,), (1,), (300, 700), (1, 2, 3), (2600,), (5,)):
        leaves = grow(*counts)
        expected = {
            (level, index): merkle.root(leaves[index << level : (index + 1) << level])
            for level in range(8, 20)
            for index in range(len(leaves) >> level)
        }
        assert stored() == expected
    assert max(level for level, _ in stored()) == 11


@pytest.mark.parametrize("counts", [(1,), (256,), (257,), (512,), (100, 1, 900, 23), (4096,), (3000, 777)])
def test_a_proof_from_stored_hashes_is_the_one_from_all_leaves(log, counts):
    leaves = grow(*counts)
    size = len(leaves)
    edges = (0, size - 1, size // 2, size * 2 // 3, 255, 256, size - size % 256 - 1)
    asked = [index for index in edges if 0 <= index < size]
    made = spantree.proofs(asked, size)
    head = SpanCheckpoint.objects.get(size=size)
    for index in asked:
        assert made[index] == merkle.inclusion_proof(index, size, merkle.in_memory(leaves))
        merkle.verify_inclusion(leaves[index], index, size, made[index], bytes(head.root))


def test_a_proof_of_an_older_head_is_made_as_well(log):
    old = len(grow(700))
    leaves = grow(1500)
    path = spantree.proofs([650], old)[650]
    merkle.verify_inclusion(leaves[650], 650, old, path, bytes(SpanCheckpoint.objects.get(size=old).root))


def test_a_proof_reads_as_little_of_a_long_log_as_of_a_short_one(log, django_assert_num_queries):
    """The floor for a look-up at ten million spans: a hash for each level, and the leaves of one or two tiles."""
    leaves = grow(40_000, 27_001)
    assert spantree.TILE * 261 < len(leaves) < spantree.TILE * 262
    with django_assert_num_queries(1) as asked:
        spantree.proofs(range(30_000, 30_005), len(leaves))
    nodes = {piece for lo, hi in merkle.inclusion_ranges(30_000, len(leaves)) for piece in merkle.subtrees(lo, hi)}
    assert sum(level >= spantree.TILE_LEVEL for level, _ in nodes) <= 2 * len(leaves).bit_length()
    assert "audit_span_tile" in asked.captured_queries[0]["sql"]


def test_what_was_signed_before_gets_its_levels_by_the_migration_and_by_the_next_head(log):
    grow(5000)
    whole = stored()
    as_attacker("DELETE FROM audit_span_node")
    told = []
    assert spantree.keep_levels(19, report=lambda done, of: told.append((done, of))) == len(SpanNode.objects.all())
    assert told[-1][0] == told[-1][1] == SpanNode.objects.count()
    assert stored() == whole
    assert spantree.keep_levels(19) == 0, "run again, it makes nothing"
    as_attacker("DELETE FROM audit_span_node WHERE level > 9 OR index > 3")  # interrupted
    import_module("audit.migrations.0007_fill_span_nodes").fill(apps, connection.schema_editor())
    assert stored() == whole
    as_attacker("DELETE FROM audit_span_node")  # signed meanwhile by a process of the version before
    grow(300)
    assert stored().items() >= whole.items()


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("UPDATE audit_span_batch SET leaves = overlay(leaves placing '\\xff' FROM 321)", "was changed"),
        ("UPDATE audit_span_tile SET root = sha256('x') WHERE index = 2", "of spans 512 to 767 is not theirs"),
        ("DELETE FROM audit_span_tile WHERE index = 1", "of spans 256 to 511 is not theirs"),
        ("UPDATE audit_span_node SET hash = sha256('x') WHERE level = 10", "1024 spans from span 0 is not"),
        ("DELETE FROM audit_span_node WHERE level = 9 AND index = 1", "512 spans from span 512 is not"),
        ("UPDATE audit_span_checkpoint SET root = sha256('x')", "not what was signed"),
        ("UPDATE audit_span_checkpoint SET peaks = overlay(peaks placing '\\xff' FROM 1)", "not the ones of its tree"),
        ("DELETE FROM audit_span_batch WHERE first_index = 0", "begins with span 0 is missing"),
        ("DELETE FROM audit_span_batch WHERE first_index > 0", "a head of 1500 was signed"),
    ],
)
def test_whatever_is_tampered_with_is_found_and_named(log, statement, sentence):
    grow(1000, 500)
    assert spanlog.verify_heads() == (1, 1500)
    as_attacker(statement)
    with pytest.raises(NoteError, match=sentence):
        spanlog.verify_heads()


def test_a_wrong_hash_proves_nothing_and_a_missing_one_says_so(log):
    leaves = grow(1500)
    here = [(100, leaves[100])]
    assert checked(here)[0] is True
    assert checked([(100, leaves[101])])[0] is False
    as_attacker("UPDATE audit_span_node SET hash = sha256('x') WHERE level = 9 AND index = 1")
    ok, sentence = checked(here)
    assert (ok, "leads to another root" in sentence) == (False, True)
    as_attacker("DELETE FROM audit_span_node")
    ok, sentence = checked(here)
    assert (ok, "hashes between 512 and 1024 are missing" in sentence) == (False, True)
    with pytest.raises(ProofError, match="no entry 1500"):
        spantree.proofs([1500], SpanLog.objects.get().size)


def test_what_is_kept_with_the_head_spares_asking_and_is_not_believed_either(log):
    leaves = grow(1500)
    head = SpanCheckpoint.objects.get()
    as_attacker("DELETE FROM audit_span_node WHERE level = 10")
    assert checked([(1400, leaves[1400])])[0] is True
    as_attacker("UPDATE audit_span_checkpoint SET peaks = overlay(peaks placing '\\xff' FROM 1)")
    assert SpanCheckpoint.objects.get().peaks != head.peaks
    ok, sentence = checked([(1400, leaves[1400])])
    assert (ok, "leads to another root" in sentence) == (False, True)


@pytest.mark.parametrize("word", ["UPDATE audit_span_node SET hash = hash", "DELETE FROM audit_span_node"])
def test_the_database_refuses_to_change_a_stored_hash(log, word):
    grow(600)
    with connection.cursor() as cursor, pytest.raises(Exception, match="append-only"):
        cursor.execute(word)
