"""What a system's traffic is checked against at ingest, and the check itself. Pure.

The profile is pushed down by `systems` (its contract, prices and data policy); a system without one has the defaults:
nothing to check against, and payloads redacted.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any, Literal

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry

from audit.pricing import parse_prices

PayloadMode = Literal["redacted", "raw", "none"]
PiiPolicy = Literal["redact", "refuse"]


class ProfileError(ValueError):
    """The profile cannot be used. The message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class IngestProfile:
    """Schemas, limits, prices and data policy of one system.

    `prices`: USD per million tokens by model, `{"model": {"input": "0.40", "output": "1.60"}}`; they come first.
    `payload_mode`: prompts and answers are kept redacted (the default), raw, or not at all; a commitment is kept in any
    case. `pii_policy`: what is found in a span is redacted, or the span is refused.
    """

    input_schema: Mapping[str, Any] | None = None
    output_schema: Mapping[str, Any] | None = None
    max_context_chars: int | None = None
    max_output_tokens: int | None = None
    timeout_ms: int | None = None
    retry_limit: int | None = None
    prices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    payload_mode: PayloadMode = "redacted"
    pii_policy: PiiPolicy = "redact"

    def check(self) -> None:
        for schema in (self.input_schema, self.output_schema):
            if schema is not None:
                try:
                    Draft202012Validator.check_schema(schema)
                except SchemaError as error:
                    raise ProfileError(f"A schema is not valid JSON Schema 2020-12: {error.message}.") from None
                if any(not ref.startswith("#") for ref in _references(schema)):
                    raise ProfileError("A schema may refer to its own parts only: nothing is fetched at ingest.")
        for name in ("max_context_chars", "max_output_tokens", "timeout_ms", "retry_limit"):
            limit = getattr(self, name)
            if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
                raise ProfileError(f"{name} must be a whole number from zero up.")
        try:
            parse_prices(self.prices)
        except (KeyError, ValueError, ArithmeticError, TypeError) as error:
            raise ProfileError(f"The price table is not valid: {error}.") from None
        if self.payload_mode not in ("redacted", "raw", "none"):
            raise ProfileError("payload_mode is one of redacted, raw, none.")
        if self.pii_policy not in ("redact", "refuse"):
            raise ProfileError("pii_policy is one of redact, refuse.")

    def body(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "IngestProfile":
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in body.items() if key in known})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the contract says about one span. None: nothing to say, for want of a schema or of the text."""

    input_ok: bool | None
    output_ok: bool | None
    source: str  # checked by us, claimed by the sender, or empty
    flags: tuple[str, ...]


def check_span(
    profile: IngestProfile,
    *,
    kind: str,
    input_text: str | None,
    output_text: str | None,
    input_claimed: bool | None,
    output_claimed: bool | None,
    context_chars: int,
    tokens_out: int | None,
    duration_ms: int,
    retries: int | None,
) -> Outcome:
    """Our own check wins over the sender's claim; the claim stands where there is nothing to check."""
    input_checked = _conforms(profile.input_schema, input_text)
    output_checked = _conforms(profile.output_schema, output_text)
    input_ok = input_claimed if input_checked is None else input_checked
    output_ok = output_claimed if output_checked is None else output_checked
    # The output is what rates are about, so it says whose word this is.
    checked = input_checked if output_ok is None else output_checked
    source = "" if input_ok is None and output_ok is None else "claimed" if checked is None else "checked"
    flags = []
    if input_ok is False:
        flags.append("input-schema")
    if output_ok is False:
        flags.append("output-schema")
    if kind == "model":
        flags += [
            flag
            for flag, value, limit in (
                ("context-too-long", context_chars, profile.max_context_chars),
                ("output-too-long", tokens_out, profile.max_output_tokens),
                ("too-slow", duration_ms, profile.timeout_ms),
            )
            if limit is not None and value is not None and value > limit
        ]
    if retries is not None and profile.retry_limit is not None and retries > profile.retry_limit:
        flags.append("too-many-retries")
    return Outcome(input_ok, output_ok, source, tuple(flags))


def _conforms(schema: Mapping[str, Any] | None, text: str | None) -> bool | None:
    """Whether the text is JSON that the schema allows; None without schema or text."""
    if schema is None or text is None:
        return None
    try:
        value = json.loads(text)
        return _validator(json.dumps(schema, sort_keys=True)).is_valid(value)
    except (ValueError, RecursionError):
        return False


@lru_cache(maxsize=256)
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema), registry=Registry())


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for key, value in schema.items():
            if key in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _references(item)
