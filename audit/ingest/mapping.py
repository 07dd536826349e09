"""What a span says, read from whichever names its instrumentation uses. Pure.

Nothing is guessed: an absent count stays None, an unreadable one too. What is read here keeps the sender's words;
redaction, prices and contract come after.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import SimpleNamespace
from typing import Any

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


@dataclass(slots=True)
class Reading:
    kind: str
    component: str
    request_id: str
    release: str
    system_label: str
    environment_label: str
    tenant: str
    prompt_name: str
    prompt_version: str
    prompt_hash: str
    prompt_hash_source: str  # claimed, recomputed, mismatch (a template came that has another hash), or empty
    model_requested: str
    model_answered: str
    provider: str
    response_id: str
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    claimed_cost_usd: Decimal | None
    source_ids: list[str] | None  # None: says nothing about sources; empty: searched and found none
    input_valid: bool | None
    output_valid: bool | None
    input_text: str | None
    output_text: str | None
    failed: bool
    error_type: str
    retries: int | None
    timed_out: bool
    fallback: str
    handoff: bool


def read_span(span: WireSpan) -> Reading:
    own = span.attributes
    both = {**span.resource, **own} if span.resource else own
    said = names.among(tuple(both))
    error_type = _error_type(span)
    prompt_hash, prompt_hash_source = _prompt_hash(own, said)
    kind = _kind(span)
    return Reading(
        kind=kind,
        component=_text(both, said.COMPONENT) or kind,
        request_id=_text(own, said.REQUEST_ID),
        release=_text(both, said.RELEASE),
        system_label=_text(both, said.SYSTEM),
        environment_label=_text(both, said.ENVIRONMENT),
        tenant=_text(both, said.TENANT),
        prompt_name=_text(own, said.PROMPT_NAME),
        prompt_version=_text(own, said.PROMPT_VERSION),
        prompt_hash=prompt_hash,
        prompt_hash_source=prompt_hash_source,
        model_requested=_text(own, said.MODEL_REQUESTED),
        model_answered=_text(own, said.MODEL_ANSWERED),
        provider=_VERCEL_PROVIDER.sub(r"\1", _text(own, said.PROVIDER)),
        response_id=_response_id(own, said),
        tokens_in=_count(own, said.TOKENS_IN),
        tokens_out=_count(own, said.TOKENS_OUT),
        tokens_cached=_count(own, said.TOKENS_CACHED),
        claimed_cost_usd=_money(own, said),
        source_ids=_source_ids(own, said),
        input_valid=_truth(own, said.INPUT_VALID),
        output_valid=_truth(own, said.OUTPUT_VALID),
        input_text=_text(own, said.INPUT_TEXT) or None,
        output_text=_output_text(own, kind),
        failed=span.status == 2 or bool(error_type),
        error_type=error_type or ("error" if span.status == 2 else ""),
        retries=_count(own, said.RETRIES),
        timed_out=bool(_truth(own, said.TIMED_OUT)) or bool(_TIMEOUT.search(error_type)),
        fallback=_label(own, said.FALLBACK),
        handoff=_label(own, said.HANDOFF) != "",
    )


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


def _first(attributes: Mapping[str, Any], keys: Sequence[str]) -> Any:
    for key in keys:
        value = attributes.get(key)
        if value not in (None, "", []):
            return value
    return None


def _text(attributes: Mapping[str, Any], keys: Sequence[str]) -> str:
    """Headers come as lists of one, versions as numbers."""
    if not keys:
        return ""
    value = _first(attributes, keys)
    if isinstance(value, list):
        value = value[0]
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)


def _label(attributes: Mapping[str, Any], keys: Sequence[str]) -> str:
    """True, or which one it was; "false" and the like say no."""
    text = _text(attributes, keys)
    return "" if text.lower() in ("false", "0", "none", "no") else text


def _count(attributes: Mapping[str, Any], keys: Sequence[str]) -> int | None:
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


def _truth(attributes: Mapping[str, Any], keys: Sequence[str]) -> bool | None:
    value = _first(attributes, keys) if keys else None
    if value is None or isinstance(value, bool):
        return value
    return {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower())


def _money(attributes: Mapping[str, Any], said: SimpleNamespace) -> Decimal | None:
    if not said.COST_USD:
        return None
    try:
        usd = Decimal(_text(attributes, said.COST_USD) or "NaN")
    except InvalidOperation:
        return None
    return usd if usd.is_finite() and 0 <= usd < 1_000_000 else None


def _error_type(span: WireSpan) -> str:
    if said := _text(span.attributes, names.ERROR_TYPE):
        return said
    if span.status == 2:
        for event in reversed(span.events):
            if said := _text(event.attributes, names.ERROR_TYPE):
                return said
    return ""


def _prompt_hash(attributes: Mapping[str, Any], said: SimpleNamespace) -> tuple[str, str]:
    """The hash of the prompt version, and how we know it: a template that came along is hashed again."""
    claimed = _text(attributes, said.PROMPT_HASH)
    if match := _SHA256.fullmatch(claimed):
        claimed = f"sha256:{match[1].lower()}"
    if template := _text(attributes, said.PROMPT_TEMPLATE):
        recomputed = "sha256:" + hashlib.sha256(template.encode()).hexdigest()
        return recomputed, "recomputed" if claimed in ("", recomputed) else "mismatch"
    return claimed, "claimed" if claimed else ""


def _response_id(attributes: Mapping[str, Any], said: SimpleNamespace) -> str:
    if text := _text(attributes, said.RESPONSE_ID):
        return text
    answer = attributes.get("output.value")
    found = _ANSWER_ID.match(answer) if isinstance(answer, str) else None
    return found[1] if found else ""


def _source_ids(attributes: Mapping[str, Any], said: SimpleNamespace) -> list[str] | None:
    value: Any = None
    for key in said.SOURCE_IDS:
        if (value := attributes.get(key)) is not None:
            break
    if isinstance(value, str):
        value = loads_or_none(value) if value[:1] in "[{" else [value]
    if isinstance(value, list):
        ids = (item.get("id") if isinstance(item, dict) else item for item in value)
        return _unique(str(item) for item in ids if item not in (None, "") and not isinstance(item, (dict, list)))
    indexed = [str(item) for key, item in attributes.items() if names.SOURCE_ID_INDEXED.fullmatch(key)]
    return _unique(indexed) if indexed else None


def _unique(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _output_text(attributes: Mapping[str, Any], kind: str) -> str | None:
    """The answer as text: of our own attribute on any span, of an instrumentation's where a model answers."""
    if kind not in ("model", "agent", EVENT):
        return _text(attributes, names.OUTPUT_TEXT[:1]) or None
    for key in names.OUTPUT_TEXT:
        value = attributes.get(key)
        if key == "gen_ai.output.messages" and value:
            return _last_message(value)
        if isinstance(value, dict):  # `gen_ai.choice` of the older conventions, the body of a log record
            return _last_message([value.get("message")])
        if text := _text(attributes, (key,)):
            return text
    for key in reversed(list(attributes)):
        if names.OUTPUT_INDEXED.fullmatch(key):
            return str(attributes[key])
    return None


def _last_message(value: Any) -> str | None:
    """Text parts of the last message in `gen_ai.output.messages`, JSON on spans and a list in log records.

    None where it has no text (a tool is called), or where a length limit cut the JSON.
    """
    messages = loads_or_none(value) if isinstance(value, str) else value
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
