import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import merkle
from audit.checkpoint import NoteError, Proof, Signer, TreeHead, VerifierKey, sign, split_note, unbase64, verify

# The example of the Go project's note package, signed by somebody else's code.
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
# The public key of Go's checksum database.
GO_SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"

ORIGIN = "readiness.example/decisions"
KEY = Signer(ORIGIN, bytes(range(32)))
OTHER = Signer(ORIGIN, bytes(range(1, 33)))
HEAD = TreeHead(ORIGIN, 3, merkle.leaf_hash(b"root"))
NOTE = sign(HEAD, [KEY])
TEXT, SIGNATURE = NOTE.split("\n\n")


@pytest.mark.parametrize("text", [NEUMANN, GO_SUMDB])
def test_published_keys_are_read_and_written_alike(text):
    assert str(VerifierKey.parse(text)) == text


def test_a_published_note_verifies():
    text, [(name, key_id, signature)] = split_note(NEUMANN_NOTE)
    key = VerifierKey.parse(NEUMANN)
    assert (name, key_id) == (key.name, key.key_id)
    assert key.verifies(signature, text.encode())
    assert not key.verifies(signature, text.upper().encode())
    with pytest.raises(NoteError, match="three lines"):  # signed, but no checkpoint
        verify(NEUMANN_NOTE, [key])


def test_a_checkpoint_is_three_lines_and_signatures():
    assert NOTE.startswith(f"{ORIGIN}\n3\n{base64.b64encode(HEAD.root).decode()}\n\n— {ORIGIN} ")
    assert verify(NOTE, [KEY.public]) == HEAD


def test_while_a_key_is_replaced_either_key_verifies():
    both = sign(HEAD, [OTHER, KEY])
    assert (
        verify(both, [KEY.public]) == verify(both, [OTHER.public]) == verify(both, [KEY.public, OTHER.public]) == HEAD
    )


def test_signatures_of_strangers_are_ignored():
    witness = Signer("witness.example/w1", bytes(32))
    assert verify(NOTE + witness.line(HEAD.text().encode()), [KEY.public]) == HEAD
    same_name_other_id = OTHER.line(b"anything at all")
    assert verify(NOTE + same_name_other_id, [KEY.public]) == HEAD


def resigned(text: str) -> str:
    return text + "\n" + KEY.line(text.encode())


ROOT = base64.b64encode(HEAD.root).decode()
FORGED = {
    "root changed": (NOTE.replace(ROOT, base64.b64encode(bytes(32)).decode()), "does not fit"),
    "size changed": (NOTE.replace("\n3\n", "\n4\n", 1), "does not fit"),
    "origin changed": (NOTE.replace("decisions\n3", "requests\n3"), "does not fit"),
    "signed by another key": (sign(HEAD, [OTHER]), "not signed by a known key"),
    "no signature": (f"{TEXT}\n", "no signature"),
    "empty signature block": (f"{TEXT}\n\n", "signatures"),
    "signature cut": (NOTE[:-20] + "\n", "base64"),
    "signature twice": (NOTE + SIGNATURE, "two signatures"),
    "good and bad signature of one key": (sign(HEAD, [OTHER]) + KEY.line(b"x"), "does not fit"),
    "hyphen for dash": (NOTE.replace("—", "-"), "signature line"),
    "no final newline": (NOTE[:-1], "control characters"),
    "carriage returns": (NOTE.replace("\n", "\r\n"), "control characters"),
    "17 signatures": (NOTE + SIGNATURE * 16, "1 to 16"),
    "too long": (NOTE.replace("—", "x" * 70_000 + "\n\n—"), "too long"),
    "half a surrogate pair": (NOTE.replace("decisions\n3", "\ud800\n3"), "UTF-8"),
    "size with leading zero": (resigned(f"{ORIGIN}\n03\n{ROOT}\n"), "tree size"),
    "negative size": (resigned(f"{ORIGIN}\n-3\n{ROOT}\n"), "tree size"),
    "size in other digits": (resigned(f"{ORIGIN}\n٣\n{ROOT}\n"), "tree size"),
    "short root": (resigned(f"{ORIGIN}\n3\nAAAA\n"), "32 bytes"),
    "root in another spelling": (resigned(f"{ORIGIN}\n3\n{ROOT[:-1]}\n"), "base64"),
    "extension line": (resigned(f"{ORIGIN}\n3\n{ROOT}\nmore\n"), "three lines"),
    "no origin": (resigned(f"\n3\n{ROOT}\n"), "three lines"),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_notes_are_refused_for_their_own_reason(name):
    note, reason = FORGED[name]
    with pytest.raises(NoteError, match=reason):
        verify(note, [KEY.public])


def test_no_key_is_an_error_and_not_a_pass():
    with pytest.raises(NoteError, match="no public key"):
        verify(NOTE, [])
    with pytest.raises(NoteError, match="signing key"):
        sign(HEAD, [])


@given(st.text(max_size=300))
def test_anything_else_is_refused(text):
    with pytest.raises(NoteError):
        verify(text, [KEY.public])


@pytest.mark.parametrize(
    "text",
    [
        "name+00000000",
        NEUMANN.replace("c74f20a3", "c74f20a4"),
        NEUMANN.replace("+ARpc", "+BRpc"),
        NEUMANN.replace("PeterNeumann", "Peter Neumann"),
        NEUMANN[:-4],
        "",
    ],
)
def test_keys_that_are_none(text):
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


@pytest.mark.parametrize("text", ["AAA", "AA==\n", "AB==", "!AAA", "AAAA=", "é"])
def test_base64_has_one_spelling(text):
    with pytest.raises(NoteError):
        unbase64(text)


@pytest.mark.parametrize(
    "head",
    [TreeHead("", 1, bytes(32)), TreeHead("a\nb", 1, bytes(32)), TreeHead("a", -1, bytes(32)), TreeHead("a", 1, b"")],
)
def test_what_is_no_head_is_not_written(head):
    with pytest.raises(NoteError):
        head.text()


def test_the_secret_is_not_shown():
    assert KEY.seed.hex() not in repr(KEY)
    assert str(KEY.seed) not in repr(KEY)


# --- Proof files ---

LEAVES = [b"a", b"b", b"c", b"d", b"e"]
HASHES = [merkle.leaf_hash(leaf) for leaf in LEAVES]
TREE = TreeHead(ORIGIN, 5, merkle.root(HASHES))
PROOF = Proof(2, tuple(merkle.inclusion_proof(2, 5, merkle.in_memory(HASHES))), sign(TREE, [KEY]))


def test_a_proof_file_verifies_with_nothing_but_the_key():
    text = PROOF.text()
    assert text.startswith("c2sp.org/tlog-proof@v1\nindex 2\n")
    assert Proof.parse(text) == PROOF
    assert Proof.parse(text).verify(b"c", [KEY.public], ORIGIN) == TREE
    with_extra = text.replace("\nindex", "\nextra YWJj\nindex")
    assert Proof.parse(with_extra) == PROOF


@pytest.mark.parametrize(
    ("text", "leaf", "origin", "reason"),
    [
        (PROOF.text(), b"b", ORIGIN, "another root"),
        (PROOF.text(), b"c", "other.example/decisions", "is of the log"),
        (PROOF.text().replace("index 2", "index 3"), b"c", ORIGIN, "another root"),
        (PROOF.text().replace("index 2", "index 5"), b"c", ORIGIN, "no entry 5"),
        (PROOF.text().replace("index 2", "index 02"), b"c", ORIGIN, "no index"),
        (PROOF.text().replace("index 2", "index -1"), b"c", ORIGIN, "no index"),
        (PROOF.text().replace("@v1", "@v2"), b"c", ORIGIN, "not a proof file"),
        (Proof(2, PROOF.hashes[:-1], PROOF.note).text(), b"c", ORIGIN, "too short"),
        (Proof(2, (*PROOF.hashes, HASHES[0]), PROOF.note).text(), b"c", ORIGIN, "too long"),
        (Proof(2, PROOF.hashes[::-1], PROOF.note).text(), b"c", ORIGIN, "another root"),
        (Proof(2, (), PROOF.note).text(), b"c", ORIGIN, "too short"),
        (Proof(2, PROOF.hashes, sign(TREE, [OTHER])).text(), b"c", ORIGIN, "known key"),
        (Proof(2, PROOF.hashes, sign(TreeHead(ORIGIN, 0, merkle.EMPTY_ROOT), [KEY])).text(), b"c", ORIGIN, "no entry"),
    ],
)
def test_forged_proof_files_are_refused(text, leaf, origin, reason):
    with pytest.raises(NoteError, match=reason):
        Proof.parse(text).verify(leaf, [KEY.public], origin)
