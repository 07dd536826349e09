from dataclasses import replace

import pytest

from audit import merkle
from audit.checkpoint import TreeHead
from audit.leaf import commitment
from audit.walk import LogError, Walk
from tests.audit.made_up import Item, erased, head, item, log

LOG = log(10)
HEADS = [head(LOG, size) for size in (3, 4, 10)]
KNOWN = b"".join(merkle.leaf_hash(one.data) for one in LOG)


def walk(items: list[Item], **options) -> Walk:
    heads = options.pop("heads", HEADS)
    walked = Walk(heads, **options)
    for one in items:
        walked.add(one.leaf, one.data, one.salt, one.payload)
    walked.finish()
    return walked


def fails(items: list[Item], **options) -> LogError:
    with pytest.raises(LogError) as caught:
        walk(items, **options)
    return caught.value


def test_a_whole_log_passes():
    assert walk(LOG).tree.root() == HEADS[-1].root
    assert walk(LOG, known=KNOWN).tree.size == 10
    assert walk([], heads=[]).tree.size == 0


def test_from_a_signed_head_only_what_came_after_is_walked():
    start = walk(LOG[:4], heads=[]).tree
    assert walk(LOG[4:], start=start).tree.root() == HEADS[-1].root


def test_a_start_that_is_not_the_signed_tree_is_refused_at_once():
    start = walk([*LOG[:3], item(3, note="other")], heads=[]).tree
    error = fails([], start=start)
    assert "another root" in error.reason


def test_an_edited_payload_is_named():
    error = fails([*LOG[:5], replace(LOG[5], payload=b"{}"), *LOG[6:]])
    assert (error.index, error.reason) == (5, "its payload is not the one that was recorded")


def test_an_edited_leaf_is_named_with_what_was_known_outside():
    forged = [*LOG[:5], item(5, note="rewritten"), *LOG[6:]]
    error = fails(forged, known=KNOWN)
    assert (error.index, "was rewritten" in error.reason) == (5, True)


def test_an_edited_leaf_is_bounded_by_the_checkpoints_around_it():
    forged = [*LOG[:5], item(5, note="rewritten"), *LOG[6:]]
    error = fails(forged)
    assert error.index == 4
    assert "one of the entries 4 to 9 was rewritten" in error.reason
    assert "entry 3 was rewritten" in fails([*LOG[:3], item(3, note="rewritten"), *LOG[4:]]).reason


def test_a_cut_tail_is_named():
    error = fails(LOG[:8])
    assert (error.index, "covers 10 entries" in error.reason) == (8, True)


def test_a_removed_entry_is_named():
    error = fails([*LOG[:5], *LOG[6:]])
    assert (error.index, error.reason) == (5, "its leaf says it is entry 6")


def test_swapped_entries_are_named():
    assert fails([*LOG[:5], LOG[6], LOG[5], *LOG[7:]]).index == 5


def test_a_stored_hash_must_belong_to_the_leaf():
    walked = Walk([])
    with pytest.raises(LogError, match="does not belong"):
        walked.add(LOG[0].leaf, LOG[0].data, LOG[0].salt, LOG[0].payload, bytes(32))


def test_two_heads_of_one_size_are_a_split_view():
    other = TreeHead(HEADS[0].origin, 3, bytes(32))
    assert "another root" in fails(LOG, heads=[other, *HEADS]).reason
    assert "signed before" in fails(LOG, heads=[HEADS[0], other, *HEADS[1:]]).reason


def test_a_payload_is_gone_only_after_a_tombstone():
    assert fails([*LOG[:5], erased(LOG[5]), *LOG[6:]]).index == 5
    tombstone = item(10, kind="ledger.payload-erased", subject="entry:5")
    assert walk([*LOG[:5], erased(LOG[5]), *LOG[6:], tombstone]).tree.size == 11
    of_another = item(10, kind="ledger.payload-erased", subject="entry:4")
    assert fails([*LOG[:5], erased(LOG[5]), *LOG[6:], of_another]).index == 5
    not_a_number = item(10, kind="ledger.payload-erased", subject="entry:five")
    assert fails([*LOG[:5], erased(LOG[5]), *LOG[6:], not_a_number]).index == 5


def test_half_of_salt_and_payload_counts_as_gone():
    assert fails([*LOG[:5], replace(LOG[5], salt=None), *LOG[6:]]).index == 5


def test_a_commitment_recomputed_for_another_payload_changes_the_leaf():
    payload = b'{"number":5,"note":"friendlier"}'
    changed = LOG[5].leaf._replace(commitment=commitment(LOG[5].salt or b"", payload))
    forged = replace(LOG[5], leaf=changed, payload=payload)
    assert fails([*LOG[:5], forged, *LOG[6:]], known=KNOWN).index == 5
