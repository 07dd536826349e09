"""From uploaded bytes to a version: what is hashed, what is read out of it, and why it may be refused. Pure.

The bytes are kept exactly as they came. What is hashed depends on the kind: of prompts and datasets the bytes
themselves (an application hashes the text that it sends, a tool the file that it read); of all JSON kinds the RFC 8785
form, so that spacing and key order make no other version, by whatever route a file came.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft202012Validator

from audit.canonical import CanonicalError, digest, digest_bytes, loads
from systems import json_schema
from systems.json_text import ContentError, Document, Flaw, read_json
from systems.kinds import Kind
from systems.shapes import SHAPES

MAX_TEXT_BYTES = 1024 * 1024
SCHEMAS = (Kind.INPUT_SCHEMA, Kind.OUTPUT_SCHEMA)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_FLOATING = re.compile(r"(^|[-_:/@.])latest$", re.IGNORECASE)


@dataclass(frozen=True)
class Content:
    sha256: str
    media_type: str
    meta: dict[str, Any] = field(default_factory=dict)


QUESTION_KEYS = ("input", "question", "prompt", "query", "message", "messages")


def read_content(kind: str, data: bytes, declared: Mapping[str, Any] | None = None) -> Content:
    """What a version of this kind with these bytes is. `declared`: what the bytes do not say (`origin`; of a dataset
    also `tags`, `external_hashes` and, where they cannot be counted, `cases`)."""
    if not data:
        raise ContentError([Flaw("The file is empty.")])
    said = _declared(kind, declared or {})
    if kind == Kind.DATASET:
        return _dataset(data, said)
    if len(data) > MAX_TEXT_BYTES:
        raise ContentError([Flaw(f"This has {len(data):,} bytes; the limit is {MAX_TEXT_BYTES:,}.")])
    if kind == Kind.PROMPT:
        return _prompt(data, said)
    document = read_json(data)
    if kind in SCHEMAS:
        found = json_schema.flaws(document.value)
        _refuse(document, found)
        return Content(digest(document.value), "application/schema+json", said)
    return _shaped(kind, document, said)


def _prompt(data: bytes, said: dict[str, Any]) -> Content:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ContentError([Flaw("this is not UTF-8 text.", line)]) from None
    if "\x00" in text:
        raise ContentError(
            [Flaw("this holds a NUL byte, which no prompt does.", text.count("\n", 0, text.index("\x00")) + 1)]
        )
    if not text.strip():
        raise ContentError([Flaw("The prompt is empty.")])
    return Content(digest_bytes(data), "text/plain; charset=utf-8", said)


def _shaped(kind: str, document: Document, said: dict[str, Any]) -> Content:
    errors = Draft202012Validator(SHAPES[kind]).iter_errors(document.value)
    _refuse(document, [(tuple(error.absolute_path), _plainly(error)) for error in errors])
    value: Any = document.value
    if kind == Kind.MODEL:
        for name in ("deployment", "model"):
            if _FLOATING.search(value.get(name, "")):
                reason = f"{value[name]} is whatever the provider says today. Name a fixed version."
                _refuse(document, [((name,), reason)])
        said = {**value, **said}
    elif kind == Kind.SOURCES:
        ids = [source["id"] for source in value["sources"]]
        if len(set(ids)) != len(ids):
            _refuse(document, [(("sources",), "two sources have the same id.")])
        said["source_ids"] = ids
    elif kind == Kind.ARTIFACT:
        said = {**value, **said}
    return Content(digest(value), "application/json", said)


def _plainly(error: Any) -> str:
    message = "one of commit and image_digest is required" if error.validator == "anyOf" else error.message
    return f"{message[:300].rstrip('.')}."


def _refuse(document: Document, found: list[tuple[tuple[str | int, ...], str]]) -> None:
    if found:
        raise ContentError([Flaw(reason, document.line(path)) for path, reason in found])


def _declared(kind: str, declared: Mapping[str, Any]) -> dict[str, Any]:
    allowed = {"origin"} | ({"tags", "external_hashes", "cases"} if kind == Kind.DATASET else set())
    flaws = [Flaw(f"{name} cannot be declared for this kind.") for name in sorted(set(declared) - allowed)]
    if not isinstance(declared.get("origin", ""), str) or len(declared.get("origin", "")) > 500:
        flaws.append(Flaw("origin is text, such as a repository, path and commit."))
    for name in ("tags", "external_hashes"):
        values = declared.get(name, [])
        if not isinstance(values, list | tuple) or not all(isinstance(v, str) and 0 < len(v) <= 200 for v in values):
            flaws.append(Flaw(f"{name} is a list of words."))
        elif name == "external_hashes" and not all(_DIGEST.fullmatch(value) for value in values):
            flaws.append(Flaw("an external hash is written sha256:<64 hex digits>."))
    cases = declared.get("cases", 1)
    if not isinstance(cases, int) or isinstance(cases, bool) or cases < 1:
        flaws.append(Flaw("cases is a number from 1 up."))
    if flaws:
        raise ContentError(flaws)
    return {name: list(value) if isinstance(value, tuple) else value for name, value in declared.items() if value}


def _dataset(data: bytes, said: dict[str, Any]) -> Content:
    """JSON Lines, a JSON list or CSV is counted; of anything else the number of cases has to be declared."""
    media_type, cases = _cases(data)
    if cases is None and "cases" not in said:
        raise ContentError(
            [Flaw("This is neither JSON Lines, nor a JSON list, nor CSV. Declare how many cases it has.")]
        )
    if cases is not None:
        if not cases:
            raise ContentError([Flaw("There is no case in it.")])
        said["cases"] = len(cases)
        tags = Counter(tag for case in cases for tag in _tags(case))
        if tags:
            said["tag_counts"] = dict(sorted(tags.items()))
            said["tags"] = sorted(set(said.get("tags", [])) | set(tags))
    return Content(digest_bytes(data), media_type, said)


def questions_in(data: bytes) -> list[str]:
    """What the cases of a dataset ask, under the names that evaluation tools give it."""
    asked = []
    for case in _cases(data)[1] or []:
        named = case if isinstance(case, dict) else {}
        inner = named.get("vars")
        places = (named, inner if isinstance(inner, dict) else {})
        found = next((one[key] for one in places for key in QUESTION_KEYS if one.get(key)), None)
        if isinstance(found, list) and found and isinstance(found[-1], dict):  # a chat: its last message asks
            found = found[-1].get("content")
        if isinstance(found, str):
            asked.append(found)
    return asked


def _cases(data: bytes) -> tuple[str, list[Any] | None]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "application/octet-stream", None
    start = text.lstrip()[:1]
    if start == "[":
        value = read_json(data).value
        return "application/json", value if isinstance(value, list) else None
    if start == "{":
        return "application/jsonl", _json_lines(text)
    rows = _csv_rows(text)
    return ("text/csv", rows) if rows is not None else ("application/octet-stream", None)


def _json_lines(text: str) -> list[Any]:
    cases: list[Any] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            case = loads(line)
        except CanonicalError as error:
            raise ContentError([Flaw(f"this line is not one JSON object: {error}.", number)]) from None
        if not isinstance(case, dict):
            raise ContentError([Flaw("each line holds one JSON object.", number)])
        cases.append(case)
    return cases


def _csv_rows(text: str) -> list[dict[str, str]] | None:
    """Rows below a header with at least two columns; None where it is not CSV."""
    try:
        reader = csv.reader(io.StringIO(text), strict=True)
        header = next(reader)
        if len(header) < 2 or "\x00" in text:
            return None
        rows = []
        for row in reader:
            if row and len(row) != len(header):
                raise ContentError(
                    [Flaw(f"this row has {len(row)} columns, the header {len(header)}.", reader.line_num)]
                )
            if row:
                rows.append(dict(zip(header, row, strict=True)))
        return rows
    except (csv.Error, StopIteration):
        return None


def _tags(case: Any) -> set[str]:
    """What a case says it is: `tags`, `tag`, `kind`, or the same below `metadata`."""
    if not isinstance(case, dict):
        return set()
    nested = case.get("metadata")
    places = [case, nested] if isinstance(nested, dict) else [case]
    found: set[str] = set()
    for place in places:
        for name in ("tags", "tag", "kind"):
            value = place.get(name)
            if isinstance(value, str):
                found |= {part.strip() for part in value.split(",")}
            elif isinstance(value, list):
                found |= {part for part in value if isinstance(part, str)}
    return {tag for tag in found if 0 < len(tag) <= 60}


def shown(kind: str, data: bytes) -> str:
    """The content as text for people: JSON laid out alike, so that a difference is one of meaning."""
    if kind in (Kind.PROMPT, Kind.DATASET):
        return data.decode("utf-8", errors="replace")
    try:
        return json.dumps(json.loads(data), indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    except ValueError:
        return data.decode("utf-8", errors="replace")
