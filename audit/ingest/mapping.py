"""What a span says, read from whichever names its instrumentation uses. Pure.

Nothing is guessed: an absent count stays None, an unreadable one too. What is read here keeps the sender's words;
redaction, prices and contract come after.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import msgspec

from audit.ingest import names
from audit.ingest.wire import WireSpan
from audit.summary import EVENT

SERVER = 2
_TIMEOUT = re.compile(r"time(?:d)?[\s_-]?out|deadline", re.IGNORECASE)
# The AI SDK names the interface too: openai.chat, anthropic.messages.
_VERCEL_PROVIDER = re.compile(r"\A([a-z-]+)\.(?:chat|completion|embedding|messages|responses|generative-ai)\Z")
# OpenInference has the id only inside the answer as the client library prints it.
_ANSWER_ID = re.compile(r'\A\{"id":\s?"([\w-]{1,200})"')
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)

_OPERATIONS = {
    "chat": "model",
    "text_completion": "model",
    "generate_content": "model",
    "completion": "model",
    "embeddings": "embedding",
    "retrieval": "retrieval",
    "execute_tool": "tool",
    "invoke_agent": "agent",
    "create_agent": "agent",
    "invoke_workflow": "chain",
    "execute_task": "chain",
}
_OPENINFERENCE = {
    "llm": "model",
    "embedding": "embedding",
    "retriever": "retrieval",
    "reranker": "retrieval",
    "tool": "tool",
    "agent": "agent",
    "chain": "chain",
    "prompt": "chain",
    "guardrail": "validation",
    "evaluator": "validation",
}
_TRACELOOP = {"workflow": "chain", "task": "chain", "agent": "agent", "tool": "tool"}
KINDS = frozenset({*_OPERATIONS.values(), *_OPENINFERENCE.values(), "request", "other"})


type Keys = tuple[str, ...]
type Read = Callable[[Mapping[str, Any], Keys], Any]


class Reading(msgspec.Struct):
    kind: str
    component: str = ""
    request_id: str = ""
    release: str = ""
    system_label: str = ""
    environment_label: str = ""
    tenant: str = ""
    prompt_name: str = ""
    prompt_version: str = ""
    prompt_hash: str = ""
    prompt_hash_source: str = ""  # claimed, recomputed, mismatch (a template came that has another hash), or empty
    model_requested: str = ""
    model_answered: str = ""
    provider: str = ""
    response_id: str = ""
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    claimed_cost_usd: Decimal | None = None
    source_ids: list[str] | None = None  # None: says nothing about sources; empty: searched and found none
    input_valid: bool | None = None
    output_valid: bool | None = None
    input_text: str | None = None
    output_text: str | None = None
    failed: bool = False
    error_type: str = ""
    retries: int | None = None
    timed_out: bool = False
    fallback: str = ""
    handoff: bool = False


class Places(NamedTuple):
    """Where a span with certain keys may say something: what it does not have, it is not asked for."""

    fields: tuple[tuple[str, Read, Keys], ...]
    template: Keys
    output: Keys


def read_span(span: WireSpan, places: Places | None = None) -> Reading:
    """`places`: where the span may say something, for callers that have it at hand."""
    own = span.attributes
    said = {**span.resource, **own} if span.resource else own
    places = places or places_among(tuple(span.resource), tuple(own))
    kind = _kind(span)
    reading = Reading(kind)
    for name, read, keys in places.fields:
        setattr(reading, name, read(said, keys))
    reading.component = reading.component or kind
    if reading.provider:
        reading.provider = _VERCEL_PROVIDER.sub(r"\1", reading.provider)
    if reading.prompt_hash or places.template:
        reading.prompt_hash, reading.prompt_hash_source = _prompt_hash(reading.prompt_hash, _text(own, places.template))
    reading.response_id = reading.response_id or _id_in_answer(own)
    if places.output:
        reading.output_text = _output_text(own, places.output, kind)
    error_type = reading.error_type or _error_in_events(span)
    reading.failed = span.status == 2 or error_type != ""
    reading.error_type = error_type or ("error" if span.status == 2 else "")
    reading.timed_out = reading.timed_out or (error_type != "" and _TIMEOUT.search(error_type) is not None)
    return reading


def _kind(span: WireSpan) -> str:
    own = span.attributes
    if span.event:
        return EVENT
    if (said := own.get("readiness.kind")) in KINDS:
        return str(said)
    if kind := _OPERATIONS.get(str(own.get("gen_ai.operation.name", ""))):
        return kind
    if kind := _OPENINFERENCE.get(str(own.get("openinference.span.kind", "")).lower()):
        return kind
    if kind := _TRACELOOP.get(str(own.get("traceloop.span.kind", ""))):
        return kind
    if operation := own.get("ai.operationId"):
        return _vercel_kind(str(operation))
    if "gen_ai.request.model" in own or "llm.model_name" in own:
        return "embedding" if own.get("llm.request.type") == "embedding" else "model"
    return "request" if span.kind == SERVER or not span.parent_id else "other"


def _vercel_kind(operation: str) -> str:
    if operation == "ai.toolCall":
        return "tool"
    return "embedding" if operation.startswith("ai.embed") else "model"


def _first(attributes: Mapping[str, Any], keys: Keys) -> Any:
    for key in keys:
        value = attributes.get(key)
        if value or value not in (None, "", []):
            return value
    return None


def _text(attributes: Mapping[str, Any], keys: Keys) -> str:
    """Headers come as lists of one, versions as numbers."""
    value = _first(attributes, keys)
    if type(value) is str:
        return value
    if isinstance(value, list):
        value = value[0]
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def _text_or_none(attributes: Mapping[str, Any], keys: Keys) -> str | None:
    return _text(attributes, keys) or None


def _label(attributes: Mapping[str, Any], keys: Keys) -> str:
    """True, or which one it was; "false" and the like say no."""
    text = _text(attributes, keys)
    return "" if text.lower() in ("false", "0", "none", "no") else text


def _said_so(attributes: Mapping[str, Any], keys: Keys) -> bool:
    return _label(attributes, keys) != ""


def _count(attributes: Mapping[str, Any], keys: Keys) -> int | None:
    """A whole number from zero up that a column can hold; anything else is unknown, and the next name is asked."""
    for key in keys:
        value = attributes.get(key)
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value) if len(value) < 11 else None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
            return value
    return None


def _truth(attributes: Mapping[str, Any], keys: Keys) -> bool | None:
    value = _first(attributes, keys)
    if value is None or isinstance(value, bool):
        return value
    return {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower())


def _true(attributes: Mapping[str, Any], keys: Keys) -> bool:
    return _truth(attributes, keys) is True


def _money(attributes: Mapping[str, Any], keys: Keys) -> Decimal | None:
    try:
        usd = Decimal(_text(attributes, keys) or "NaN")
    except InvalidOperation:
        return None
    return usd if usd.is_finite() and 0 <= usd < 1_000_000 else None


def _source_ids(attributes: Mapping[str, Any], keys: Keys) -> list[str] | None:
    """Of the first list that was sent; else of OpenInference's keys, one to each document."""
    value = next((value for key in keys if key in names.SOURCE_IDS and (value := attributes[key]) is not None), None)
    if isinstance(value, str):
        value = loads_or_none(value) if value[:1] in "[{" else [value]
    if isinstance(value, list):
        ids = (item.get("id") if isinstance(item, dict) else item for item in value)
        return _unique(str(item) for item in ids if item not in (None, "") and not isinstance(item, (dict, list)))
    indexed = [str(attributes[key]) for key in keys if key not in names.SOURCE_IDS]
    return _unique(indexed) if indexed else None


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _error_in_events(span: WireSpan) -> str:
    """The exception that ended a failed span. One that somebody caught is no error of the span."""
    if span.status != 2:
        return ""
    said = (_text(event.attributes, names.ERROR_TYPE) for event in reversed(span.events))
    return next(filter(None, said), "")


def _prompt_hash(claimed: str, template: str) -> tuple[str, str]:
    """The hash of the prompt version, and how we know it: a template that came along is hashed again."""
    if match := _SHA256.fullmatch(claimed):
        claimed = f"sha256:{match[1].lower()}"
    if template:
        recomputed = "sha256:" + hashlib.sha256(template.encode()).hexdigest()
        return recomputed, "recomputed" if claimed in ("", recomputed) else "mismatch"
    return claimed, "claimed" if claimed else ""


def _id_in_answer(attributes: Mapping[str, Any]) -> str:
    answer = attributes.get("output.value")
    found = _ANSWER_ID.match(answer) if isinstance(answer, str) else None
    return found[1] if found else ""


def _output_text(attributes: Mapping[str, Any], keys: Keys, kind: str) -> str | None:
    """The answer as text: of our own attribute on any span, of an instrumentation's where a model answers."""
    if kind not in ("model", "agent", EVENT):
        return _text(attributes, names.OUTPUT_TEXT[:1]) or None
    for key in keys:
        value = attributes[key]
        if key == "gen_ai.output.messages" and value:
            return _last_message(value)
        if key not in names.OUTPUT_TEXT:  # one of OpenInference's, the last one first
            return str(value)
        if isinstance(value, dict):  # `gen_ai.choice` of the older conventions, the body of a log record
            return _last_message([value.get("message")])
        if text := _text(attributes, (key,)):
            return text
    return None


def _last_message(value: Any) -> str | None:
    """Text parts of the last message in `gen_ai.output.messages`, JSON on spans and a list in log records.

    None where it has no text (a tool is called), or where a length limit cut the JSON.
    """
    messages = value
    if isinstance(value, str):
        messages = loads_or_none(value) if value.lstrip().startswith("[") else None
    if not isinstance(messages, list) or not messages or not isinstance(messages[-1], dict):
        return None
    parts = messages[-1].get("parts")
    if not isinstance(parts, list):
        content = messages[-1].get("content")
        return content if isinstance(content, str) else None
    texts = [part.get("content") for part in parts if isinstance(part, dict) and part.get("type", "text") == "text"]
    return "".join(text for text in texts if isinstance(text, str)) or None


def loads_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# How each field is read, under its names in `audit.ingest.names`.
_READ: dict[str, tuple[Read, Keys]] = {
    "request_id": (_text, names.REQUEST_ID),
    "prompt_name": (_text, names.PROMPT_NAME),
    "prompt_version": (_text, names.PROMPT_VERSION),
    "prompt_hash": (_text, names.PROMPT_HASH),
    "model_requested": (_text, names.MODEL_REQUESTED),
    "model_answered": (_text, names.MODEL_ANSWERED),
    "provider": (_text, names.PROVIDER),
    "response_id": (_text, names.RESPONSE_ID),
    "tokens_in": (_count, names.TOKENS_IN),
    "tokens_out": (_count, names.TOKENS_OUT),
    "tokens_cached": (_count, names.TOKENS_CACHED),
    "claimed_cost_usd": (_money, names.COST_USD),
    "input_valid": (_truth, names.INPUT_VALID),
    "output_valid": (_truth, names.OUTPUT_VALID),
    "input_text": (_text_or_none, names.INPUT_TEXT),
    "error_type": (_text, names.ERROR_TYPE),
    "retries": (_count, names.RETRIES),
    "timed_out": (_true, names.TIMED_OUT),
    "fallback": (_label, names.FALLBACK),
    "handoff": (_said_so, names.HANDOFF),
}
# These may stand in the resource as well.
_READ_ABOVE: dict[str, tuple[Read, Keys]] = {
    "component": (_text, names.COMPONENT),
    "release": (_text, names.RELEASE),
    "system_label": (_text, names.SYSTEM),
    "environment_label": (_text, names.ENVIRONMENT),
    "tenant": (_text, names.TENANT),
}


def places_among(resource: Keys, own: Keys) -> Places:
    of_span, of_both = frozenset(own), frozenset((*resource, *own))
    fields = [(name, read, _among(known, of_span)) for name, (read, known) in _READ.items()]
    fields += [(name, read, _among(known, of_both)) for name, (read, known) in _READ_ABOVE.items()]
    documents = tuple(filter(names.SOURCE_ID_INDEXED.fullmatch, own))
    fields.append(("source_ids", _source_ids, _among(names.SOURCE_IDS, of_span) + documents))
    return Places(
        fields=tuple(field for field in fields if field[2]),
        template=_among(names.PROMPT_TEMPLATE, of_span),
        output=_among(names.OUTPUT_TEXT, of_span) + tuple(filter(names.OUTPUT_INDEXED.fullmatch, reversed(own))),
    )


def _among(known: Keys, here: frozenset[str]) -> Keys:
    return tuple(key for key in known if key in here)
