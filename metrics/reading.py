"""Opening what other programs wrote, without trusting it: sizes, depth and numbers are bounded."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import zstandard

from metrics.problems import Unreadable

MAX_UNPACKED = 1024 * 1024 * 1024
MAX_MEMBER = 128 * 1024 * 1024
MAX_MEMBERS = 200_000
_LOCAL_HEADER = 30


def read_json(data: bytes, what: str = "The file") -> Any:
    """JSON with exact decimals. `NaN` and `Infinity`, which several tools write, are read as None: no number."""
    try:
        return json.loads(
            data, parse_float=Decimal, parse_constant=lambda _: None, object_pairs_hook=_without_duplicates
        )
    except RecursionError:
        raise Unreadable(f"{what} is nested too deeply.") from None
    except UnicodeDecodeError:
        raise Unreadable(f"{what} is not text in UTF-8.") from None
    except ValueError as error:
        if data.strip():
            raise Unreadable(f"{what} is not whole JSON: {error}.") from None
        raise Unreadable(f"{what} is empty.") from None


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


class Archive:
    """A zip whose members may be Zstandard (method 93), which Python's zipfile reads from 3.14 on only."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        try:
            members = zipfile.ZipFile(io.BytesIO(data)).infolist()
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
            raise Unreadable("The archive is damaged or cut off.") from None
        self._members = {member.filename: member for member in members}
        if len(members) > MAX_MEMBERS or len(self._members) != len(members):
            raise Unreadable("The archive has too many members, or one of them twice.")
        if sum(member.file_size for member in members) > MAX_UNPACKED:
            raise Unreadable(f"The archive unpacks to more than {MAX_UNPACKED:,} bytes.")

    def names(self, folder: str = "") -> list[str]:
        return [name for name in self._members if name.startswith(folder) and not name.endswith("/")]

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def read(self, name: str) -> bytes:
        member = self._members[name]
        if member.file_size > MAX_MEMBER:
            raise Unreadable(f"{name} in the archive is larger than {MAX_MEMBER:,} bytes.")
        start = member.header_offset
        header = self._data[start : start + _LOCAL_HEADER]
        lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        packed = self._data[start + _LOCAL_HEADER + lengths :][: member.compress_size]
        try:
            unpacked = _unpack(packed, member.compress_type, member.file_size)
        except (zstandard.ZstdError, zlib.error, MemoryError):
            raise Unreadable(f"{name} in the archive is damaged.") from None
        if len(unpacked) != member.file_size or zlib.crc32(unpacked) != member.CRC:
            raise Unreadable(f"{name} in the archive is damaged or cut off.")
        return unpacked


def _unpack(packed: bytes, method: int, size: int) -> bytes:
    """At most one byte more than promised: a bomb is noticed, not unpacked."""
    match method:
        case zipfile.ZIP_STORED:
            return packed
        case zipfile.ZIP_DEFLATED:
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, size + 1)
        case 93:
            with zstandard.ZstdDecompressor(max_window_size=2**27).stream_reader(packed) as stream:
                return stream.read(size + 1)
    raise Unreadable(f"The archive uses the compression method {method}, which is not known.")


def member(value: Any, *path: str, kind: type, what: str) -> Any:
    """The part of a parsed document at `path`, if it is of the kind that the format has there."""
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise Unreadable(f"{what} lacks {'.'.join(path)}; it may be of another format or version.")
    return value


def optional(value: Any, *path: str) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def time(value: Any) -> datetime | None:
    """An ISO time with its zone, in UTC; None for anything else."""
    try:
        read = datetime.fromisoformat(value)
        return read.astimezone(UTC) if read.tzinfo else None
    except (TypeError, ValueError, OverflowError):
        return None
