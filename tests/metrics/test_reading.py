import io
import struct
import zipfile
import zlib
from decimal import Decimal

import pytest
import zstandard

from metrics import reading
from metrics.problems import Unreadable
from metrics.reading import Archive, read_json


def test_numbers_stay_exact_and_nan_is_no_number() -> None:
    assert read_json(b'{"a": 0.1, "b": NaN, "c": [Infinity, -Infinity, 3]}') == {
        "a": Decimal("0.1"),
        "b": None,
        "c": [None, None, 3],
    }


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"   ", "is empty"),
        (b'{"a": 1', "is not whole JSON"),
        (b"<html>", "is not whole JSON"),
        (b'{"a": 1, "a": 2}', "a key stands twice"),
        (b'{"a": "\xff"}', "not text in UTF-8"),
        (b"[" * 200_000, "is not whole JSON|nested too deeply"),
        (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not whole JSON"),
        (b'{"a": 1} trailing', "is not whole JSON"),
    ],
)
def test_hostile_json_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read_json(data)


def zipped(members: dict[str, bytes], *, promise: dict[str, int] | None = None) -> bytes:
    """A zip with Zstandard members, written by hand, as Inspect writes it; `promise` lies about a size."""
    body, directory = b"", b""
    for name, content in members.items():
        packed = zstandard.ZstdCompressor().compress(content)
        size = (promise or {}).get(name, len(content))
        fields = struct.pack("<HHHHHIIIHH", 63, 0, 93, 0, 33, zlib.crc32(content), len(packed), size, len(name), 0)
        directory += b"PK\x01\x02" + struct.pack("<H", 63) + fields
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\x03\x04" + fields + name.encode() + packed
    count = len(members)
    return body + directory + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)


def test_zstandard_deflated_and_stored_members_are_read() -> None:
    archive = Archive(zipped({"header.json": b"{}", "samples/a.json": b"[1]"}))
    assert archive.names("samples/") == ["samples/a.json"]
    assert "header.json" in archive
    assert archive.read("samples/a.json") == b"[1]"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("a", b"x" * 1000, compress_type=zipfile.ZIP_DEFLATED)
        made.writestr("b", b"y" * 1000, compress_type=zipfile.ZIP_STORED)
    plain = Archive(buffer.getvalue())
    assert (plain.read("a"), plain.read("b")) == (b"x" * 1000, b"y" * 1000)


def test_a_bomb_is_noticed_before_it_unfolds() -> None:
    lying = Archive(zipped({"a": b"\0" * 50_000_000}, promise={"a": 10}))
    with pytest.raises(Unreadable, match="damaged or cut off"):
        lying.read("a")
    honest = zipped({f"m{n}": b"" for n in range(20)}, promise={f"m{n}": reading.MAX_UNPACKED // 10 for n in range(20)})
    with pytest.raises(Unreadable, match="unpacks to more than"):
        Archive(honest)
    large = Archive(zipped({"a": b""}, promise={"a": reading.MAX_MEMBER + 1}))
    with pytest.raises(Unreadable, match="is larger than"):
        large.read("a")


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_a_file_that_is_cut_off_is_damaged(keep: float) -> None:
    whole = zipped({"header.json": b"{}" * 1000, "b": b"x" * 5000})
    with pytest.raises(Unreadable, match="damaged"):
        Archive(whole[: int(len(whole) * keep)])


def test_flipped_bytes_and_unknown_methods_are_told() -> None:
    whole = bytearray(zipped({"header.json": b"some content that matters" * 20}))
    whole[60] ^= 0xFF
    with pytest.raises(Unreadable, match="damaged"):
        Archive(bytes(whole)).read("header.json")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as made:
        made.writestr("a", b"x" * 1000)
    with pytest.raises(Unreadable, match="compression method 14"):
        Archive(buffer.getvalue()).read("a")


def test_times_need_a_zone() -> None:
    assert reading.time("2026-11-24T02:37:06+01:00") is not None
    assert reading.time("2026-11-24T02:37:06") is None
    assert reading.time(17) is None
