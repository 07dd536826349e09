"""A server that answers like OpenAI's and Anthropic's APIs, and remembers what it really answered.

Standard library only: it runs in the virtual environment of the instrumentations, which has nothing of ours.
What it remembers is the truth that the trail is compared with: how many calls were made, and what each used.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

MODEL = "gpt-4.1-mini"
ANSWER = '{"answer": "Write to zoe@example.com."}'
TOKENS_IN, TOKENS_OUT = 21, 9


@dataclass
class Answered:
    path: str
    model: str
    status: int
    stream: bool
    tokens_in: int | None  # None: the answer said nothing about usage
    tokens_out: int | None


class Handler(BaseHTTPRequestHandler):
    server: "Stub"
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        stream = bool(asked.get("stream"))
        if "fail" in json.dumps(asked.get("messages", asked.get("input", ""))):
            self.server.answered.append(Answered(self.path, asked["model"], 400, stream, None, None))
            self._json(400, {"error": {"message": "Refused for zoe@example.com.", "type": "invalid_request_error"}})
        elif self.path.endswith("/embeddings"):
            self._remember(asked, 200, TOKENS_IN, 0)
            self._json(200, _embedding(asked["model"]))
        elif self.path.endswith("/responses"):
            self._remember(asked, 200, TOKENS_IN, TOKENS_OUT)
            self._json(200, _responses(asked["model"]))
        elif self.path.endswith("/messages"):
            self._remember(asked, 200, TOKENS_IN, TOKENS_OUT)
            if stream:
                self._events(_anthropic_events(asked["model"]))
            else:
                self._json(200, _anthropic(asked["model"]))
        elif stream:
            usage = bool((asked.get("stream_options") or {}).get("include_usage"))
            self._remember(asked, 200, TOKENS_IN if usage else None, TOKENS_OUT if usage else None)
            self._events((None, chunk) for chunk in _chunks(asked["model"], usage))
        else:
            self._remember(asked, 200, TOKENS_IN, TOKENS_OUT)
            self._json(200, _chat(asked))

    def _remember(self, asked: dict[str, Any], status: int, tokens_in: int | None, tokens_out: int | None) -> None:
        stream = bool(asked.get("stream"))
        self.server.answered.append(Answered(self.path, asked["model"], status, stream, tokens_in, tokens_out))

    def _json(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _events(self, events: Iterable[tuple[str | None, Any]]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for name, data in events:
            head = f"event: {name}\n" if name else ""
            self.wfile.write(f"{head}data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode())
        self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


class Stub(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1 while in its `with` block."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answered: list[Answered] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    @property
    def truth(self) -> list[dict[str, Any]]:
        return [asdict(answer) for answer in self.answered]

    def __enter__(self) -> "Stub":
        Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *args: Any) -> None:
        self.shutdown()
        self.server_close()


def _usage() -> dict[str, int]:
    return {"prompt_tokens": TOKENS_IN, "completion_tokens": TOKENS_OUT, "total_tokens": TOKENS_IN + TOKENS_OUT}


def _chat(asked: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": ANSWER}
    reason = "stop"
    # A tool is called once; its result (a message of the role "tool") is answered with text.
    if asked.get("tools") and all(message.get("role") != "tool" for message in asked["messages"]):
        arguments = json.dumps({"city": "Zoë, zoe@example.com"})
        function = {"name": asked["tools"][0]["function"]["name"], "arguments": arguments}
        call = {"id": "call-1", "type": "function", "function": function}
        message, reason = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    choice = {"index": 0, "message": message, "finish_reason": reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": f"{asked['model']}-2025-04-14",
        "choices": [choice],
        "usage": _usage(),
    }


def _chunks(model: str, usage: bool) -> Iterable[Any]:
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": f"{model}-2025-04-14"}
    half = len(ANSWER) // 2
    for text in (ANSWER[:half], ANSWER[half:]):
        delta = {"role": "assistant", "content": text}
        yield {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield {**base, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    if usage:
        yield {**base, "choices": [], "usage": _usage()}
    yield "[DONE]"


def _responses(model: str) -> dict[str, Any]:
    content = {"type": "output_text", "text": ANSWER, "annotations": []}
    message = {"id": "msg-1", "type": "message", "role": "assistant", "status": "completed", "content": [content]}
    return {
        "id": "resp-1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": f"{model}-2025-04-14",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": TOKENS_IN,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": TOKENS_OUT,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": TOKENS_IN + TOKENS_OUT,
        },
    }


def _embedding(model: str) -> dict[str, Any]:
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
        "model": model,
        "usage": {"prompt_tokens": TOKENS_IN, "total_tokens": TOKENS_IN},
    }


def _anthropic(model: str, content: bool = True) -> dict[str, Any]:
    return {
        "id": "msg-1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": ANSWER}] if content else [],
        "stop_reason": "end_turn" if content else None,
        "stop_sequence": None,
        "usage": {"input_tokens": TOKENS_IN, "output_tokens": TOKENS_OUT if content else 0},
    }


def _anthropic_events(model: str) -> Iterable[tuple[str, Any]]:
    def event(kind: str, **body: Any) -> tuple[str, Any]:
        return kind, {"type": kind, **body}

    yield event("message_start", message=_anthropic(model, content=False))
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": ANSWER})
    yield event("content_block_stop", index=0)
    usage = {"input_tokens": TOKENS_IN, "output_tokens": TOKENS_OUT}
    yield event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage=usage)
    yield event("message_stop")
