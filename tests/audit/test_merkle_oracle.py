"""Our Merkle proofs against two others, for every entry of every small tree: equal hash by hash.

One is pymerkle. Its proofs begin with the leaf itself and are read by its own verifier; ours leave it out, as RFC 6962
does. The other is the definitions of RFC 9162 themselves, with its verifiers, in tests/audit/rfc9162.py: both must also
refuse what we refuse.
"""

import hashlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree, verify_consistency, verify_inclusion

from audit import merkle
from tests.audit import rfc9162
from tests.audit.test_merkle import CT_CONSISTENCY, CT_INCLUSION, CT_LEAVES, CT_ROOTS

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


# --- The definitions of RFC 9162 ---

OTHER = hashlib.sha256(b"another").digest()


def test_the_definitions_give_the_published_trees_and_proofs() -> None:
    tree = rfc9162.Tree(CT_LEAVES)
    assert [tree.MTH(0, size).hex() for size in range(9)] == CT_ROOTS
    for (index, size), proof in CT_INCLUSION.items():
        assert [item.hex() for item in tree.PATH(index, 0, size)] == proof
    for (old, new), proof in CT_CONSISTENCY.items():
        assert [item.hex() for item in tree.PROOF(old, new)] == proof


def defined(size: int) -> tuple[rfc9162.Tree, list[bytes]]:
    data = [f"entry {n}".encode() for n in range(size)]
    return rfc9162.Tree(data), [merkle.leaf_hash(item) for item in data]


def spoiled(proof: list[bytes]) -> Iterator[list[bytes]]:
    """What is next to a proof: one hash missing, one too many, one replaced, the other way round."""
    yield [*proof, OTHER]
    yield [OTHER, *proof]
    yield proof[::-1]
    for place in range(len(proof)):
        yield [*proof[:place], *proof[place + 1 :]]
        yield [*proof[:place], OTHER, *proof[place + 1 :]]


def we_say(check: Callable[..., None], *given: object) -> bool:
    try:
        check(*given)
    except merkle.ProofError:
        return False
    return True


def all_say_the_same_of_an_inclusion(tree: rfc9162.Tree, hashes: list[bytes], index: int, size: int) -> None:
    root, proof, leaf = tree.MTH(0, size), tree.PATH(index, 0, size), hashes[index]
    assert merkle.inclusion_proof(index, size, merkle.in_memory(hashes)) == proof
    merkle.verify_inclusion(leaf, index, size, proof, root)
    claims = [(index, size, proof), (index + 1, size, proof), (index, size + 1, proof), (index, size - 1, proof)]
    for at, of, path in claims + [(index, size, path) for path in spoiled(proof)]:
        said = we_say(merkle.verify_inclusion, leaf, at, of, path, root)
        assert said == rfc9162.includes(leaf, at, of, path, root), (at, of)
        assert said == (at < of and rfc9162.root_by_path(leaf, at, of, path) == root), (at, of)


def all_say_the_same_of_a_continuation(tree: rfc9162.Tree, hashes: list[bytes], old: int, new: int) -> None:
    was, now, proof = tree.MTH(0, old), tree.MTH(0, new), tree.PROOF(old, new)
    assert merkle.consistency_proof(old, new, merkle.in_memory(hashes)) == proof
    merkle.verify_consistency(old, new, was, now, proof)
    claims = [(old, new, proof), (old + 1, new, proof), (old - 1, new, proof), (old, new + 1, proof)]
    for first, second, path in claims + [(old, new, path) for path in spoiled(proof)]:
        if 0 < first < second:  # what the RFC's algorithm is for
            said = we_say(merkle.verify_consistency, first, second, was, now, path)
            assert said == rfc9162.continues(first, second, was, now, path), (first, second)
            assert said == (rfc9162.roots_by_proof(first, second, was, path) == (was, now)), (first, second)


def test_every_tree_up_to_64_is_as_the_definitions_say() -> None:
    tree, hashes = defined(64)
    for size in range(65):
        assert merkle.root(hashes[:size]) == tree.MTH(0, size)
        for index in range(size):
            all_say_the_same_of_an_inclusion(tree, hashes, index, size)
            all_say_the_same_of_a_continuation(tree, hashes, index + 1, size)


LARGE, LARGE_HASHES = defined(3_000)


@given(st.data())
def test_larger_trees_are_as_the_definitions_say(data: st.DataObject) -> None:
    size = data.draw(st.integers(65, len(LARGE_HASHES)))
    index = data.draw(st.integers(0, size - 1))
    assert merkle.root(LARGE_HASHES[:size]) == LARGE.MTH(0, size)
    all_say_the_same_of_an_inclusion(LARGE, LARGE_HASHES, index, size)
    all_say_the_same_of_a_continuation(LARGE, LARGE_HASHES, index + 1, size)
