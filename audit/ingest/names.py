"""Which attribute says what, family by family, best name first.

Families: OpenTelemetry GenAI conventions new and old (`gen_ai.*`), OpenInference (`llm.*`, `input.value`), Traceloop
(`traceloop.*`), the Vercel AI SDK (`ai.*`), pydantic-ai and logfire, litellm (`llm.<vendor>.*`), and our own
`readiness.*` for what none of them has. A name is added here when a real instrumentation is seen to send it:
tests/audit/families captures what they send.
"""

import re
from functools import lru_cache
from typing import Literal

REQUEST_ID = (
    "readiness.request_id",
    "request.id",
    "request_id",
    "http.request.header.x-request-id",
    "http.request.header.request-id",
)
RELEASE = ("readiness.release",)
SYSTEM = ("readiness.system",)
ENVIRONMENT = ("readiness.environment", "deployment.environment.name", "deployment.environment")
TENANT = (
    "readiness.tenant",
    "tenant.id",
    "traceloop.association.properties.tenant_id",
    "traceloop.association.properties.tenant",
    "ai.telemetry.metadata.tenantId",
    "ai.telemetry.metadata.tenant",
)
COMPONENT = (
    "readiness.component",
    "gen_ai.tool.name",
    "gen_ai.agent.name",
    "traceloop.entity.name",
    "ai.telemetry.functionId",
)

PROMPT_NAME = (
    "gen_ai.prompt.name",
    "readiness.prompt.name",
    "traceloop.prompt.key",
    "ai.telemetry.metadata.promptName",
)
PROMPT_VERSION = (
    "gen_ai.prompt.version",
    "readiness.prompt.version",
    "llm.prompt_template.version",
    "traceloop.prompt.version",
    "ai.telemetry.metadata.promptVersion",
)
PROMPT_HASH = ("readiness.prompt.hash", "traceloop.prompt.version_hash", "ai.telemetry.metadata.promptHash")
PROMPT_TEMPLATE = ("readiness.prompt.template", "llm.prompt_template.template", "traceloop.prompt.template")

MODEL_REQUESTED = (
    "gen_ai.request.model",
    "llm.model_name",
    "embedding.model_name",
    "reranker.model_name",
    "ai.model.id",
)
MODEL_ANSWERED = ("gen_ai.response.model", "ai.response.model")
PROVIDER = ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider")
RESPONSE_ID = ("gen_ai.response.id", "ai.response.id")
TOKENS_IN = (
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
    "ai.usage.inputTokens",
    "ai.usage.promptTokens",
    "ai.usage.tokens",
)
TOKENS_OUT = (
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
    "ai.usage.outputTokens",
    "ai.usage.completionTokens",
)
TOKENS_CACHED = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "ai.usage.cachedInputTokens",
)
COST_USD = ("readiness.cost_usd", "gen_ai.cost.total_cost", "operation.cost")

SOURCE_IDS = ("readiness.source_ids", "gen_ai.retrieval.documents")
SOURCE_ID_INDEXED = re.compile(r"retrieval\.documents\.\d+\.document\.id")

INPUT_VALID = ("readiness.schema.input.valid",)
OUTPUT_VALID = ("readiness.schema.output.valid",)
RETRIES = ("readiness.retries", "http.request.resend_count")
TIMED_OUT = ("readiness.timeout",)
FALLBACK = ("readiness.fallback",)
HANDOFF = ("readiness.handoff",)
ERROR_TYPE = ("error.type", "exception.type")

# The application's own input and output, whole: what the contract is about.
INPUT_TEXT = ("readiness.input",)
OUTPUT_TEXT = (
    "readiness.output",
    "gen_ai.output.messages",
    "gen_ai.choice",
    "ai.response.object",
    "ai.response.text",
    "gen_ai.completion",
)
OUTPUT_INDEXED = re.compile(
    r"llm\.output_messages\.\d+\.message\.content|gen_ai\.completion\.\d+\.content"
    r"|llm\.output_messages\.\d+\.message\.contents\.\d+\.message_content\.text"
)

LONG = 4_096  # characters of keys: beyond it nothing is remembered, so that no sender decides what memory holds

_CONTENT_IN = re.compile(
    r"""(?x)
    readiness\.(?:input|prompt\.(?:template|variable\..*))
    | gen_ai\.(?:input\.messages | system_instructions | prompt | prompt\.\d+\..* | prompt\.variable\..*
               | tool\.call\.arguments | tool\.definitions | retrieval\.query\.text | (?:user|system|tool)\.message.*)
    | llm\.(?:input_messages\..* | prompts.* | prompt_template\.(?:template|variables) | tools\..*
             | invocation_parameters)
    | input\.value | embedding\.embeddings\..* | tool\.parameters
    | gen_ai\.task\.input | model_request_parameters | request_data
    | llm\.(?!token_count\.)[a-z_]+\.(?:messages|input|prompt|system|contents|tools|extra_body)
    | traceloop\.(?:entity\.input | prompt\.(?:template|template_variables))
    | ai\.(?:prompt.* | toolCall\.args | value | values)
    | pydantic_ai\.all_messages | all_messages_events
    """
)
_CONTENT_OUT = re.compile(
    r"""(?x)
    readiness\.output
    | gen_ai\.(?:output\.messages | completion | completion\.\d+\..* | tool\.call\.result | choice.*
               | retrieval\.documents | assistant\.message.*)
    | llm\.(?:output_messages\..* | completions.*)
    | gen_ai\.task\.output | response_data | llm\.[a-z_]+\.(?:choices|content|output|candidates)
    | output\.value | retrieval\.documents\..* | reranker\..*_documents\..*
    | traceloop\.entity\.output
    | ai\.response\.(?:text | object | toolCalls | reasoning | files) | ai\.toolCall\.result | ai\.embeddings?
    | final_result
    """
)
# Parts of the content groups that are facts, not content.
_NOT_CONTENT = re.compile(r"gen_ai\.prompt\.(?:name|version)|retrieval\.documents\.\d+\.document\.(?:id|score)")


def content_side(key: str) -> Literal["input", "output"] | None:
    """Whether an attribute carries prompt or answer: that is stored apart, encrypted, as the system's profile says."""
    return _content_side(key) if len(key) <= LONG else _content_side.__wrapped__(key)


@lru_cache(maxsize=4096)
def _content_side(key: str) -> Literal["input", "output"] | None:
    if _NOT_CONTENT.fullmatch(key):
        return None
    if _CONTENT_IN.fullmatch(key):
        return "input"
    return "output" if _CONTENT_OUT.fullmatch(key) else None
