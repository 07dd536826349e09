import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.redaction import PATTERNS, _replaced, luhn, redact, redact_value

FOUND = [
    ("mail jane.doe+x@example.co.uk now", "mail [email] now"),
    ("q=jane%40example.org&x=1", "q=[email]&x=1"),  # percent-encoded query
    (r'{"to": "Zo\u00eb@example.com"}', '{"to": "[email]"}'),  # JSON inside a string
    (r"x\u0040y.com", "[email]"),
    ("Müller.Ø@exämple.de", "[email]"),
    ("truncated: jane.doe@exam", "truncated: [email]"),  # cut by a length limit
    ("truncated: jane.doe@", "truncated: [email]"),
    ("call +49 30 901820 or (415) 555-2671.", "call [phone] or [phone]."),
    ("tel=%2B4930901820", "tel=[phone]"),
    ("IBAN DE89 3704 0044 0532 0130 00 BIC FOO", "IBAN [iban] BIC FOO"),
    ("gb82west12345698765432", "[iban]"),
    ("card 4111 1111 1111 1111, thanks", "card [card], thanks"),
    ("from 203.0.113.7:443", "from [ip]:443"),
    ("peer 2001:db8::ff00:42:8329", "peer [ip]"),
    ("Authorization: Bearer abcdefghijklmnopqrstuvwxyz", "Authorization: [secret]"),
    ("key sk-proj-abcdefghij1234567890", "key [secret]"),
    ('{"password": "hunter22"}', '{"[secret]"}'),
    ("postgres://user:p4ss@db/x", "postgres://[secret]@db/x"),
    ("AKIAIOSFODNN7EXAMPLE", "[secret]"),
    ("token xoxb-1234567890-abcdef", "token [secret]"),
    ("rk_live_abcdefghij1234", "[secret]"),
    ("ghs_abcdefghij1234567890", "[secret]"),
    ("glpat-abcdefghij1234567890", "[secret]"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmVk", "[secret]"),
]
KEPT = [
    "req-20261104-000123",
    "550e8400-e29b-41d4-a716-446655440000",
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "sha256:5a65fe2f14d8d5b401cb9aef599fb5384c017db67d6a41ec51dc424883d4bb27",
    "2026-10-11T12:00:00.123456Z",
    "1760000000000",  # milliseconds since 1970
    "openai@4.20.1",
    "gpt-4o-2024-08-06",
    "12:30:45",
    "127.0.0.1",
    "@decorator",
    "4111 1111 1111 1112",  # fails Luhn
    "std::vector abc::def",
    "The invoice 2026.11.2 has 400 tokens.",
]


@pytest.mark.parametrize(("text", "clean"), FOUND)
def test_finds_what_has_a_form(text, clean):
    found = Counter()
    assert redact(text, found) == clean
    assert found.total() == clean.count("[")


@pytest.mark.parametrize("text", KEPT)
def test_leaves_what_only_looks_like_it(text):
    found = Counter()
    assert redact(text, found) == text
    assert not found


@given(
    st.lists(st.sampled_from([text for text, _ in FOUND] + KEPT) | st.text("aZ019+ -.(:@%é٣", max_size=9)).map("".join)
)
def test_no_hint_hides_what_a_pattern_finds(text):
    clean, kinds = text, []
    for pattern in PATTERNS:
        clean = _replaced(pattern, clean, kinds)
    found = Counter()
    assert redact(text, found) == clean
    assert found == Counter(kinds)


def test_every_string_at_every_depth_keys_included():
    value = {"kim@example.com": ["a", {"deep": ("x", "kim@example.com", 7, None, True, 1.5)}]}
    assert redact_value(value) == {"[email]": ["a", {"deep": ["x", "[email]", 7, None, True, 1.5]}]}


@pytest.mark.parametrize("name", ["jane.doe", "j", "a-b_c+d", "o'neil"])
def test_cutting_anywhere_behind_the_at_sign_hides_the_address(name):
    text = f"write to {name}@example.com"
    for end in range(text.index("@") + 1, len(text) + 1):
        assert name not in redact(text[:end]).split()[-1]


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 200_000 + "@",
        "@" + "a" * 200_000,
        "a.@" * 70_000,
        "1 " * 100_000,
        "DE12 " * 40_000,
        r"\u0040" * 30_000,
        "://a:" * 40_000,
        "x@" + "a." * 100_000,
        "-----BEGIN PRIVATE KEY-----" * 8_000,
    ],
)
def test_hostile_text_takes_linear_time(hostile):
    begun = time.process_time()
    redact(hostile)
    assert time.process_time() - begun < 3


@given(st.text())
def test_redacting_twice_changes_nothing_more(text):
    once = redact(text)
    assert redact(once) == once


def test_luhn():
    assert luhn("79927398713")
    assert not luhn("79927398710")
