import hashlib
import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit import leaf
from audit.leaf import Leaf, LeafError

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
leaves = st.builds(
    Leaf,
    index=st.integers(0, 2**53 - 1),
    kind=text,
    actor=text,
    via=text,
    subject=text,
    system=text,
    at=text,
    recorded_at=text,
    commitment=st.binary(min_size=32, max_size=32),
)
ONE = Leaf(
    index=7,
    kind="release.opened",
    actor="user:1",
    via="",
    subject="release:1",
    system="bot",
    at="2026-01-01T00:00:00.000000Z",
    recorded_at="2026-01-01T00:00:00.000001Z",
    commitment=bytes(32),
)


@given(leaves)
def test_a_leaf_is_canonical_json_and_reads_back(item):
    data = item.encode()
    assert data == rfc8785.dumps(json.loads(data))
    assert leaf.parse(data) == item


def test_what_a_leaf_looks_like():
    assert ONE.encode().decode() == (
        '{"actor":"user:1","at":"2026-01-01T00:00:00.000000Z","commitment":"sha256:' + "00" * 32 + '","index":7,'
        '"kind":"release.opened","recorded_at":"2026-01-01T00:00:00.000001Z","subject":"release:1","system":"bot",'
        '"type":"decision","v":1,"via":""}'
    )


def spelled(change) -> bytes:
    fields = json.loads(ONE.encode())
    change(fields)
    return rfc8785.dumps(fields)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 100_000,
        ONE.encode() + b" ",
        ONE.encode().replace(b'":', b'": ', 1),
        ONE.encode().replace(b'{"actor"', b'{"actor":"user:2","actor"'),
        ONE.encode().replace(b"release", b"\\u0072elease"),
        spelled(lambda fields: fields.pop("via")),
        spelled(lambda fields: fields.update(extra=1)),
        spelled(lambda fields: fields.update(type="request")),
        spelled(lambda fields: fields.update(v=2)),
        spelled(lambda fields: fields.update(index="7")),
        spelled(lambda fields: fields.update(index=True)),
        spelled(lambda fields: fields.update(index=7.5)),
        spelled(lambda fields: fields.update(actor=None)),
        spelled(lambda fields: fields.update(subject=["release:1"])),
        spelled(lambda fields: fields.update(commitment="sha256:00")),
        spelled(lambda fields: fields.update(commitment="md5:" + "00" * 32)),
        spelled(lambda fields: fields.update(commitment="sha256:" + "0A" * 32)),
        ONE._replace(subject="x" * 70_000).encode(),
    ],
)
def test_anything_else_is_no_leaf(data):
    with pytest.raises(LeafError):
        leaf.parse(data)


def test_the_commitment_is_the_one_described():
    assert leaf.commitment(bytes(32), b"{}") == hashlib.sha256(b"readiness/payload/v1\n" + bytes(32) + b"{}").digest()
