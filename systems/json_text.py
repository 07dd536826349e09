"""Strict JSON that knows its lines, so that a refusal can point at the place. Pure."""

import json
import re
from dataclasses import dataclass
from functools import cached_property

from audit.canonical import JSON, MAX_DEPTH, CanonicalError, loads

type Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True)
class Flaw:
    """What is wrong, and in which line (None: in no particular one)."""

    reason: str
    line: int | None = None

    def __str__(self) -> str:
        return f"Line {self.line}: {self.reason}" if self.line else self.reason


class ContentError(ValueError):
    """The content is not what its kind asks for."""

    def __init__(self, flaws: list[Flaw]) -> None:
        super().__init__(str(flaws[0]))
        self.flaws = tuple(flaws)


@dataclass(frozen=True)
class Document:
    """A JSON text with its value."""

    text: str
    value: JSON

    @cached_property
    def _places(self) -> dict[Path, int]:
        found: dict[Path, int] = {}
        _visit(self.text, 0, (), found)
        return found

    def line(self, path: Path) -> int:
        """The line of a value, or of the nearest one around it."""
        while path and path not in self._places:
            path = path[:-1]
        return _line(self.text, self._places.get(path, 0))


def read_json(data: bytes) -> Document:
    """Reads one JSON value. Refuses what has no canonical form: a key given twice, NaN, integers beyond 2^53."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        raise ContentError([Flaw("this is not UTF-8 text.", before.count(b"\n") + 1)]) from None
    try:
        return Document(text, loads(text))
    except CanonicalError as error:
        raise ContentError([_flaw(text, error)]) from None


def _flaw(text: str, error: CanonicalError) -> Flaw:
    """The same refusal with its line: of the syntax error, or of the first key or value that is refused."""
    try:
        json.loads(text)
    except json.JSONDecodeError as syntax:
        return Flaw(f"this is not JSON: {syntax.msg}.", syntax.lineno)
    except RecursionError:
        return Flaw(f"nested deeper than {MAX_DEPTH} levels.")
    except ValueError:  # a number with thousands of digits
        return Flaw(f"{error}.")
    try:
        _visit(text, 0, (), {})
    except _Refused as refused:
        return Flaw(f"{refused}.", _line(text, refused.at))
    except RecursionError:
        pass
    return Flaw(f"{error}.")


class _Refused(Exception):
    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.at = at


def _visit(text: str, at: int, path: Path, found: dict[Path, int]) -> int:
    """Notes where each value of a valid JSON text begins (of a member: its key). Returns where this one ends."""
    at = _skip(text, at)
    found.setdefault(path, at)
    if text[at] == "{":
        return _visit_object(text, at, path, found)
    if text[at] == "[":
        end = _skip(text, at + 1)
        index = 0
        while text[end] != "]":
            end = _skip(text, _visit(text, end, (*path, index), found))
            end = _skip(text, end + 1) if text[end] == "," else end
            index += 1
        return end + 1
    _, end = _DECODER.raw_decode(text, at)
    try:
        loads(text[at:end])
    except CanonicalError as error:
        raise _Refused(str(error), at) from None
    return end


def _visit_object(text: str, at: int, path: Path, found: dict[Path, int]) -> int:
    end = _skip(text, at + 1)
    while text[end] != "}":
        key_at = end
        key, end = _DECODER.raw_decode(text, end)
        member = (*path, key)
        if member in found:
            raise _Refused(f"the key {key!r} occurs twice", key_at)
        found[member] = key_at
        end = _skip(text, _visit(text, text.index(":", end) + 1, member, found))
        end = _skip(text, end + 1) if text[end] == "," else end
    return end + 1


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
