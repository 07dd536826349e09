"""Is this a JSON Schema (2020-12) that a contract can rest on? Pure.

Beyond the meta-schema: every `$ref` leads somewhere inside the schema itself (nothing is ever fetched), no chain of
references leads back to where it began without looking at the value (a validator would never end), patterns compile,
and the schema asks for something: one that allows everything is not a contract.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator
from jsonschema.exceptions import relevance

from systems.json_text import Path

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# Keywords whose value is data, not schema: a "$ref" in there is somebody's example.
_DATA = frozenset({"const", "enum", "default", "examples"})
# Keywords that apply a schema to the very same value.
_IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf")
_IN_PLACE = ("not", "if", "then", "else")
_ANNOTATIONS = frozenset(
    {"$schema", "$id", "$anchor", "$comment", "$defs", "title", "description", "default", "examples", "deprecated",
     "readOnly", "writeOnly"}
)  # fmt: skip


@cache
def _meta() -> Draft202012Validator:
    return Draft202012Validator(Draft202012Validator.META_SCHEMA)


def flaws(schema: Any) -> list[tuple[Path, str]]:
    """Everything that is wrong, each with its place in the schema."""
    if not isinstance(schema, Mapping):
        return [((), "a schema is an object; true and false are too little to be a contract.")]
    found: list[tuple[Path, str]] = []
    dialect = schema.get("$schema", DIALECT)
    if dialect.rstrip("#") != DIALECT if isinstance(dialect, str) else True:
        found.append((("$schema",), f"the dialect must be {DIALECT}, not {dialect!r}."))
        return found
    errors = sorted(_meta().iter_errors(schema), key=relevance, reverse=True)
    found += [(tuple(error.absolute_path), _sentence(error.message)) for error in errors[:20]]
    if found:
        return found
    if not set(schema) - _ANNOTATIONS:
        found.append(((), "this schema allows everything. Say at least what type the value has."))
    found += list(_references(schema))
    found += list(_patterns(schema))
    if not found:
        found += list(_endless(schema))
    return found


def _sentence(message: str) -> str:
    return f"{message[:300].rstrip('.')}."


def _walk(schema: Any, path: Path = ()) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Every object in the schema that is not data."""
    if isinstance(schema, Mapping):
        yield path, schema
        for key, value in schema.items():
            if key not in _DATA:
                yield from _walk(value, (*path, key))
    elif isinstance(schema, list):
        for index, value in enumerate(schema):
            yield from _walk(value, (*path, index))


def _references(root: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for path, schema in _walk(root):
        for keyword in ("$ref", "$dynamicRef"):
            target = schema.get(keyword)
            if not isinstance(target, str):
                continue
            if not target.startswith("#"):
                yield (*path, keyword), f"{target} lies outside of this schema, and nothing is fetched. Copy it in."
            elif _resolve(root, target) is None:
                yield (*path, keyword), f"{target} leads nowhere."


def _resolve(root: Mapping[str, Any], target: str) -> Any:
    """What a reference inside the schema leads to: a JSON pointer (RFC 6901) or an anchor."""
    fragment = unquote(target[1:])
    if fragment and not fragment.startswith("/"):
        anchored = (s for _, s in _walk(root) if fragment in (s.get("$anchor"), s.get("$dynamicAnchor")))
        return next(anchored, None)
    value: Any = root
    for part in fragment.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        try:
            value = value[int(key)] if isinstance(value, list) else value[key]
        except (KeyError, IndexError, ValueError, TypeError):
            return None
    return value


def _patterns(root: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for path, schema in _walk(root):
        written = [("pattern", schema.get("pattern"))]
        by_name = schema.get("patternProperties")
        if isinstance(by_name, Mapping):
            written += [("patternProperties", name) for name in by_name]
        for keyword, pattern in written:
            if isinstance(pattern, str):
                try:
                    re.compile(pattern)
                except re.error as error:
                    yield (*path, keyword), f"the pattern {pattern!r} cannot be read: {error.msg}."


def _endless(root: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """References that come back to themselves while still at the same value. (A tree that refers to itself through
    its properties is fine: each step looks at a smaller value.)"""
    done: set[int] = set()
    for path, schema in _walk(root):
        if _comes_back(root, schema, [], done):
            yield path, "this refers to itself without end."
            return


def _comes_back(root: Mapping[str, Any], schema: Any, open_: list[int], done: set[int]) -> bool:
    if not isinstance(schema, Mapping) or id(schema) in done:
        return False
    if id(schema) in open_:
        return True
    open_.append(id(schema))
    endless = any(_comes_back(root, after, open_, done) for after in _same_value(root, schema))
    open_.pop()
    done.add(id(schema))
    return endless


def _same_value(root: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[Any]:
    for keyword in ("$ref", "$dynamicRef"):
        if isinstance(schema.get(keyword), str):
            yield _resolve(root, schema[keyword])
    for keyword in _IN_PLACE_LISTS:
        if isinstance(schema.get(keyword), list):
            yield from schema[keyword]
    for keyword in _IN_PLACE:
        if keyword in schema:
            yield schema[keyword]
    if isinstance(schema.get("dependentSchemas"), Mapping):
        yield from schema["dependentSchemas"].values()
