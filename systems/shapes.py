"""What the content of each JSON kind looks like: as JSON Schema, so that every refusal can name its line."""

import json
from typing import Any

from systems.kinds import Kind

_DIGEST = r"^sha256:[0-9a-f]{64}$"
_NAME = {"type": "string", "minLength": 1, "maxLength": 200}
_PRICE = {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,9})?$"}


def _object(required: list[str], properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
        **more,
    }


def _count(least: int, most: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least, "maximum": most}


CONTRACT = _object(
    ["max_context_chars", "max_output_tokens", "timeout_ms", "retry_limit"],
    {
        "max_context_chars": _count(1, 100_000_000),
        "max_output_tokens": _count(1, 10_000_000),
        "timeout_ms": _count(1, 3_600_000),
        "retry_limit": _count(0, 20),
        "canonical_output": {"enum": ["none", "rfc8785", "trimmed-text"]},
        # Limits of one component of the request path (retrieval, a tool), where they are not the general ones.
        "components": {
            "type": "object",
            "additionalProperties": _object(
                [], {"timeout_ms": _count(1, 3_600_000), "retry_limit": _count(0, 20)}, minProperties=1
            ),
        },
        "note": {"type": "string", "maxLength": 2000},
    },
)

# `deployment` is the name that requests go to; `model` the dated model behind it. `prices` in USD per million tokens
# come before the public table: a private deployment costs what its contract says.
MODEL = _object(
    ["provider", "deployment"],
    {
        "provider": _NAME,
        "deployment": _NAME,
        "model": _NAME,
        "region": _NAME,
        "parameters": {"type": "object"},
        "prices": _object(["input", "output"], {"input": _PRICE, "output": _PRICE, "cached_input": _PRICE}),
    },
)

SOURCES = _object(
    ["sources"],
    {
        "sources": {
            "type": "array",
            "minItems": 1,
            "items": _object(
                ["id", "title", "readers"],
                {
                    "id": _NAME,
                    "title": _NAME,
                    "owner": _NAME,
                    "readers": {**_NAME, "description": "Who may read it."},
                    "freshness": _NAME,
                    "address": _NAME,
                },
            ),
        }
    },
)

FALLBACK = _object(
    ["message"],
    {
        "message": {"type": "string", "minLength": 1, "maxLength": 4000},
        "handoff": {"type": "string", "maxLength": 4000},
        "error_codes": {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}},
    },
)

INFRASTRUCTURE = {"type": "object", "minProperties": 1}

ARTIFACT = _object(
    [],
    {
        "commit": {"type": "string", "pattern": "^[0-9a-f]{40}([0-9a-f]{24})?$"},
        "repository": _NAME,
        "image": _NAME,
        "image_digest": {"type": "string", "pattern": _DIGEST},
    },
    anyOf=[{"required": ["commit"]}, {"required": ["image_digest"]}],
)

SHAPES: dict[str, dict[str, Any]] = {
    Kind.CONTRACT: CONTRACT,
    Kind.MODEL: MODEL,
    Kind.SOURCES: SOURCES,
    Kind.FALLBACK: FALLBACK,
    Kind.INFRASTRUCTURE: INFRASTRUCTURE,
    Kind.ARTIFACT: ARTIFACT,
}

_EXAMPLES: dict[str, Any] = {
    Kind.CONTRACT: {"max_context_chars": 12000, "max_output_tokens": 400, "timeout_ms": 10000, "retry_limit": 2},
    Kind.MODEL: {"provider": "openai", "deployment": "support-eu", "model": "gpt-4.1-mini-2025-04-14"},
    Kind.SOURCES: {"sources": [{"id": "kb", "title": "Help articles", "readers": "everybody"}]},
    Kind.FALLBACK: {"message": "We cannot answer just now. A colleague will write to you today."},
    Kind.INFRASTRUCTURE: {"region": "eu-central-1", "replicas": 3},
    Kind.ARTIFACT: {"image": "registry.example/support-bot", "image_digest": "sha256:<64 hex digits>"},
    Kind.INPUT_SCHEMA: {
        "type": "object",
        "required": ["question"],
        "properties": {"question": {"type": "string", "maxLength": 2000}},
        "additionalProperties": False,
    },
    Kind.OUTPUT_SCHEMA: {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}},
}


def example(kind: str) -> str:
    """What a form shows to start from."""
    return json.dumps(_EXAMPLES[kind], indent=2) + "\n" if kind in _EXAMPLES else ""
