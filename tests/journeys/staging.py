"""A team's staging server on this machine: it takes what fits its schema, and refuses the rest."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from audit.contract import validator


class Staging:
    def __init__(self, schema: dict[str, Any]) -> None:
        self.seen: list[tuple[str | None, bytes]] = []
        fits = validator(schema).is_valid
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.seen.append((self.headers["Authorization"], body))
                try:
                    good = fits(json.loads(body))
                except ValueError:
                    good = False
                self.send_response(200 if good else 422)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/ask"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
