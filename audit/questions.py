"""The question and the answer in what a span's instrumentation kept as content, family by family. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

Message = dict[str, str]

_INDEXED = re.compile(
    r"(?:llm\.input_messages|gen_ai\.prompt)\.(\d+)\.(?:message\.)?(role|content|contents\.\d+\.message_content\.text)"
)
_EVENT = re.compile(r"gen_ai\.(user|system|assistant|tool)\.message\.(\d+)")
_MESSAGES = ("gen_ai.input.messages", "ai.prompt.messages", "pydantic_ai.all_messages")
_TEXTS = ("readiness.input", "gen_ai.prompt", "ai.prompt", "input.value", "traceloop.entity.input")
_ANSWERS = ("readiness.output", "ai.response.text", "ai.response.object", "gen_ai.completion", "final_result")
_ANSWER_INDEXED = re.compile(
    r"(?:llm\.output_messages\.\d+\.message|gen_ai\.completion\.\d+)\.(?:content|contents\.\d+\.message_content\.text)"
)


def question_in(content: Mapping[str, Any]) -> str | list[Message] | None:
    """The application's own input where it was sent, else the chat, else whatever text stands for it."""
    if own := content.get("readiness.input"):
        return str(own)
    for key in _MESSAGES:
        if messages := _chat(content.get(key)):
            return messages
    if messages := _by_index(content) or _by_event(content):
        return messages
    for key in _TEXTS:
        if text := content.get(key):
            return text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    return None


def answer_in(content: Mapping[str, Any]) -> str:
    for key in _ANSWERS:
        if text := content.get(key):
            return text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    if messages := _chat(content.get("gen_ai.output.messages")):
        return messages[-1]["content"]
    for key in sorted(content, reverse=True):
        if _ANSWER_INDEXED.fullmatch(key) and isinstance(content[key], str):
            return str(content[key])
    return next((str(content[key]) for key in ("output.value", "traceloop.entity.output") if content.get(key)), "")


def _chat(value: Any) -> list[Message]:
    """Messages as the GenAI conventions write them: JSON in text, content as text or in parts."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    if not isinstance(value, list):
        return []
    messages = []
    for item in value:
        if isinstance(item, dict) and (text := _text(item)):
            messages.append({"role": str(item.get("role") or "user"), "content": text})
    return messages


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content", message.get("parts"))
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part if isinstance(part, str) else _part(part) for part in parts if isinstance(part, (str, dict))]
    return "\n".join(text for text in texts if text)


def _part(part: Mapping[str, Any]) -> str:
    text = part.get("content", part.get("text"))
    return text if isinstance(text, str) else ""


def _by_index(content: Mapping[str, Any]) -> list[Message]:
    """OpenInference and older conventions: one attribute for each role and content, numbered."""
    found: dict[int, Message] = {}
    for key, value in content.items():
        if match := _INDEXED.fullmatch(key):
            message = found.setdefault(int(match[1]), {"role": "user", "content": ""})
            if match[2] == "role":
                message["role"] = str(value)
            else:
                message["content"] += ("\n" if message["content"] else "") + str(value)
    return [found[number] for number in sorted(found) if found[number]["content"]]


def _by_event(content: Mapping[str, Any]) -> list[Message]:
    """Conventions of 2024: one event for each message."""
    found = {}
    for key, value in content.items():
        if (match := _EVENT.fullmatch(key)) and isinstance(value, dict) and isinstance(value.get("content"), str):
            found[int(match[2])] = {"role": match[1], "content": value["content"]}
    return [found[number] for number in sorted(found)]
