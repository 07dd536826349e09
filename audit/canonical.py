"""One form for everything that is hashed: RFC 8785 (JSON Canonicalization Scheme).

Two programs that mean the same must hash the same bytes, years apart and in other languages. So: one serialisation, and
a strict reader that refuses at the edge what has no such form (NaN, integers beyond 2^53, lone surrogates, keys given
twice), instead of failing later when something is to be hashed. Pure: no Django.
"""

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import msgspec
import rfc8785

type JSON = bool | int | float | str | list[JSON] | dict[str, JSON] | None

# I-JSON (RFC 7493, section 2.2): integers that every reader keeps exactly.
MAX_INTEGER = 2**53 - 1
# Deeper than anything we write; shallow enough that no reader runs out of stack.
MAX_DEPTH = 64

_NOT_UNICODE = re.compile("[\ud800-\udfff]")
# Objects without floats and without keys beyond the basic plane serialise with the standard library's C encoder to the
# same bytes as RFC 8785 (both write strings as ECMAScript does; keys sort alike), about five times faster.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, check_circular=False).encode


class CanonicalError(ValueError):
    """The value has no canonical form, or the bytes are not strict JSON."""


def plain(value: object) -> JSON:
    """The value as JSON, or a refusal. Exact types become text: Decimal, datetime, UUID.

    Equal values give equal text: `Decimal("0.10")` and `Decimal("0.1")` are one number, 10:00+02:00 is 08:00Z.
    """
    return _plain(value, 0)


def _plain(value: Any, depth: int) -> JSON:
    if depth > MAX_DEPTH:
        raise CanonicalError(f"nested deeper than {MAX_DEPTH} levels")
    kind = type(value)
    if kind is str:
        return _text(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return _integer(value)
    if kind is dict or isinstance(value, Mapping):
        result: dict[str, JSON] = {}
        for key, item in value.items():
            name = key.value if isinstance(key, Enum) else key
            if not isinstance(name, str):
                raise CanonicalError(f"a key must be text, not {type(key).__name__}")
            if name in result:
                raise CanonicalError(f"the key {name!r} occurs twice")
            result[_text(name)] = _plain(item, depth + 1)
        return result
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_plain(item, depth + 1) for item in value), key=dumps)
    if kind is float:
        return _float(value)
    return _named(value, depth)


def _named(value: Any, depth: int) -> JSON:
    """Types that are not JSON, but have one obvious text."""
    if isinstance(value, Enum):
        return _plain(value.value, depth)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise CanonicalError(f"{value} is not a number that can be recorded")
        text = format(value, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text in ("-0", "") else text
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name), depth + 1) for field in dataclasses.fields(value)}
    if isinstance(value, str):  # SafeString and other subclasses: the text is what counts
        return _text(str(value))
    raise CanonicalError(f"{type(value).__name__} has no canonical form")


def timestamp(value: datetime) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    if value.tzinfo is None:
        raise CanonicalError(f"the time {value} has no time zone")
    moment = value if value.tzinfo is UTC else value.astimezone(UTC)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _text(value: str) -> str:
    if not value.isascii() and _NOT_UNICODE.search(value):
        raise CanonicalError("the text contains half a surrogate pair, which is not Unicode")
    return value


def _float(value: float) -> float:
    if not math.isfinite(value):
        raise CanonicalError(f"{value} is not a JSON number")
    # Up to 1e21 RFC 8785 writes it without an exponent, so it would read back as an integer beyond 2^53.
    if MAX_INTEGER < abs(value) < 1e21:
        raise CanonicalError(f"{value} is beyond 2^53; write it as text")
    return value


def _integer(value: int) -> int:
    if not -MAX_INTEGER <= value <= MAX_INTEGER:
        raise CanonicalError(f"{value} is beyond 2^53; write it as text")
    return value


def dumps(value: object) -> bytes:
    """RFC 8785 bytes of `plain(value)`."""
    simple = plain(value)
    if _needs_reference_encoder(simple):
        return rfc8785.dumps(simple)
    return _encode(simple).encode()


# What msgspec writes otherwise than RFC 8785: numbers with an exponent (tiny ones: large ones are whole), and the order
# of keys beyond the basic plane (four bytes in UTF-8). Where a text value looks like one, it costs time, not truth.
_EXPONENT = re.compile(rb"e-\d+(?:[,\]}]|$)")
_BEYOND = re.compile(rb"[\xf0-\xf4]")


def dumps_tidy(value: object) -> bytes:
    """`dumps` of a value that `audit.ingest.wire.tidy` made, or that consists of such values: some four times faster.

    The caller vouches that keys are text, that integers stay within 2^53 and that whole numbers are not floats.
    """
    try:
        data = msgspec.json.encode(value, order="sorted")
    except UnicodeEncodeError:
        raise CanonicalError("the text contains half a surrogate pair, which is not Unicode") from None
    if _EXPONENT.search(data) or (not data.isascii() and _BEYOND.search(data)):
        return dumps(value)
    return data


def _needs_reference_encoder(value: JSON) -> bool:
    """Floats are written otherwise by Python (1e+16, 1.0); RFC 8785 sorts keys by UTF-16 unit, Python by code point."""
    if isinstance(value, dict):
        for key in value:
            if not key.isascii() and max(key) > "\ud7ff":
                return True
        return any(map(_needs_reference_encoder, value.values()))
    if isinstance(value, list):
        return any(map(_needs_reference_encoder, value))
    return isinstance(value, float)


def loads(data: bytes | str) -> JSON:
    """Strict reading: UTF-8, one value, no key twice, no NaN or Infinity, no integer beyond 2^53, bounded depth."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_int=_parse_integer,
            parse_float=_parse_float,
        )
    except UnicodeDecodeError as error:
        raise CanonicalError(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise CanonicalError(f"not JSON: {error}") from None
    except RecursionError:
        raise CanonicalError(f"nested deeper than {MAX_DEPTH} levels") from None
    return plain(value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise CanonicalError(f"the key {twice!r} occurs twice")
    return result


def _refuse_constant(name: str) -> None:
    raise CanonicalError(f"{name} is not a JSON number")


def _parse_integer(text: str) -> int:
    if len(text) > 17:
        raise CanonicalError(f"{text[:20]}... is beyond 2^53; write it as text")
    return _integer(int(text))


def _parse_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise CanonicalError(f"{text[:20]} is too large for a JSON number")
    return value


def digest(value: object) -> str:
    """`sha256:<hex>` over the canonical form."""
    return digest_bytes(dumps(value))


def digest_bytes(data: bytes) -> str:
    """`sha256:<hex>` over bytes as they are."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
