"""Requests as cases for evaluation tools: what was asked, redacted, and what is known of the answer.

Inspect AI reads a JSON line as a sample (`json_dataset`): input, target, id, metadata. promptfoo reads one as a test
(`tests: file://...jsonl`): vars, metadata. Whoever replays production failures fills in what would have been right.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from audit.models import PayloadKey, Request, SpanPayload
from audit.payloads import opened
from audit.questions import answer_in, question_in
from audit.redaction import redact_value

_AROUND = timedelta(days=2)
_TEMPLATE = re.compile(r"\{(?=[{%#])|[}%#](?=\})")
_OPENED = re.compile(r"\s*(file|package|python|exec):", re.IGNORECASE)
# Some readers take these for ends of lines.
_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def inspect_lines(pages: Iterable[list[Request]]) -> Iterator[str]:
    for case, question, answer in _cases(pages):
        yield _line({"input": question, "target": "", "id": case["trace_id"], "metadata": {**case, "answer": answer}})


def promptfoo_lines(pages: Iterable[list[Request]]) -> Iterator[str]:
    for case, question, answer in _cases(pages):
        text = question if isinstance(question, str) else "\n\n".join(message["content"] for message in question)
        described = f"{case['request_id'] or case['trace_id']}: {case['outcome']}"
        told = {"description": _plain(described), "vars": {"question": _plain(text)}}
        yield _line({**told, "metadata": {**case, "answer": answer}})


def _plain(text: str) -> str:
    """promptfoo renders texts as templates and opens what begins with file://. A user's words are neither: a space of
    no width takes them apart."""
    text = _TEMPLATE.sub("\\g<0>\u200b", text)
    return f"\u200b{text}" if _OPENED.match(text) else text


def questions(rows: list[Request]) -> list[str]:
    """What users asked in these requests, redacted, where it was kept: for comparing, never for showing one of them."""
    if not rows:
        return []
    return [q if isinstance(q, str) else q[-1]["content"] for _, q, _ in _cases([rows]) if q]


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).translate(_ENDS) + "\n"


def _cases(pages: Iterable[list[Request]]) -> Iterator[tuple[dict[str, Any], Any, str]]:
    """Requests whose question is kept. Redacted here as well: a system that keeps raw text does not hand it out so."""
    for page in pages:
        documents = _documents(page)
        for row in page:
            found = documents.get((row.system, row.trace_id), {})
            ordered = [found[key] for key in sorted(found, key=lambda key: key != row.entry_span_id)]
            question = next((q for document in ordered if (q := question_in(document.get("input") or {}))), None)
            if question is None:
                continue
            answer = next((a for document in ordered if (a := answer_in(document.get("output") or {}))), "")
            yield _about(row), redact_value(question), redact_value(answer)


def _about(row: Request) -> dict[str, Any]:
    outcome = row.error_type or ("error" if row.failed else "invalid" if row.output_ok is False else "ok")
    return {
        "request_id": row.request_id,
        "trace_id": row.trace_id.hex,
        "system": row.system,
        "release": row.release,
        "prompt": row.prompt_name,
        "prompt_version": row.prompt_version,
        "model": row.model,
        "outcome": outcome,
        "started_at": row.started_at.isoformat(),
    }


def _documents(page: list[Request]) -> dict[tuple[str, UUID], dict[str, Mapping[str, Any]]]:
    """The kept documents of these requests' spans: (system, trace) -> span id -> document."""
    times = [row.started_at for row in page]
    sealed = SpanPayload.objects.filter(
        trace_id__in={row.trace_id for row in page},
        started_at__range=(min(times) - _AROUND, max(times) + _AROUND),
    ).order_by("started_at", "span_id")
    rows = list(sealed)
    keys = {key.pk: key for key in PayloadKey.objects.filter(pk__in={row.key_id for row in rows})}
    result: dict[tuple[str, UUID], dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        if (key := keys.get(row.key_id)) and (document := opened(row, key)):
            result.setdefault((row.system, row.trace_id), {})[row.span_id] = document
    return result
