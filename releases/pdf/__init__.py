"""Pages of a PDF as pictures, drawn where a hostile file can do no harm.

A PDF can hold scripts, and the program that draws it is large. So it never reaches the browser as a PDF, and is never
opened in this process: a child process with no environment, little memory and little time reads it on its standard
input and answers with text or one PNG. If it dies, the page says that the file cannot be shown.

`child.py look` answers with JSON: how many pages, and the words of the first ones. `child.py draw 3` answers with the
PNG of page 3.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CHILD = Path(__file__).with_name("child.py")
MOST_PAGES = 20  # as child.py bounds them
SECONDS = 20


class UnreadablePdf(Exception):
    """It is broken, locked by a password, or too much for the bounds."""


@dataclass(frozen=True)
class Outline:
    pages: int
    texts: tuple[str, ...]  # of the first pages; a page without words has an empty one


def look(content: bytes) -> Outline:
    try:
        seen = json.loads(_run("look", content=content))
        return Outline(int(seen["pages"]), tuple(str(text) for text in seen["texts"]))
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadablePdf from error


def draw(content: bytes, page: int) -> bytes:
    picture = _run("draw", str(page), content=content)
    if not picture.startswith(b"\x89PNG\r\n\x1a\n"):
        raise UnreadablePdf
    return picture


def _run(*arguments: str, content: bytes) -> bytes:
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(CHILD), *arguments],
            input=content,
            capture_output=True,
            timeout=SECONDS,
            env={},
            cwd="/",
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnreadablePdf from error
    if done.returncode != 0:
        raise UnreadablePdf
    return done.stdout
