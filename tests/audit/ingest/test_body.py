import contextlib
import gzip
import io
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.ingest.body import MAX_BODY, MAX_WIRE, read
from audit.ingest.wire import TooMuch, Unreadable


def raw_deflate(data):
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS = {"": bytes, "identity": bytes, "gzip": gzip.compress, "deflate": zlib.compress, "raw": raw_deflate}


@pytest.mark.parametrize("name", PACKERS)
@given(data=st.binary(max_size=200_000))
def test_comes_back_as_it_was(name, data):
    encoding = "deflate" if name == "raw" else name
    assert read(io.BytesIO(PACKERS[name](data)), encoding=encoding) == data


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@given(data=st.binary(max_size=300))
def test_garbage_is_unreadable_and_nothing_worse(encoding, data):
    with contextlib.suppress(Unreadable):
        read(io.BytesIO(data), encoding=encoding)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_refused_early_and_in_bounded_memory(encoding):
    packer = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    bomb = b"".join(packer.compress(bytes(1024 * 1024)) for _ in range(300)) + packer.flush()
    tracemalloc.start()
    with pytest.raises(TooMuch):
        read(io.BytesIO(bomb), encoding=encoding)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * MAX_BODY


class Endless:
    def __init__(self, data):
        self.data, self.given = data, 0

    def read(self, size, /):
        self.given += size
        return self.data[:1] * size


def test_an_endless_body_is_not_read_to_its_end():
    stream = Endless(b"x")
    with pytest.raises(TooMuch):
        read(stream, encoding="")
    assert stream.given < 2 * MAX_BODY


def test_a_packed_body_has_a_limit_on_the_wire():
    incompressible = gzip.compress(
        b"".join(zlib.crc32(bytes([n % 256, n // 256 % 256])).to_bytes(4) for n in range(10))
    )
    with pytest.raises((TooMuch, Unreadable)):
        read(io.BytesIO(incompressible + bytes(MAX_WIRE)), encoding="gzip")


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_cut_body_is_unreadable(cut):
    packed = gzip.compress(b"spans " * 100)
    with pytest.raises(Unreadable):
        read(io.BytesIO(packed[:-cut]), encoding="gzip")


def test_unknown_encodings_are_named():
    with pytest.raises(Unreadable, match="br"):
        read(io.BytesIO(b""), encoding="br")
