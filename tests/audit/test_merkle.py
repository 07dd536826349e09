"""Against the published trees of RFC 6962's reference code. Against other implementations: test_merkle_oracle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import merkle
from audit.merkle import Frontier, ProofError

# The eight leaves and the roots at each size that the Certificate Transparency code has tested with since 2012.
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# Inclusion and consistency proofs of the same test data.
CT_INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CT_CONSISTENCY = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
HASHES = [merkle.leaf_hash(leaf) for leaf in CT_LEAVES]


def leaves_of(size: int) -> list[bytes]:
    return [index.to_bytes(3) for index in range(size)]


@pytest.mark.parametrize("size", range(9))
def test_published_roots(size):
    assert merkle.root(HASHES[:size]).hex() == CT_ROOTS[size]
    tree = Frontier()
    for item in HASHES[:size]:
        tree.append(item)
    assert tree.root().hex() == CT_ROOTS[size]


@pytest.mark.parametrize(("index", "size"), CT_INCLUSION)
def test_published_inclusion_proofs(index, size):
    proof = merkle.inclusion_proof(index, size, merkle.in_memory(HASHES[:size]))
    assert [item.hex() for item in proof] == CT_INCLUSION[index, size]


@pytest.mark.parametrize(("old", "new"), CT_CONSISTENCY)
def test_published_consistency_proofs(old, new):
    proof = merkle.consistency_proof(old, new, merkle.in_memory(HASHES[:new]))
    assert [item.hex() for item in proof] == CT_CONSISTENCY[old, new]


@given(st.integers(0, 300), st.integers(0, 300))
def test_a_frontier_goes_on_from_its_peaks(first, more):
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves_of(first + more)]
    tree = Frontier()
    for item in hashes[:first]:
        tree.append(item)
    again = Frontier(tree.size, tree.peaks)
    for item in hashes[first:]:
        again.append(item)
    assert (again.size, again.root()) == (first + more, merkle.root(hashes))


@given(st.data())
def test_ranges_of_proofs_are_subtrees(data):
    size = data.draw(st.integers(1, 10_000))
    index = data.draw(st.integers(0, size - 1))
    for lo, hi in merkle.inclusion_ranges(index, size) + merkle.consistency_ranges(index + 1, size):
        width = 1 << (hi - lo - 1).bit_length()
        assert lo % width == 0
        assert hi - lo == width or hi == size


@given(st.data())
def test_altered_inclusion_proofs_are_refused(data):
    size = data.draw(st.integers(2, 200))
    index = data.draw(st.integers(0, size - 1))
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves_of(size)]
    root = merkle.root(hashes)
    proof = merkle.inclusion_proof(index, size, merkle.in_memory(hashes))
    other = data.draw(st.integers(0, size - 1).filter(lambda number: number != index))
    place = data.draw(st.integers(0, len(proof) - 1))
    flipped = list(proof)
    flipped[place] = bytes([flipped[place][0] ^ 1]) + flipped[place][1:]
    swapped = proof[::-1] if proof[::-1] != proof else [*proof, proof[0]]
    for forged in (
        (hashes[other], index, size, proof, root),
        (hashes[index], other, size, proof, root),
        (hashes[index], index, size, proof[:-1], root),
        (hashes[index], index, size, proof[1:], root),
        (hashes[index], index, size, [*proof, root], root),
        (hashes[index], index, size, flipped, root),
        (hashes[index], index, size, swapped, root),
        (hashes[index], index, size, proof, merkle.leaf_hash(b"other")),
        (hashes[index], index, 0, proof, root),
        (hashes[index], -1, size, proof, root),
        (hashes[index], size, size, proof, root),
        (root, 0, 1, [b"short"], root),
    ):
        with pytest.raises(ProofError):
            merkle.verify_inclusion(*forged)


def test_an_inner_node_is_no_leaf():
    """Without the prefixes, a node's 64 bytes could be presented as an entry (RFC 6962, 2.1)."""
    left, right = HASHES[:2]
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)
    with pytest.raises(ProofError):
        merkle.verify_inclusion(merkle.leaf_hash(left + right), 0, 1, [], merkle.root([left, right]))


@given(st.data())
def test_altered_consistency_proofs_are_refused(data):
    new = data.draw(st.integers(3, 200))
    old = data.draw(st.integers(1, new - 1))
    hashes = [merkle.leaf_hash(leaf) for leaf in leaves_of(new)]
    was, now = merkle.root(hashes[:old]), merkle.root(hashes)
    proof = merkle.consistency_proof(old, new, merkle.in_memory(hashes))
    rewritten = [*hashes[: old - 1], merkle.leaf_hash(b"rewritten"), *hashes[old:]]
    place = data.draw(st.integers(0, len(proof) - 1))
    flipped = list(proof)
    flipped[place] = bytes([flipped[place][0] ^ 1]) + flipped[place][1:]
    rewritten_proof = merkle.consistency_proof(old, new, merkle.in_memory(rewritten))
    for forged in (
        (old, new, was, merkle.root(rewritten), proof),
        (old, new, was, merkle.root(rewritten), rewritten_proof),
        (old, new, merkle.leaf_hash(b"other"), now, proof),
        (old, new, was, merkle.leaf_hash(b"other"), proof),
        (old, new, now, was, proof),
        (old, new, was, now, proof[:-1]),
        (old, new, was, now, [*proof, now]),
        (old, new, was, now, flipped),
        (old, new, was, now, []),
        (new, old, now, was, proof),
        (0, new, was, now, proof),
        (old, old, was, was, proof),
        (new, new, was, now, []),
        (0, new, was, now, []),
        (0, 0, merkle.EMPTY_ROOT, now, []),
    ):
        with pytest.raises(ProofError):
            merkle.verify_consistency(*forged)


def test_every_tree_continues_itself_and_the_empty_one():
    root = merkle.root(HASHES)
    merkle.verify_consistency(8, 8, root, root, [])
    merkle.verify_consistency(0, 8, merkle.EMPTY_ROOT, root, [])
    merkle.verify_consistency(0, 0, merkle.EMPTY_ROOT, merkle.EMPTY_ROOT, [])


@pytest.mark.parametrize(("size", "peaks"), [(-1, []), (1, []), (2, [b"x" * 32] * 2), (1, [b"short"])])
def test_a_frontier_is_not_made_from_anything(size, peaks):
    with pytest.raises(ValueError, match="peaks"):
        Frontier(size, peaks)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 4)])
def test_there_is_no_proof_of_what_is_not_there(index, size):
    with pytest.raises(ProofError):
        merkle.inclusion_ranges(index, size)


@pytest.mark.parametrize(("old", "new"), [(0, 4), (5, 4), (-1, 4)])
def test_there_is_no_consistency_proof_backwards(old, new):
    with pytest.raises(ProofError):
        merkle.consistency_ranges(old, new)
