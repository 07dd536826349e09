"""Files in a zip archive from elsewhere: read up to a bound, and whatever hinders reading is one error. Pure."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

MOST_BYTES = 256 * 1024 * 1024


class ArchiveError(ValueError):
    """The file is not in the archive, too large, or cannot be unpacked: locked, cut off, or packed in another way."""


@contextmanager
def opened(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    """The file, to be read bit by bit."""
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ArchiveError(f"{name} is missing") from None
    try:
        with archive.open(info) as file:
            yield file
    except (RuntimeError, zlib.error, zipfile.BadZipFile, EOFError) as error:
        raise ArchiveError(f"{name} cannot be unpacked: {error}") from None


def member(archive: zipfile.ZipFile, name: str, *, most: int = MOST_BYTES) -> bytes:
    """All of the file. What it says about its own size is not believed."""
    with opened(archive, name) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ArchiveError(f"{name} is too large")
    return data
