"""One span of each family, with the names that its library really sends."""

import json
from decimal import Decimal

import pytest

from audit.ingest.mapping import read_span
from audit.ingest.names import content_side
from audit.ingest.wire import WireEvent, WireSpan


def wire(attributes=None, *, resource=None, parent=b"12345678", kind=1, status=0, events=()):
    return WireSpan(
        trace_id=bytes(16),
        span_id=bytes(8),
        parent_id=parent,
        name="x",
        kind=kind,
        start_ns=1,
        end_ns=2,
        status=status,
        status_message="",
        attributes=attributes or {},
        resource=resource or {},
        scope="",
        events=list(events),
    )


FAMILIES = {
    "official openai-v2": {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4.1",
        "gen_ai.response.model": "gpt-4.1-2025",
        "gen_ai.response.id": "resp-1",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
    },
    "older semantic conventions": {
        "gen_ai.operation.name": "text_completion",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4.1",
        "gen_ai.response.model": "gpt-4.1-2025",
        "gen_ai.response.id": "resp-1",
        "gen_ai.usage.prompt_tokens": 10,
        "gen_ai.usage.completion_tokens": 5,
    },
    "openinference": {
        "openinference.span.kind": "LLM",
        "llm.provider": "openai",
        "llm.model_name": "gpt-4.1",
        "llm.token_count.prompt": 10,
        "llm.token_count.completion": 5,
    },
    "traceloop 0.40": {
        "llm.request.type": "chat",
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4.1",
        "gen_ai.usage.prompt_tokens": 10,
        "gen_ai.usage.completion_tokens": 5,
    },
    "vercel ai sdk": {
        "ai.operationId": "ai.generateText.doGenerate",
        "ai.model.provider": "openai",
        "ai.model.id": "gpt-4.1",
        "ai.response.id": "resp-1",
        "ai.usage.inputTokens": 10,
        "ai.usage.outputTokens": 5,
    },
}


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_is_a_model_call_with_model_and_tokens(family):
    reading = read_span(wire(FAMILIES[family]))
    assert (reading.kind, reading.model_requested, reading.provider) == ("model", "gpt-4.1", "openai")
    assert (reading.tokens_in, reading.tokens_out) == (10, 5)
    assert reading.response_id == ("" if family in ("openinference", "traceloop 0.40") else "resp-1")


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"gen_ai.operation.name": "embeddings"}, "embedding"),
        ({"gen_ai.operation.name": "execute_tool"}, "tool"),
        ({"gen_ai.operation.name": "invoke_agent"}, "agent"),
        ({"openinference.span.kind": "RETRIEVER"}, "retrieval"),
        ({"openinference.span.kind": "CHAIN"}, "chain"),
        ({"traceloop.span.kind": "workflow"}, "chain"),
        ({"llm.request.type": "embedding", "gen_ai.request.model": "e"}, "embedding"),
        ({"ai.operationId": "ai.embed.doEmbed"}, "embedding"),
        ({"ai.operationId": "ai.toolCall"}, "tool"),
        ({"readiness.kind": "validation"}, "validation"),
        ({"readiness.kind": "made up"}, "other"),
        ({}, "other"),
    ],
)
def test_kinds(attributes, kind):
    assert read_span(wire(attributes)).kind == kind


def test_entries_are_requests():
    assert read_span(wire(parent=b"")).kind == "request"
    assert read_span(wire(kind=2)).kind == "request"


def test_pydantic_ais_sum_over_an_agent_is_not_usage():
    reading = read_span(wire({"gen_ai.operation.name": "invoke_agent", "gen_ai.aggregated_usage.input_tokens": 99}))
    assert reading.tokens_in is None


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (7, 7),
        ("7", 7),
        (7.0, 7),
        (0, 0),
        (-1, None),
        (7.5, None),
        ("x", None),
        (True, None),
        (2**40, None),
        (None, None),
    ],
)
def test_counts_are_whole_numbers_or_unknown(value, count):
    assert read_span(wire({"gen_ai.usage.input_tokens": value})).tokens_in == count


def test_a_version_may_be_a_number():
    assert read_span(wire({"traceloop.prompt.version": 7})).prompt_version == "7"


def test_a_header_comes_as_a_list():
    assert read_span(wire({"http.request.header.x-request-id": ["req-9"]})).request_id == "req-9"


def test_labels_may_stand_on_the_resource_and_the_span_wins():
    resource = {"readiness.release": "old", "readiness.tenant": "acme"}
    reading = read_span(wire({"readiness.release": "new"}, resource=resource))
    assert (reading.release, reading.tenant) == ("new", "acme")


TEMPLATE = "You are helpful."
HASH = "sha256:" + __import__("hashlib").sha256(TEMPLATE.encode()).hexdigest()


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"readiness.prompt.hash": HASH}, (HASH, "claimed")),
        ({"readiness.prompt.hash": HASH[7:].upper()}, (HASH, "claimed")),
        ({"readiness.prompt.template": TEMPLATE}, (HASH, "recomputed")),
        ({"llm.prompt_template.template": TEMPLATE, "readiness.prompt.hash": HASH}, (HASH, "recomputed")),
        ({"readiness.prompt.template": TEMPLATE, "readiness.prompt.hash": "sha256:" + "0" * 64}, (HASH, "mismatch")),
        ({}, ("", "")),
    ],
)
def test_the_prompt_hash_is_recomputed_where_the_text_is_there(attributes, expected):
    reading = read_span(wire(attributes))
    assert (reading.prompt_hash, reading.prompt_hash_source) == expected


@pytest.mark.parametrize(
    ("attributes", "sources"),
    [
        ({"readiness.source_ids": ["a", "b", "a"]}, ["a", "b"]),
        ({"readiness.source_ids": '["a", "b"]'}, ["a", "b"]),
        ({"readiness.source_ids": "a"}, ["a"]),
        ({"readiness.source_ids": []}, []),
        ({"gen_ai.retrieval.documents": json.dumps([{"id": "a", "score": 0.5}, {"id": "b"}])}, ["a", "b"]),
        ({"retrieval.documents.0.document.id": "a", "retrieval.documents.1.document.id": "b"}, ["a", "b"]),
        ({}, None),
    ],
)
def test_sources(attributes, sources):
    assert read_span(wire(attributes)).source_ids == sources


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ({"readiness.output": "own"}, "own"),
        (
            {
                "gen_ai.output.messages": json.dumps(
                    [{"role": "assistant", "parts": [{"type": "text", "content": "a"}]}]
                )
            },
            "a",
        ),
        ({"gen_ai.output.messages": '[{"role": "assistant", "parts": [{"ty'}, None),  # cut by a length limit
        ({"ai.response.text": "vercel"}, "vercel"),
        ({"llm.output_messages.0.message.content": "oi"}, "oi"),
        ({"gen_ai.completion.0.content": "tl"}, "tl"),
    ],
)
def test_the_answer_of_a_model(attributes, text):
    assert read_span(wire({"gen_ai.operation.name": "chat", **attributes})).output_text == text


def test_errors_from_attribute_event_and_status():
    assert read_span(wire({"error.type": "timeout"})).failed
    event = WireEvent("exception", 1, {"exception.type": "RateLimitError"})
    assert read_span(wire(status=2, events=[event])).error_type == "RateLimitError"
    only_text = read_span(wire(status=2))
    assert (only_text.failed, only_text.error_type) == (True, "error")
    assert not read_span(wire(events=[event])).failed  # an exception that somebody caught


@pytest.mark.parametrize("error", ["timeout", "openai.APITimeoutError", "DEADLINE_EXCEEDED", "timed out"])
def test_timeouts_by_their_names(error):
    assert read_span(wire({"error.type": error})).timed_out


@pytest.mark.parametrize(
    ("value", "usd"), [("0.0125", Decimal("0.0125")), (0.5, Decimal("0.5")), ("-1", None), ("x", None)]
)
def test_claimed_cost(value, usd):
    assert read_span(wire({"readiness.cost_usd": value})).claimed_cost_usd == usd


@pytest.mark.parametrize(
    ("key", "side"),
    [
        ("gen_ai.input.messages", "input"),
        ("gen_ai.prompt.0.content", "input"),
        ("gen_ai.prompt.name", None),
        ("gen_ai.prompt.version", None),
        ("llm.input_messages.0.message.content", "input"),
        ("input.value", "input"),
        ("ai.prompt.messages", "input"),
        ("traceloop.entity.input", "input"),
        ("llm.prompt_template.variables", "input"),
        ("gen_ai.tool.call.arguments", "input"),
        ("gen_ai.output.messages", "output"),
        ("llm.output_messages.0.message.content", "output"),
        ("retrieval.documents.0.document.content", "output"),
        ("retrieval.documents.0.document.id", None),
        ("ai.response.text", "output"),
        ("ai.response.id", None),
        ("pydantic_ai.all_messages", "input"),
        ("gen_ai.choice", "output"),
        ("gen_ai.usage.input_tokens", None),
        ("http.route", None),
    ],
)
def test_what_is_content(key, side):
    assert content_side(key) == side
