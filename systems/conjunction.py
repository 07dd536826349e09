"""Schemas that hold for one value at the same time: opened, counted out, and asked what they guarantee. Pure.

`systems.compatibility` compares with them. Every answer errs towards "wider than it is", so a comparison stays sound.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any
from urllib.parse import unquote

from jsonschema import Draft202012Validator

TYPES = frozenset({"null", "boolean", "object", "array", "string", "number", "integer"})
# Beyond this many alternatives a union is read as "anything", which is wider and so still sound.
MOST_ALTERNATIVES = 32

UPPER = {"maximum": "number", "exclusiveMaximum": "number", "maxLength": "string", "maxItems": "array",
          "maxProperties": "object"}  # fmt: skip
LOWER = {"minimum": "number", "exclusiveMinimum": "number", "minLength": "string", "minItems": "array",
          "minProperties": "object"}  # fmt: skip


@dataclass(frozen=True)
class Node:
    """A schema with the document in which its references resolve."""

    schema: Any
    root: Any

    def at(self, schema: Any) -> "Node":
        return Node(schema, self.root)


# All of these hold for a value at once.
type All = tuple[Node, ...]


ANYTHING = Node(True, True)


def alternatives(sub: All, done: frozenset[int] = frozenset()) -> Iterator[All]:
    """The conjunction with references and allOf opened, and each union as one alternative after another.

    `done` names schemas whose unions are chosen from already. oneOf is read as anyOf, which is wider.
    """
    opened: list[Node] = []
    unions: list[list[Node]] = []
    waiting, seen = list(sub), set[int]()
    while waiting:
        node = waiting.pop()
        if node.schema is True or (id(node.schema) in seen and node.schema is not False):
            continue
        seen.add(id(node.schema))
        opened.append(node)
        if node.schema is False:
            continue
        if "$ref" in node.schema:
            waiting.append(node.at(resolve(node.root, node.schema["$ref"])))
        waiting += [node.at(part) for part in node.schema.get("allOf", ())]
        if id(node.schema) not in done:
            unions += [
                [node.at(branch) for branch in node.schema[key]] for key in ("anyOf", "oneOf") if key in node.schema
            ]
    size = 1
    for union in unions:
        size *= len(union)
    if not unions or size > MOST_ALTERNATIVES:
        yield tuple(opened)
        return
    for chosen in product(*unions):
        yield from alternatives((*opened, *chosen), done | seen)


def types_of(schema: Mapping[str, Any]) -> frozenset[str]:
    said = schema.get("type")
    if said is None:
        return TYPES
    types = set([said] if isinstance(said, str) else said)
    return frozenset(types | {"integer"} if "number" in types else types)


def types(sub: All) -> frozenset[str]:
    found = TYPES
    for node in sub:
        found &= types_of(node.schema)
    return found


def fixed_values(sub: All) -> list[Any] | None:
    """The fixed list that the conjunction keeps to, if it has one."""
    for node in sub:
        if "const" in node.schema:
            return [node.schema["const"]]
        if "enum" in node.schema:
            return list(node.schema["enum"])
    return None


def is_valid(node: Node, value: Any) -> bool:
    """Tried for real; references resolve in the document that the schema is part of."""
    if isinstance(node.schema, bool):
        return node.schema
    return bool(Draft202012Validator(node.root).evolve(schema=node.schema).is_valid(value))


def is_same(sub: All, sup: Node) -> bool:
    """Whether the conjunction contains this very schema, with references into the very same document."""
    wanted = _text(sup.schema)
    alike = [node for node in sub if node.schema is sup.schema or _text(node.schema) == wanted]
    return any("$ref" not in wanted or node.root is sup.root or _text(node.root) == _text(sup.root) for node in alike)


def keeps_within(sub: All, keyword: str, limit: Any) -> bool:
    """Whether some part of the conjunction keeps to the limit; `exclusive...` of a number counts for the plain one."""
    upper = keyword in UPPER
    if keyword in ("minLength", "minItems", "minProperties") and limit <= 0:
        return True
    plain = keyword.replace("exclusiveM", "m")
    exclusive = {"maximum": "exclusiveMaximum", "minimum": "exclusiveMinimum"}.get(plain, "")
    for node in sub:
        for mine, own in ((node.schema.get(plain), False), (node.schema.get(exclusive), True)):
            if mine is None:
                continue
            if (mine < limit if upper else mine > limit) or (mine == limit and (own or keyword == plain)):
                return True
    return False


def carries(sub: All, schema: Mapping[str, Any], keyword: str) -> bool:
    keywords = ("if", "then", "else") if keyword == "if" else (
        ("contains", "minContains", "maxContains") if "ontains" in keyword else (keyword,))  # fmt: skip
    wanted = _text({key: schema.get(key) for key in keywords})
    return "$ref" not in wanted and any(
        _text({key: node.schema.get(key) for key in keywords}) == wanted for node in sub
    )


def carries_union(sub: All, sup: Node, keyword: str) -> bool:
    """The very same union, with references into the very same definitions."""
    wanted = _text(sup.schema[keyword])
    return any(
        keyword in node.schema
        and _text(node.schema[keyword]) == wanted
        and ("$ref" not in wanted or _text(node.root.get("$defs")) == _text(sup.root.get("$defs")))
        and ("$ref" not in wanted or "#/$defs/" in wanted)
        for node in sub
    )


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def member_of(sub: All, name: str) -> All:
    """What a member of this name must be. Patterns that may match only narrow it, so they may be left out."""
    found = []
    for node in sub:
        if name in node.schema.get("properties", {}):
            found.append(node.at(node.schema["properties"][name]))
        elif "additionalProperties" in node.schema and not node.schema.get("patternProperties"):
            found.append(node.at(node.schema["additionalProperties"]))
    return tuple(found) or (ANYTHING,)


def element_of(sub: All, index: int) -> All:
    found = []
    for node in sub:
        first = node.schema.get("prefixItems", [])
        if index < len(first):
            found.append(node.at(first[index]))
        elif "items" in node.schema:
            found.append(node.at(node.schema["items"]))
    return tuple(found) or (ANYTHING,)


def resolve(root: Any, target: str) -> Any:
    """Inside the schema only: others were refused when the version was made (`systems.json_schema`)."""
    value = root
    fragment = unquote(target[1:])
    if fragment and not fragment.startswith("/"):
        return next((s for s in _walk(root) if fragment in (s.get("$anchor"), s.get("$dynamicAnchor"))), True)
    for part in fragment.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def _walk(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        inner: Iterable[Any] = value.values()
    else:
        inner = value if isinstance(value, list) else ()
    for part in inner:
        yield from _walk(part)
