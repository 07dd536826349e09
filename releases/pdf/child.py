"""What the child process of releases.pdf does. It is run as a file, imports nothing of ours, and is bounded first."""

import json
import resource
import struct
import sys
import zlib

import pypdfium2

MOST_PAGES = 20
MOST_WORDS = 5_000  # characters of one page
WIDTH = 1200  # pixels
SECONDS = 15
MEMORY = 1024 * 2**20


def bound() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # it writes no file
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def look(document: pypdfium2.PdfDocument) -> str:
    first = range(min(len(document), MOST_PAGES))
    texts = [document[index].get_textpage().get_text_bounded()[:MOST_WORDS] for index in first]
    return json.dumps({"pages": len(document), "texts": texts})


def draw(document: pypdfium2.PdfDocument, number: int) -> bytes:
    page = document[number - 1]
    scale = min(WIDTH / max(page.get_width(), 1), 3 * WIDTH / max(page.get_height(), 1))
    drawn = page.render(scale=scale, rev_byteorder=True, may_draw_forms=False)
    return png(bytes(drawn.buffer), drawn.width, drawn.height, drawn.stride, drawn.n_channels)


def png(pixels: bytes, width: int, height: int, stride: int, channels: int) -> bytes:
    """A PNG (ISO/IEC 15948) of rows of red, green, blue; a fourth channel is left out."""
    rows = bytearray()
    for y in range(height):
        row = pixels[y * stride : y * stride + width * channels]
        if channels == 4:
            kept = bytearray(width * 3)
            kept[0::3], kept[1::3], kept[2::3] = row[0::4], row[1::4], row[2::4]
            row = bytes(kept)
        rows += b"\x00" + row
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, body) for name, body in parts)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


if __name__ == "__main__":
    bound()
    opened = pypdfium2.PdfDocument(sys.stdin.buffer.read())
    if sys.argv[1] == "look":
        sys.stdout.write(look(opened))
    else:
        sys.stdout.buffer.write(draw(opened, int(sys.argv[2])))
