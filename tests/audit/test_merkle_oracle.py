"""Our Merkle proofs against another implementation, pymerkle, for every entry of every small tree: equal hash by hash.

pymerkle's proofs begin with the leaf itself and are read by its own verifier; ours leave it out, as RFC 6962 does.
"""

import hashlib

import pytest
from pymerkle import InmemoryTree, verify_consistency, verify_inclusion

from audit import merkle

SIZES = [*range(1, 34), 63, 64, 65, 100]


def grown(size: int) -> tuple[InmemoryTree, list[bytes]]:
    tree = InmemoryTree(algorithm="sha256")
    data = [f"entry {n}".encode() for n in range(size)]
    for item in data:
        tree.append_entry(item)
    return tree, [merkle.leaf_hash(item) for item in data]


@pytest.mark.parametrize("size", SIZES)
def test_roots_are_equal_at_every_size(size: int) -> None:
    tree, hashes = grown(size)
    for upto in range(1, size + 1):
        assert tree.get_root(upto) == merkle.root(hashes[:upto])


@pytest.mark.parametrize("size", SIZES)
def test_inclusion_proofs_are_the_same_hashes(size: int) -> None:
    tree, hashes = grown(size)
    root = tree.get_root(size)
    for index in range(size):
        proof = tree.prove_inclusion(index + 1, size)
        verify_inclusion(tree.get_leaf(index + 1), root, proof)
        ours = merkle.inclusion_proof(index, size, merkle.in_memory(hashes))
        assert proof.path[1:] == ours
        merkle.verify_inclusion(hashes[index], index, size, proof.path[1:], root)


@pytest.mark.parametrize("size", SIZES)
def test_consistency_holds_for_both_or_for_neither(size: int) -> None:
    tree, hashes = grown(size)
    new_root = tree.get_root(size)
    wrong = hashlib.sha256(b"another").digest()
    for old in range(1, size + 1):
        old_root = tree.get_root(old)
        verify_consistency(old_root, new_root, tree.prove_consistency(old, size))
        ours = merkle.consistency_proof(old, size, merkle.in_memory(hashes))
        merkle.verify_consistency(old, size, old_root, new_root, ours)
        with pytest.raises(merkle.ProofError):
            merkle.verify_consistency(old, size, wrong, new_root, ours)
