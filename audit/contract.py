"""What a system's traffic is checked against at ingest, and the check itself. Pure.

The profile is pushed down by `systems` (its contract, prices and data policy); a system without one has the defaults:
nothing to check against, and payloads redacted.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry

from audit import canonical
from audit.pricing import parse_prices

PayloadMode = Literal["redacted", "raw", "none"]
PiiPolicy = Literal["redact", "refuse"]
DeniedPolicy = Literal["drop", "refuse"]
PromptPolicy = Literal["flag", "refuse", "require"]
CANONICAL_OUTPUTS = ("none", "rfc8785", "trimmed-text")
# The data policy: what people set by hand (systems.actions.traffic), each with what it may be.
CHOICES: dict[str, tuple[str, ...]] = {
    "payload_mode": ("redacted", "raw", "none"),
    "pii_policy": ("redact", "refuse"),
    "denied_policy": ("drop", "refuse"),
    "prompt_policy": ("flag", "refuse", "require"),
}


class ProfileError(ValueError):
    """The profile cannot be used. The message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class IngestProfile:
    """Schemas, limits, prices and data policy of one system.

    `prices`: USD per million tokens by model, `{"model": {"input": "0.40", "output": "1.60"}}`; they come first.
    `payload_mode`: prompts and answers are kept redacted (the default), raw, or not at all; a commitment is kept in any
    case. `pii_policy`: what is found in a span is redacted, or the span is refused. `denied_fields`: patterns of
    attribute names that may not be kept; `denied_policy`: they are dropped, or the span is refused.

    `prompts`: the registered ones by hash, `{"sha256:...": [{"name": "answer", "number": 3}]}`. `prompt_policy`: spans
    of another prompt are flagged or refused; `require` refuses model calls without a hash as well.

    `components`: limits of one component, `{"retrieval": {"timeout_ms": 500}}`, before the general ones.
    `canonical_outputs`: the forms that an output may have. `error_codes`: those that a user may be shown.
    `count_scopes`: where two instrumentations report the same calls in different traces, the scopes that count.
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
    denied_fields: Sequence[str] = field(default_factory=list)
    denied_policy: DeniedPolicy = "drop"
    prompts: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    prompt_policy: PromptPolicy = "flag"
    components: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    canonical_outputs: Sequence[str] = field(default_factory=list)
    error_codes: Sequence[str] = field(default_factory=list)
    count_scopes: Sequence[str] = field(default_factory=list)

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
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ProfileError(f"{name} is one of {', '.join(allowed)}.")
        for name in ("denied_fields", "count_scopes"):
            if any(not text.strip() or len(text) > 200 for text in getattr(self, name)):
                raise ProfileError(f"{name} are names of 1 to 200 characters.")
        if not set(self.canonical_outputs) <= set(CANONICAL_OUTPUTS):
            raise ProfileError(f"canonical_outputs are among {', '.join(CANONICAL_OUTPUTS)}.")

    def body(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> "IngestProfile":
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in body.items() if key in known})


class Outcome(NamedTuple):
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
    component: str = "",
    error_type: str = "",
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
    own, model = profile.components.get(component, {}), kind == "model"
    if _exceeds(context_chars, profile.max_context_chars if kind in ("model", "event") else None):
        flags.append("context-too-long")
    if _exceeds(tokens_out, profile.max_output_tokens if model else None):
        flags.append("output-too-long")
    if _exceeds(duration_ms, own.get("timeout_ms", profile.timeout_ms if model else None)):
        flags.append("too-slow")
    if _exceeds(retries, own.get("retry_limit", profile.retry_limit)):
        flags.append("too-many-retries")
    if output_text is not None and not is_canonical(profile.canonical_outputs, output_text):
        flags.append("output-not-canonical")
    if kind == "request" and error_type and profile.error_codes and error_type not in profile.error_codes:
        flags.append("unknown-error-code")
    return Outcome(input_ok, output_ok, source, tuple(flags))


def _exceeds(value: int | None, limit: int | None) -> bool:
    return limit is not None and value is not None and value > limit


def is_canonical(allowed: Sequence[str], text: str) -> bool:
    """Whether the output has one of the forms that the contracts in force name; no form named: any will do."""
    forms = {"none": lambda: True, "trimmed-text": lambda: text == text.strip(), "rfc8785": lambda: _is_rfc8785(text)}
    return not allowed or any(forms[form]() for form in allowed)


def _is_rfc8785(text: str) -> bool:
    try:
        return canonical.dumps(canonical.loads(text)) == text.encode()
    except ValueError:
        return False


def _conforms(schema: Mapping[str, Any] | None, text: str | None) -> bool | None:
    """Whether the text is JSON that the schema allows; None without schema or text."""
    if schema is None or text is None:
        return None
    try:
        value = json.loads(text)
        return validator(schema).is_valid(value)
    except (ValueError, RecursionError):
        return False


def validator(schema: Mapping[str, Any]) -> Draft202012Validator:
    return _validator(json.dumps(schema, sort_keys=True))


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
