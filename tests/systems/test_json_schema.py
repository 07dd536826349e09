import json
from typing import Any

import pytest

from systems.content import read_content
from systems.json_schema import flaws
from systems.json_text import ContentError
from systems.kinds import Kind


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "enum": [1]},
        {"type": "object", "properties": {"next": {"$ref": "#"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}},
        {"$ref": "#here", "$defs": {"a": {"$anchor": "here", "type": "string"}}},
        {"properties": {"x": {"const": {"$ref": "http://example.test/only-an-example"}}}},
        {"properties": {"$ref": {"type": "string"}}},
        {"properties": {"a/b": {"type": "string"}, "c": {"$ref": "#/properties/a~1b"}}},
    ],
)
def test_good_schemas_pass(schema: dict[str, Any]) -> None:
    assert flaws(schema) == []


@pytest.mark.parametrize(
    ("schema", "path", "reason"),
    [
        (True, (), "a schema is an object"),
        ({}, (), "allows everything"),
        ({"title": "Answer", "$defs": {"a": {"type": "string"}}}, (), "allows everything"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}, ("$schema",), "the dialect must be"),
        ({"$schema": 7, "type": "object"}, ("$schema",), "the dialect must be"),
        ({"type": "strin"}, ("type",), "'strin' is not valid"),
        ({"required": "a"}, ("required",), "'a' is not of type 'array'"),
        ({"$ref": "#/$defs/gone"}, ("$ref",), "leads nowhere"),
        ({"items": {"$ref": "#gone"}}, ("items", "$ref"), "leads nowhere"),
        ({"$ref": "https://example.test/s.json"}, ("$ref",), "nothing is fetched"),
        ({"$ref": "file:///etc/passwd"}, ("$ref",), "nothing is fetched"),
        ({"$ref": "#"}, (), "without end"),
        ({"allOf": [{"$ref": "#"}]}, (), "without end"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"not": {"$ref": "#/$defs/a"}}}}, (), "end"),
        ({"type": "object", "$defs": {"a": {"if": {"$ref": "#/$defs/a"}}}}, ("$defs", "a"), "without end"),
        ({"pattern": "("}, ("pattern",), "cannot be read"),
        ({"patternProperties": {"[": {}}}, ("patternProperties",), "cannot be read"),
    ],
)
def test_flaws_have_their_place(schema: Any, path: tuple[str, ...], reason: str) -> None:
    found = flaws(schema)
    assert any(place == path and reason in said for place, said in found), found


def test_the_line_of_a_flaw_is_told() -> None:
    text = json.dumps({"type": "object", "properties": {"a": {"type": "text"}}}, indent=2)
    with pytest.raises(ContentError, match="Line 5: 'text' is not valid"):
        read_content(Kind.INPUT_SCHEMA, text.encode())


def test_many_flaws_do_not_flood() -> None:
    schema = {"properties": {f"p{number}": {"type": "nope"} for number in range(500)}}
    assert len(flaws(schema)) == 20
