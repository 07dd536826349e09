import contextlib
import json
import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from uuid import UUID

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from audit.canonical import (
    MAX_DEPTH,
    MAX_INTEGER,
    CanonicalError,
    digest,
    digest_bytes,
    dumps,
    dumps_tidy,
    loads,
    plain,
)
from audit.ingest.wire import tidy

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(min_value=1e21, allow_infinity=False)
    | text
)
documents = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=20)


@given(documents)
def test_every_document_has_the_bytes_of_the_reference_encoder(document):
    assert dumps(document) == rfc8785.dumps(document)


@given(documents)
def test_what_is_written_reads_back_and_is_written_the_same(document):
    data = dumps(document)
    assert dumps(loads(data)) == data


def test_the_example_of_rfc_8785():
    # Section 3.2.2 and its result in 3.2.3.
    document = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": '€$\u000f\u000aA\'B"\\\\"/',
        "literals": [None, True, False],
    }
    assert dumps(document).decode() == (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_keys_are_ordered_by_utf16_unit():
    # RFC 8785, 3.2.3: the smiley (a surrogate pair in UTF-16) sorts before U+FB33, though its code point is larger.
    keys = ["€", "\r", "\ufb33", "1", "😀", "\u0080", "ö"]
    assert list(json.loads(dumps(dict.fromkeys(keys, 0)))) == ["\r", "1", "\u0080", "ö", "€", "😀", "\ufb33"]


class Colour(StrEnum):
    RED = "red"


class Shade(Enum):
    RED = "red"


@dataclass(frozen=True)
class Point:
    x: Decimal
    at: datetime


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Decimal("0.10"), "0.1"),
        (Decimal("-0.0"), "0"),
        (Decimal("1E+3"), "1000"),
        (Decimal("100"), "100"),
        (Decimal("12345678901234567890.123456789012345678901"), "12345678901234567890.123456789012345678901"),
        (datetime(2026, 3, 1, 10, tzinfo=timezone(timedelta(hours=2))), "2026-03-01T08:00:00.000000Z"),
        (date(2026, 3, 1), "2026-03-01"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Colour.RED, "red"),
        ({Colour.RED: (1, 2)}, {"red": [1, 2]}),
        ({"b", "a"}, ["a", "b"]),
        (Point(Decimal("1.50"), datetime(2026, 1, 1, tzinfo=UTC)), {"x": "1.5", "at": "2026-01-01T00:00:00.000000Z"}),
    ],
)
def test_exact_types_have_one_text(value, expected):
    assert plain(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        -math.inf,
        2**53,
        -(2**53),
        float(2**53),
        -1e20,
        Decimal("NaN"),
        Decimal("Infinity"),
        datetime(2026, 1, 1),  # noqa: DTZ001
        "half a pair \ud800",
        {"\udfff": 1},
        {1: 2},
        {Shade.RED: 2, "red": 3},
        b"bytes",
        pytest.param(object(), id="an object"),
        Point,
    ],
    ids=repr,
)
def test_what_has_no_canonical_form_is_refused(value):
    with pytest.raises(CanonicalError):
        dumps({"value": value} if not isinstance(value, dict) else value)


def nested(depth: int) -> list:
    value: list = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_depth_is_bounded():
    dumps(nested(MAX_DEPTH))
    with pytest.raises(CanonicalError, match="nested"):
        dumps(nested(MAX_DEPTH + 2))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a":1,"a":2}', "'a' occurs twice"),
        (b'[{"x":{"b":1,"c":2,"b":3}}]', "'b' occurs twice"),
        (b"[NaN]", "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b"[1e999]", "too large"),
        (b"[9007199254740992]", "2\\^53"),
        (b"[-90071992547409930000000000000000000000000000]", "2\\^53"),
        (b'["\\ud800"]', "surrogate"),
        (b'{"\\udc00":1}', "surrogate"),
        (b"\xff\xfe", "not UTF-8"),
        (b"", "not JSON"),
        (b"{} {}", "not JSON"),
        (b"[" * 100_000, "nested|JSON"),
        (b"[" * 70 + b"]" * 70, "nested"),
    ],
)
def test_reading_is_strict(data, reason):
    with pytest.raises(CanonicalError, match=reason):
        loads(data)


@given(st.binary(max_size=200))
def test_reading_never_fails_otherwise(data):
    with contextlib.suppress(CanonicalError):
        loads(data)


def test_digests():
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1}) == digest_bytes(b'{"a":2,"b":1}')


# What audit.ingest.wire.tidy makes of arbitrary values is what the fast path is for.
untidy = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


@given(untidy)
def test_the_fast_path_has_the_bytes_of_the_reference_encoder(value):
    tidied = tidy(value)
    assert dumps_tidy(tidied) == rfc8785.dumps(tidied)


@pytest.mark.parametrize(
    "value",
    [{"\U0001f600": 1, "\ufb33": 2}, 1e-7, [1.5e300], "1e5,", {"a": "9e9}"}, "\u2028\x7f\x1f", {"b": 1, "a": 0.1}],
    ids=repr,
)
def test_the_fast_path_where_encoders_differ(value):
    assert dumps_tidy(tidy(value)) == rfc8785.dumps(tidy(value))


@pytest.mark.parametrize("value", ["\ud800", {"\udfff": 1}])
def test_the_fast_path_refuses_half_a_surrogate_pair(value):
    with pytest.raises(CanonicalError, match="surrogate"):
        dumps_tidy(value)
