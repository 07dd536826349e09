"""Whether a new schema breaks anybody: by hand for what people change, by many schemas for what nobody thinks of."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from systems.compatibility import breaks

ANSWER: dict[str, Any] = {
    "type": "object",
    "required": ["answer"],
    "properties": {
        "answer": {"type": "string", "maxLength": 100},
        "kind": {"enum": ["answer", "refusal"]},
        "sources": {"type": "array", "items": {"$ref": "#/$defs/source"}, "maxItems": 5},
    },
    "additionalProperties": False,
    "$defs": {"source": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    schema = copy.deepcopy(ANSWER)
    *way, last = path.split("/")
    place: Any = schema
    for part in way:
        place = place[part]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return schema


@pytest.mark.parametrize(
    ("path", "value", "output", "said"),
    [
        ("required", [], True, "answer: may be missing now"),
        ("required", ["answer", "kind"], False, "kind: must be given now"),
        ("properties/answer/maxLength", 200, True, "answer: maxLength is not kept to 100 any more"),
        ("properties/answer/maxLength", 50, False, "answer: maxLength is 50 now"),
        ("properties/kind/enum", ["answer", "refusal", "question"], True, 'kind: can be "question" now'),
        ("properties/kind/enum", ["answer"], False, 'kind: can no longer be "refusal"'),
        ("properties/answer/type", ["string", "null"], True, "answer: can be null now"),
        ("properties/more", {"type": "string"}, True, "more: can be there now"),
        ("properties/kind", None, False, "kind: must not be there any more"),
        ("$defs/source/required", [], True, "sources[].id: may be missing now"),
        ("properties/sources/maxItems", None, True, "sources: maxItems is not kept to 5 any more"),
        ("properties/answer/pattern", "^[a-z]+$", False, "answer: pattern is asked for now"),
    ],
)
def test_what_breaks_is_said_with_its_place(path: str, value: Any, output: bool, said: str) -> None:
    new = changed(path, value)
    assert said in [str(found) for found in breaks(ANSWER, new, output=output)]
    # The same change seen from the other side only asks more of oneself, or allows others more.
    if path != "properties/answer/pattern":
        assert breaks(ANSWER, new, output=not output) == []


def test_the_same_schema_written_otherwise_breaks_nobody() -> None:
    other = {**copy.deepcopy(ANSWER), "title": "Answer", "description": "What the assistant says."}
    assert breaks(ANSWER, dict(reversed(other.items())), output=True) == []
    assert breaks(ANSWER, other, output=False) == []


def test_a_schema_that_refers_to_itself_is_compared_to_its_end() -> None:
    def tree(**leaf: Any) -> dict[str, Any]:
        kids = {"type": "array", "items": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]}}
        node = {"type": "object", "properties": {"kids": kids, "name": {"type": "string", **leaf}}}
        return {"$defs": {"tree": node}, "$ref": "#/$defs/tree"}

    assert breaks(tree(), tree(minLength=1), output=True) == []
    assert breaks(tree(), tree(minLength=1), output=False)


def test_more_than_anybody_can_follow_counts_as_breaking() -> None:
    wide = {"type": "object", "properties": {
        f"p{n}": {"anyOf": [{"type": "object", "properties": {f"q{m}": {"maxLength": m}}} for m in range(30)]}
        for n in range(30)
    }}  # fmt: skip
    other = copy.deepcopy(wide)
    other["properties"]["p0"]["anyOf"][0]["properties"]["q0"]["maxLength"] = 7
    assert breaks(wide, other, output=True)


SCALARS: list[Any] = [None, True, False, 0, 1, 2.5, -1, 7, "", "a", "ab", "abc"]
NAMES = ["a", "b"]
values = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*NAMES, "c"]), inner, max_size=3),
    max_leaves=6,
)


def _schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    objects = st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", ["object", "null"]]),
            "properties": st.dictionaries(st.sampled_from(NAMES), inner, max_size=2),
            "required": st.lists(st.sampled_from(NAMES), unique=True, max_size=2),
            "additionalProperties": inner,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "c"]), inner, max_size=1),
            "unevaluatedProperties": st.just(False),
            "minProperties": st.integers(0, 2),
        },
    )
    arrays = st.fixed_dictionaries(
        {"type": st.just("array")},
        optional={"items": inner, "prefixItems": st.lists(inner, min_size=1, max_size=2), "maxItems": st.integers(0, 2),
                  "contains": inner},
    )  # fmt: skip
    unions = st.tuples(st.sampled_from(["anyOf", "oneOf", "allOf"]), st.lists(inner, min_size=1, max_size=2))
    return objects | arrays | unions.map(lambda pair: {pair[0]: pair[1]}) | inner.map(lambda schema: {"not": schema})


LEAVES = st.one_of(
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["string", "integer", "number", "null", ["string", "null"]]),
            "maxLength": st.integers(0, 3),
            "minimum": st.integers(-1, 2),
            "exclusiveMaximum": st.integers(0, 3),
            "multipleOf": st.sampled_from([1, 0.5, 2]),
        },
    ),
    st.lists(st.sampled_from(SCALARS), min_size=1, max_size=3).map(lambda some: {"enum": some}),
    st.sampled_from(SCALARS).map(lambda one: {"const": one}),
    st.just({"$ref": "#/$defs/part"}),
)
schemas = st.recursive(LEAVES, _schemas, max_leaves=5)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two schemas, often of one another's parts, since two at random seldom have anything to do with each other."""

    def whole(schema: Any, part: Any) -> Any:
        return {"allOf": [schema], "$defs": {"part": part}}

    plain = schemas.filter(lambda schema: "$ref" not in str(schema))
    first, part = draw(schemas), draw(plain)
    kind = draw(st.sampled_from(["other", "wider", "narrower", "part"]))
    second = {
        "other": lambda: draw(schemas),
        "wider": lambda: {"anyOf": [draw(schemas), first]},
        "narrower": lambda: {"allOf": [first, draw(schemas)]},
        "part": lambda: first,
    }[kind]()
    other = draw(plain) if kind == "part" else part
    return whole(first, part), whole(second, other)


@settings(max_examples=400)
@given(pairs(), st.lists(values, min_size=1, max_size=8))
def test_where_nothing_is_said_to_break_no_value_breaks(pair: tuple[Any, Any], some: list[Any]) -> None:
    old, new = pair
    tried = [*some, *SCALARS, {}, [], {"a": 1}, {"a": "ab", "b": None}, {"c": 7}, [1, "a"], [[], {}]]
    for output in (True, False):
        if not breaks(old, new, output=output):
            sub, sup = (new, old) if output else (old, new)
            sent, expected = Draft202012Validator(sub), Draft202012Validator(sup)
            assert [value for value in tried if sent.is_valid(value) and not expected.is_valid(value)] == []
