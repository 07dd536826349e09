"""An application that calls a model through one instrumentation: run in their environment, `app.py FAMILY STUB OTLP`.

Each call stands in a request of its own, a server span of ours around it, as a web framework's instrumentation makes.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

ASK = [{"role": "user", "content": "Where is Zoë's parcel? I am zoe@example.com, +1 202 555 0142."}]
FAIL = [{"role": "user", "content": "fail: zoe@example.com"}]
MODEL, CLAUDE = "gpt-4.1-mini", "claude-sonnet-4-5"
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}

type Calls = dict[str, Callable[[], Any]]


def openai_client(stub: str) -> Any:
    from openai import OpenAI

    return OpenAI(base_url=f"{stub}/v1", api_key="sk-of-nobody", max_retries=0)


def with_openai(stub: str) -> Calls:
    client = openai_client(stub)
    chat = client.chat.completions.create
    return {
        "chat": lambda: chat(model=MODEL, messages=ASK),
        "stream": lambda: list(chat(model=MODEL, messages=ASK, stream=True, stream_options={"include_usage": True})),
        "stream-without-usage": lambda: list(chat(model=MODEL, messages=ASK, stream=True)),
        "tool": lambda: chat(model=MODEL, messages=ASK, tools=[TOOL]),
        "embedding": lambda: client.embeddings.create(model="text-embedding-3-small", input="zoe@example.com"),
        "responses": lambda: client.responses.create(model=MODEL, input="I am zoe@example.com"),
        "failed": lambda: chat(model=MODEL, messages=FAIL),
    }


def with_anthropic(stub: str) -> Calls:
    from anthropic import Anthropic

    create = Anthropic(base_url=stub, api_key="sk-of-nobody", max_retries=0).messages.create
    return {
        "chat": lambda: create(model=CLAUDE, max_tokens=50, messages=ASK),
        "stream": lambda: list(create(model=CLAUDE, max_tokens=50, messages=ASK, stream=True)),
        "failed": lambda: create(model=CLAUDE, max_tokens=50, messages=FAIL),
    }


def with_langchain(stub: str) -> Calls:
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model=MODEL, base_url=f"{stub}/v1", api_key="sk-of-nobody", max_retries=0)
    chain = ChatPromptTemplate.from_messages([("user", "{question}")]) | model
    return {
        "chat": lambda: chain.invoke({"question": ASK[0]["content"]}),
        "stream": lambda: list(chain.stream({"question": ASK[0]["content"]})),
        "failed": lambda: chain.invoke({"question": FAIL[0]["content"]}),
    }


def with_pydantic_ai(stub: str) -> Calls:
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    model = OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=f"{stub}/v1", api_key="sk-of-nobody"))
    Agent.instrument_all()
    agent = Agent(model, name="helper")

    @agent.tool_plain
    def weather(city: str) -> str:
        return f"Rain in {city}"

    return {
        "agent": lambda: agent.run_sync(ASK[0]["content"]),
        "failed": lambda: agent.run_sync(FAIL[0]["content"]),
    }


def with_litellm(stub: str) -> Calls:
    import litellm

    def complete(messages: Any, **more: Any) -> Any:
        return litellm.completion(
            model=f"openai/{MODEL}", messages=messages, api_base=f"{stub}/v1", api_key="sk-of-nobody", **more
        )

    return {
        "chat": lambda: complete(ASK),
        "stream": lambda: list(complete(ASK, stream=True, stream_options={"include_usage": True})),
        "failed": lambda: complete(FAIL, max_retries=0),
    }


def instrument_official() -> None:
    from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()


def instrument_traceloop(what: str = "openai") -> None:
    if what == "openai":
        from opentelemetry.instrumentation.openai import OpenAIInstrumentor as Instrumentor
    elif what == "anthropic":
        from opentelemetry.instrumentation.anthropic import AnthropicInstrumentor as Instrumentor
    else:
        from opentelemetry.instrumentation.langchain import LangchainInstrumentor as Instrumentor
    Instrumentor().instrument()


def instrument_openinference(what: str = "openai") -> None:
    if what == "openai":
        from openinference.instrumentation.openai import OpenAIInstrumentor as Instrumentor
    elif what == "anthropic":
        from openinference.instrumentation.anthropic import AnthropicInstrumentor as Instrumentor
    else:
        from openinference.instrumentation.langchain import LangChainInstrumentor as Instrumentor
    Instrumentor().instrument()


def instrument_both() -> None:
    """A chain library's instrumentation and the client's side by side: each call is reported twice."""
    instrument_openinference("langchain")
    instrument_openinference("openai")


def instrument_logfire() -> None:
    """It brings a provider of its own, which sends to where the SDK's settings say."""
    import logfire

    logfire.configure(send_to_logfire=False, console=False, metrics=False, inspect_arguments=False)
    logfire.instrument_openai()


def instrument_litellm() -> None:
    import litellm

    litellm.callbacks = ["otel"]


NEWER = {
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT",
}
OLDER = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true"}

# Name: environment, how it is switched on, what is called.
FAMILIES: dict[str, tuple[dict[str, str], Callable[[], None], Callable[[str], Calls]]] = {
    "official-older": (OLDER, instrument_official, with_openai),
    "official-newer": (NEWER, instrument_official, with_openai),
    "traceloop-openai": ({}, instrument_traceloop, with_openai),
    "traceloop-anthropic": ({}, lambda: instrument_traceloop("anthropic"), with_anthropic),
    "traceloop-langchain": ({}, lambda: instrument_traceloop("langchain"), with_langchain),
    "openinference-openai": ({}, instrument_openinference, with_openai),
    "openinference-anthropic": ({}, lambda: instrument_openinference("anthropic"), with_anthropic),
    "openinference-langchain": ({}, lambda: instrument_openinference("langchain"), with_langchain),
    "openinference-both": ({}, instrument_both, with_langchain),
    "pydantic-ai": ({}, lambda: None, with_pydantic_ai),
    "logfire": ({}, instrument_logfire, with_openai),
    # Without it litellm writes a call onto our own span, often after that has ended.
    "litellm": ({"USE_OTEL_LITELLM_REQUEST_SPAN": "true"}, instrument_litellm, with_litellm),
}


def set_up(family: str, otlp: str) -> Callable[[], None]:
    """The SDK with its own exporters. Returns what sends the rest."""
    if family == "logfire":
        import logfire

        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlp
        os.environ["OTEL_EXPORTER_OTLP_HEADERS"] = f"Authorization=Bearer%20{os.environ.get('READINESS_TOKEN', '')}"
        return lambda: logfire.shutdown() and None

    from opentelemetry import _logs, trace
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create({"service.name": "family"})
    token = {"Authorization": f"Bearer {os.environ.get('READINESS_TOKEN', '')}"}
    spans, logs = TracerProvider(resource=resource), LoggerProvider(resource=resource)
    spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{otlp}/v1/traces", headers=token)))
    logs.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter(f"{otlp}/v1/logs", headers=token)))
    trace.set_tracer_provider(spans)
    _logs.set_logger_provider(logs)

    def finish() -> None:
        spans.shutdown()
        logs.shutdown()

    return finish


def main(family: str, stub: str, otlp: str) -> None:
    environment, instrument, calls_of = FAMILIES[family]
    os.environ.update(environment)
    finish = set_up(family, otlp)
    instrument()

    from opentelemetry import trace

    tracer = trace.get_tracer("app")
    for name, call in calls_of(stub).items():
        with tracer.start_as_current_span(f"POST /{name}", kind=trace.SpanKind.SERVER) as entry:
            entry.set_attributes({"readiness.request_id": f"{family}-{name}", "readiness.release": "2026.11.2"})
            if name == "failed":
                with suppress(Exception):
                    call()
            else:
                call()
    finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
