"""Reading a request's body within bounds: size on the wire, size unpacked, and the ratio of the two. Pure."""

import zlib
from typing import Protocol

from audit.ingest.wire import TooMuch, Unreadable

MAX_WIRE = 8 * 1024 * 1024
MAX_BODY = 16 * 1024 * 1024
# Spans repeat themselves, so honest batches pack 10 to 50 times; a bomb of zeros packs 1,000 times.
MAX_RATIO = 100
_CHUNK = 64 * 1024


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read(stream: Stream, *, encoding: str) -> bytes:
    """The unpacked body. Never holds more than the limits, however large what is sent."""
    if encoding in ("", "identity"):
        return _read_plain(stream)
    if encoding in ("gzip", "deflate"):
        return _read_packed(stream, gzip=encoding == "gzip")
    raise Unreadable(f"Content-Encoding {encoding[:40]!r} is not known here: use gzip, deflate or none.")


def _read_plain(stream: Stream) -> bytes:
    parts, size = [], 0
    while part := stream.read(_CHUNK):
        size += len(part)
        if size > MAX_BODY:
            raise TooMuch(f"The body is larger than {MAX_BODY} bytes. Send smaller batches.")
        parts.append(part)
    return b"".join(parts)


def _read_packed(stream: Stream, *, gzip: bool) -> bytes:
    parts: list[bytes] = []
    wire = size = 0
    unpack = None
    while part := stream.read(_CHUNK):
        wire += len(part)
        if wire > MAX_WIRE:
            raise TooMuch(f"The body is larger than {MAX_WIRE} bytes. Send smaller batches.")
        if unpack is None:
            unpack = zlib.decompressobj(_window(part, gzip))
        while part:
            try:
                plain = unpack.decompress(part, _CHUNK)
            except zlib.error as error:
                raise Unreadable(f"The body cannot be unpacked: {error}.") from None
            size += len(plain)
            if size > MAX_BODY:
                raise TooMuch(f"The body unpacks to more than {MAX_BODY} bytes. Send smaller batches.")
            if size > wire * MAX_RATIO + _CHUNK:
                raise TooMuch(f"The body unpacks to more than {MAX_RATIO} times its size.")
            parts.append(plain)
            if unpack.eof and unpack.unused_data:
                raise Unreadable("There is more after the end of the packed body.")
            part = unpack.unconsumed_tail
    if unpack is None:
        return b""
    while not unpack.eof:
        # The input is at its end, but output may wait in the unpacker's window.
        plain = unpack.decompress(b"", _CHUNK)
        if not plain:
            raise Unreadable("The packed body is cut off.")
        size += len(plain)
        if size > MAX_BODY or size > wire * MAX_RATIO + _CHUNK:
            raise TooMuch(f"The body unpacks to more than {MAX_RATIO} times its size.")
        parts.append(plain)
    return b"".join(parts)


def _window(start: bytes, gzip: bool) -> int:
    """zlib's `wbits`: gzip, zlib (what HTTP calls deflate), or the raw stream that some clients send by that name."""
    if gzip:
        return 16 + zlib.MAX_WBITS
    zlib_header = len(start) > 1 and start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0
    return zlib.MAX_WBITS if zlib_header else -zlib.MAX_WBITS
