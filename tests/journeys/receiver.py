"""A webhook receiver on this machine, which keeps what it was sent and checks the signatures as a customer would."""

import json
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from standardwebhooks import Webhook

FRESH = 300  # seconds, as the specification of Standard Webhooks has it


class Receiver:
    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.late: list[float] = []  # seconds from the message's time until it came, where a customer would refuse it
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {k.lower(): v for k, v in self.headers.items()}
                if abs(age := time.time() - int(headers.get("webhook-timestamp", 0))) > FRESH:
                    outer.late.append(age)
                outer.received.append((headers, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def topics(self) -> list[str]:
        return [str(json.loads(body).get("type")) for _, body in self.received]

    def all_signed(self, secret: str) -> bool:
        """As `Webhook.verify`, with the age that a message had when it came: a journey may take longer than a customer
        allows."""
        hook = Webhook(secret)
        return (
            bool(self.received)
            and not self.late
            and all(
                hook.sign(
                    headers["webhook-id"], datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC), body.decode()
                )
                in headers["webhook-signature"].split()
                for headers, body in self.received
            )
        )
