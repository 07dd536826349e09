"""Does a new schema break anybody? Computed from the two schemas, never judged by eye. Pure.

An output schema is read by consumers: whatever the new one lets through, they must have had to expect, so the new one
must be *contained* in the old. An input schema is written to by producers: whatever the old one took, the new one must
still take, so the old must be contained in the new. `breaks` lists every place where that cannot be shown.

What it says is sound, not complete: an empty list means that no value can break anybody; keywords beyond what is
reasoned about here (`not`, `if`, `unevaluated...`, other patterns) count as a break unless both schemas carry them
alike. A false alarm costs a sentence in the compatibility note; a missed break costs an outage.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from systems.conjunction import (
    ANYTHING,
    LOWER,
    UPPER,
    All,
    Node,
    alternatives,
    carries,
    carries_union,
    element_of,
    fixed_values,
    is_same,
    is_valid,
    keeps_within,
    member_of,
    resolve,
    types,
    types_of,
)

# Their meaning hangs on the keywords beside them: only the very same schema is known to keep to it.
_NEVER = {"unevaluatedItems": "array", "unevaluatedProperties": "object"}
# A schema that asks for more comparisons than this counts as breaking: nobody could follow the answer either.
MOST_STEPS = 5000
# Keywords that hold only where the other side carries exactly the same.
_ALIKE = {
    "pattern": "string", "format": "string", "contentEncoding": "string", "contentMediaType": "string",
    "uniqueItems": "array", "contains": "array", "minContains": "array", "maxContains": "array",
    "propertyNames": "object", "dependentRequired": "object", "dependentSchemas": "object",
    "not": "", "if": "", "$dynamicRef": "",
}  # fmt: skip


@dataclass(frozen=True)
class Break:
    """One place, as a path into the value (`answer.sources[]`), and what is no longer kept to there."""

    path: str
    what: str

    def __str__(self) -> str:
        path = f"{self.path[:-1]}any other member" if self.path.endswith("*") else self.path
        return f"{path or 'the value itself'}: {self.what}"


def breaks(old: Any, new: Any, *, output: bool) -> list[Break]:
    """What the other side would break on. `output`: consumers read it; otherwise producers write to it."""
    inner, outer = (new, old) if output else (old, new)
    found = _Gaps(output).between((Node(inner, inner),), Node(outer, outer), "")
    unique = {(gap.path, gap.what): gap for gap in found}
    return list(unique.values())


class _Gaps:
    """Where `sub` lets through what `sup` does not. Pairs being compared count as kept: each step in looks at a smaller
    value, so a schema that refers to itself ends."""

    def __init__(self, output: bool, seen: Iterable[tuple[tuple[int, ...], int]] = ()) -> None:
        self.output = output
        self.seen = set(seen)
        self.steps = 0

    def between(self, sub: All, sup: Node, path: str) -> list[Break]:
        pair = (tuple(sorted(id(node.schema) for node in sub)), id(sup.schema))
        if pair in self.seen and not isinstance(sup.schema, bool):
            return []
        self.seen.add(pair)
        if sup.schema is True or sup.schema == {} or is_same(sub, sup):
            return []
        self.steps += 1
        if self.steps > MOST_STEPS:
            return [Break(path, "too much to compare from here on")]
        found: list[Break] = []
        for number, alternative in enumerate(alternatives(sub)):
            if number == MOST_STEPS:
                return [*found, Break(path, "has too many forms to compare")]
            if any(node.schema is False for node in alternative):
                continue
            if sup.schema is False:
                return [Break(path, self.say("can be there now", "must not be there any more"))]
            found += self.one(alternative, sup, path)
        return found

    def say(self, output: str, other: str) -> str:
        return output if self.output else other

    def one(self, sub: All, sup: Node, path: str) -> list[Break]:
        schema: Mapping[str, Any] = sup.schema
        if is_same(sub, sup):
            return []
        values = fixed_values(sub)
        if values is not None:
            return self.finite(sub, values, sup, path)
        found = self.kinds(sub, schema, path)
        if found:
            return found
        if "$ref" in schema:
            found += self.between(sub, sup.at(resolve(sup.root, schema["$ref"])), path)
        for part in schema.get("allOf", ()):
            found += self.between(sub, sup.at(part), path)
        found += self.unions(sub, sup, path)
        if "enum" in schema or "const" in schema:
            found.append(Break(path, self.say("is no longer one of a fixed list", "takes only certain values now")))
        found += self.bounds(sub, schema, path)
        found += self.alike(sub, schema, path)
        possible = types(sub)
        if "object" in possible:
            found += self.required(sub, schema, path)
            found += self.properties(sub, sup, path)
        if "array" in possible:
            found += self.items(sub, sup, path)
        return found

    def finite(self, sub: All, values: list[Any], sup: Node, path: str) -> list[Break]:
        """A fixed list of values: each is simply tried."""
        kept = [value for value in values if all(is_valid(node, value) for node in sub)]
        lost = [json.dumps(value, ensure_ascii=False) for value in kept if not is_valid(sup, value)]
        if not lost:
            return []
        listed = ", ".join(lost[:5]) + (" and more" if len(lost) > 5 else "")
        return [Break(path, self.say(f"can be {listed} now", f"can no longer be {listed}"))]

    def kinds(self, sub: All, schema: Mapping[str, Any], path: str) -> list[Break]:
        extra = types(sub) - types_of(schema)
        if "number" in extra:
            extra -= {"integer"}
        if not extra:
            return []
        listed = " or ".join(sorted(extra))
        return [Break(path, self.say(f"can be {listed} now", f"can no longer be {listed}"))]

    def unions(self, sub: All, sup: Node, path: str) -> list[Break]:
        found = []
        for keyword in ("anyOf", "oneOf"):
            branches = sup.schema.get(keyword)
            if not branches or carries_union(sub, sup, keyword):
                continue
            # One branch that takes everything is enough for anyOf. For oneOf the others would have to refuse it.
            if keyword == "anyOf" or len(branches) == 1:
                tried = [_Gaps(self.output, self.seen).between(sub, sup.at(branch), path) for branch in branches]
                if not all(tried):
                    continue
            found.append(Break(path, self.say("can take another form now", "has other forms now")))
        return found

    def bounds(self, sub: All, schema: Mapping[str, Any], path: str) -> list[Break]:
        found, possible = [], types(sub)
        for keyword, of in (*UPPER.items(), *LOWER.items()):
            if keyword not in schema or (of not in possible and not (of == "number" and "integer" in possible)):
                continue
            if not keeps_within(sub, keyword, schema[keyword]):
                now = f"{keyword} is not kept to {schema[keyword]} any more"
                found.append(Break(path, self.say(now, f"{keyword} is {schema[keyword]} now")))
        step = schema.get("multipleOf")
        if step is not None and possible & {"number", "integer"}:
            steps = [node.schema["multipleOf"] for node in sub if "multipleOf" in node.schema]
            if not any((Fraction(str(one)) / Fraction(str(step))).denominator == 1 for one in steps):
                found.append(Break(path, self.say("comes in other steps now", f"must be a multiple of {step} now")))
        return found

    def alike(self, sub: All, schema: Mapping[str, Any], path: str) -> list[Break]:
        possible = types(sub)
        found = []
        for keyword, of in (*_ALIKE.items(), *_NEVER.items()):
            if keyword not in schema or (of and of not in possible) or (schema[keyword] is False and of == "array"):
                continue
            if keyword in _NEVER or not carries(sub, schema, keyword):
                found.append(Break(path, self.say(f"{keyword} is not kept to any more", f"{keyword} is asked for now")))
        return found

    def required(self, sub: All, schema: Mapping[str, Any], path: str) -> list[Break]:
        given = {name for node in sub for name in node.schema.get("required", ())}
        return [
            Break(_member(path, name), self.say("may be missing now", "must be given now"))
            for name in schema.get("required", ())
            if name not in given
        ]

    def properties(self, sub: All, sup: Node, path: str) -> list[Break]:
        named = sup.schema.get("properties", {})
        found: list[Break] = []
        for name, schema in named.items():
            found += self.between(member_of(sub, name), sup.at(schema), _member(path, name))
        found += self.patterns(sub, sup, path)
        if sup.schema.get("additionalProperties", True) is True:
            return found
        rest = sup.at(sup.schema["additionalProperties"])
        if "patternProperties" in sup.schema:
            return [*found, Break(path, self.say("may have other members now", "takes no other members now"))]
        for name in sorted({name for node in sub for name in node.schema.get("properties", {})} - set(named)):
            found += self.between(member_of(sub, name), rest, _member(path, name))
        for node in sub:
            for schema in node.schema.get("patternProperties", {}).values():
                found += self.between((node.at(schema),), rest, _member(path, "*"))
        open_ = tuple(
            node.at(node.schema["additionalProperties"]) for node in sub if "additionalProperties" in node.schema
        )
        return found + self.between(open_ or (ANYTHING,), rest, _member(path, "*"))

    def patterns(self, sub: All, sup: Node, path: str) -> list[Break]:
        found: list[Break] = []
        for pattern, schema in sup.schema.get("patternProperties", {}).items():
            carried = [node.at(node.schema["patternProperties"][pattern]) for node in sub
                       if pattern in node.schema.get("patternProperties", {})]  # fmt: skip
            found += self.between(tuple(carried) or (ANYTHING,), sup.at(schema), _member(path, pattern))
        return found

    def items(self, sub: All, sup: Node, path: str) -> list[Break]:
        first = sup.schema.get("prefixItems", [])
        found: list[Break] = []
        for index, schema in enumerate(first):
            found += self.between(element_of(sub, index), sup.at(schema), f"{path}[{index}]")
        if "items" not in sup.schema:
            return found
        rest = sup.at(sup.schema["items"])
        longest = max((len(node.schema.get("prefixItems", [])) for node in sub), default=0)
        for index in range(len(first), longest):
            found += self.between(element_of(sub, index), rest, f"{path}[{index}]")
        if not keeps_within(sub, "maxItems", max(len(first), longest)):
            found += self.between(element_of(sub, max(len(first), longest)), rest, f"{path}[]")
        return found


def _member(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
