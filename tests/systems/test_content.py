"""From bytes to a version: one hash by whatever road, and every refusal with its line."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import digest, digest_bytes
from systems.content import MAX_TEXT_BYTES, read_content, shown
from systems.json_text import ContentError
from systems.kinds import Kind
from tests import factories

SAMPLES = Path(__file__).parents[1] / "samples"

keys = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15)
    | st.text(st.characters(codec="utf-8"), max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


def flaws(kind: str, data: bytes, **declared: object) -> list[str]:
    with pytest.raises(ContentError) as refused:
        read_content(kind, data, declared)
    return [str(flaw) for flaw in refused.value.flaws]


# a loaded machine is no failure
@given(st.dictionaries(keys, values, min_size=1, max_size=5), st.booleans(), st.integers(0, 4))
def test_json_has_one_hash_by_whatever_road_it_came(value: dict[str, Any], ascii_only: bool, indent: int) -> None:
    """A browser's upload, a script's re-encoding and a pretty-printed checkout are the same version."""
    backwards = dict(reversed(list(value.items())))
    roads = [
        json.dumps(value).encode(),
        json.dumps(backwards, indent=indent, ensure_ascii=ascii_only).encode(),
        json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n\n",
        b"\r\n " + json.dumps(value, indent="\t").encode(),
    ]
    assert {read_content(Kind.INFRASTRUCTURE, road).sha256 for road in roads} == {digest(value)}


# a loaded machine is no failure
@given(st.binary(min_size=1))
def test_prompts_are_hashed_as_they_are(data: bytes) -> None:
    try:
        found = read_content(Kind.PROMPT, data)
    except ContentError:
        return
    assert found.sha256 == digest_bytes(data)


def test_a_line_ending_makes_another_prompt_but_not_another_schema() -> None:
    assert read_content(Kind.PROMPT, b"a\nb").sha256 != read_content(Kind.PROMPT, b"a\r\nb").sha256
    schema = json.dumps(factories.OUTPUT_SCHEMA, indent=2).encode()
    one, other = (read_content(Kind.OUTPUT_SCHEMA, text) for text in (schema, schema.replace(b"\n", b"\r\n")))
    assert one == other


def test_samples_hash_to_what_the_tools_report() -> None:
    reported = json.loads((SAMPLES / "identity.json").read_text())["2026.11.2"]
    golden_set = read_content(Kind.DATASET, (SAMPLES / "golden-set.jsonl").read_bytes())
    assert golden_set.sha256 == reported["readiness.dataset_hash"]
    assert golden_set.meta["cases"] == 40
    assert golden_set.meta["tag_counts"]["injection"] == 2
    prompt = read_content(Kind.PROMPT, (SAMPLES / "prompt-2026.11.2.txt").read_bytes())
    assert prompt.sha256 == reported["readiness.prompt_hash"]


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        (Kind.PROMPT, b"", "The file is empty."),
        (Kind.PROMPT, b" \n\t", "The prompt is empty."),
        (Kind.PROMPT, b"a\n\xff", "Line 2: this is not UTF-8 text."),
        (Kind.PROMPT, b"a\nb\x00", "Line 2: this holds a NUL byte"),
        (Kind.PROMPT, b"x" * (MAX_TEXT_BYTES + 1), "the limit is 1,048,576"),
        (Kind.OUTPUT_SCHEMA, b"\xef\xbb\xbf{}", "Line 1: this is not JSON"),
        (Kind.OUTPUT_SCHEMA, b'{\n"type": "object"\n\n]', "Line 4: this is not JSON"),
        (Kind.OUTPUT_SCHEMA, b'{"a": {\n"b": 1,\n"b": 2}}', "Line 3: the key 'b' occurs twice."),
        (Kind.CONTRACT, b'{\n"max_context_chars": NaN}', "Line 2: NaN is not a JSON number."),
        (Kind.CONTRACT, b'{"a":\n9007199254740993}', "Line 2: 9007199254740993 is beyond 2^53"),
        (Kind.CONTRACT, b'{"a":\n"\\ud800"}', "Line 2: the text contains half a surrogate"),
        (Kind.CONTRACT, b"[" * 100_000, "nested deeper"),
        (Kind.CONTRACT, b"[" * 100 + b"]" * 100, "nested deeper"),
        (Kind.CONTRACT, b'{"max_context_chars": 1}', "'timeout_ms' is a required property."),
        (Kind.CONTRACT, json.dumps({**factories.CONTRACT, "retry_limit": -1}).encode(), "-1 is less than the minimum"),
        (Kind.CONTRACT, json.dumps({**factories.CONTRACT, "retrys": 1}).encode(), "'retrys' was unexpected"),
        (Kind.MODEL, b'{"provider": "x",\n"deployment": "chat-latest"}', "Line 2: chat-latest is whatever"),
        (Kind.MODEL, b'{"provider": "x", "deployment": "a",\n"model": "m:latest"}', "Line 2: m:latest"),
        (Kind.MODEL, b'{"provider": "x", "deployment": "a", "prices": {"input": 0.4, "output": "1"}}', "0.4 is not of"),
        (Kind.ARTIFACT, b'{"image": "a"}', "one of commit and image_digest is required."),
        (Kind.ARTIFACT, b'{"commit": "main"}', "'main' does not match"),
        (Kind.SOURCES, b'{"sources": []}', "[] should be non-empty"),
        (Kind.FALLBACK, b'{"message": ""}', "'' should be non-empty"),
        (Kind.DATASET, b'{"a": 1}\n\n{"a": 1', "Line 3: this line is not one JSON object"),
        (Kind.DATASET, b'{"a": 1}\n[1]', "Line 2: each line holds one JSON object."),
        (Kind.DATASET, b"[]", "There is no case in it."),
        (Kind.DATASET, b"in,out\n1,2\n3", "Line 3: this row has 1 columns, the header 2."),
        (Kind.DATASET, b"\x89PNG\x00", "Declare how many cases it has."),
    ],
)
def test_what_is_wrong_is_told_with_its_line(kind: str, data: bytes, expected: str) -> None:
    assert any(expected in flaw for flaw in flaws(kind, data)), flaws(kind, data)


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ({"colour": "red"}, "colour cannot be declared"),
        ({"tags": "edge"}, "tags is a list of words."),
        ({"tags": [""]}, "tags is a list of words."),
        ({"external_hashes": ["abc"]}, "sha256:<64 hex digits>"),
        ({"cases": 0}, "a number from 1 up"),
        ({"origin": 7}, "origin is text"),
    ],
)
def test_what_is_declared_is_checked_too(declared: dict[str, object], expected: str) -> None:
    assert any(expected in flaw for flaw in flaws(Kind.DATASET, factories.DATASET, **declared))
    if "colour" not in declared and "origin" not in declared:
        assert any("cannot be declared for this kind" in flaw for flaw in flaws(Kind.PROMPT, b"x", **declared))


def test_datasets_of_every_format_are_counted() -> None:
    found = read_content(Kind.DATASET, b'[{"x": 1, "metadata": {"tags": ["edge"]}}, {"x": 2}]', {"tags": ["reviewed"]})
    assert (found.media_type, found.meta["cases"]) == ("application/json", 2)
    assert found.meta["tags"] == ["edge", "reviewed"]
    assert read_content(Kind.DATASET, b"question,answer\na,b\nc,d\n").meta["cases"] == 2
    separator = '{"text": "one\u2028line"}\n{"text": "two"}'.encode()
    assert read_content(Kind.DATASET, separator).meta["cases"] == 2, "a line separator inside a string ends no line"
    opaque = read_content(Kind.DATASET, b"\x00PAR1", {"cases": 12})
    assert (opaque.media_type, opaque.meta["cases"]) == ("application/octet-stream", 12)


def test_what_others_look_up_is_read_out_of_the_content() -> None:
    model = read_content(Kind.MODEL, json.dumps(factories.MODEL).encode())
    assert (model.meta["provider"], model.meta["deployment"]) == ("acme", "support-small-2026-09")
    sources = b'{"sources": [{"id": "kb", "title": "Articles", "readers": "all"}]}'
    assert read_content(Kind.SOURCES, sources).meta["source_ids"] == ["kb"]
    assert read_content(Kind.PROMPT, b"x", {"origin": "shop.git prompts/a.txt@1f"}).meta["origin"].startswith("shop")


def test_json_is_shown_alike_whatever_its_spacing() -> None:
    assert shown(Kind.CONTRACT, b'{"b":1,"a":2}') == shown(Kind.CONTRACT, b'{ "a": 2,\n "b": 1 }')
    assert shown(Kind.PROMPT, b"a\r\nb") == "a\r\nb"
