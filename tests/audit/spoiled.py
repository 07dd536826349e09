"""A zip archive with one file in it that cannot be read, for each way in which that happens."""

import io
import zipfile
import zlib
from collections.abc import Callable

WORDS = b"nothing to see here, " * 20
_PACKED = zlib.compress(WORDS)[2:-4]


def made(name: str, content: bytes = WORDS) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def _headers(data: bytes, *, flags: int = 0, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Both headers of the one file say that it is locked, or packed in another way."""
    changed = bytearray(data)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.index(signature) + offset
        changed[start : start + 4] = flags.to_bytes(2, "little") + method.to_bytes(2, "little")
    return bytes(changed)


SPOILED: dict[str, Callable[[bytes], bytes]] = {
    "locked": lambda data: _headers(data, flags=1),
    "packed by a method that nobody knows": lambda data: _headers(data, method=99),
    "not what packing makes": lambda data: data.replace(_PACKED, b"\xff" * len(_PACKED)),
    "another sum": lambda data: data.replace(zlib.crc32(WORDS).to_bytes(4, "little"), b"\0\0\0\0"),
}
