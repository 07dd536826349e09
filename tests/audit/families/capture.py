"""Runs the real libraries against the stub and writes down what they send: `python -m tests.audit.families.capture`.

What it writes is committed beside it (samples/FAMILY.json), so that CI reads what real libraries sent without
installing them. `long` tests run the libraries themselves. It needs pip, for the Vercel AI SDK node and npm too.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.audit.families.app import FAMILIES
from tests.audit.families.stub import Stub

HERE = Path(__file__).parent
SAMPLES = HERE / "samples"
VERCEL = "vercel-ai-sdk"
NAMES = (*FAMILIES, VERCEL)
_MESSAGES = {"/v1/traces": ExportTraceServiceRequest, "/v1/logs": ExportLogsServiceRequest}


def python_home() -> Path:
    """The instrumentations' own virtual environment; made where there is none yet."""
    home = Path(tempfile.gettempdir()) / "readiness-families"
    if not (home / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        wanted = ["install", "--quiet", "-r", str(HERE / "requirements.txt")]
        subprocess.run([str(home / "bin" / "python"), "-m", "pip", *wanted], check=True)
    return home


def node_home() -> Path:
    home = Path(tempfile.gettempdir()) / "readiness-families-node"
    home.mkdir(exist_ok=True)
    for name in ("app.mjs", "package.json"):
        shutil.copy(HERE / name, home)
    if not (home / "node_modules").exists():
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], check=True, cwd=home)
    return home


def run(family: str, *, stub: str, otlp: str, token: str = "") -> None:
    """One run of the application, without any setting or secret of ours."""
    clean = {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), "READINESS_TOKEN": token}
    if family == VERCEL:
        command, where = ["node", "app.mjs", stub, otlp], node_home()
    else:
        where = python_home()
        command = [str(where / "bin" / "python"), str(HERE / "app.py"), family, stub, otlp]
        clean["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else it asks its vendor for prices
    subprocess.run(command, check=True, timeout=120, env=clean, cwd=where, stdout=subprocess.DEVNULL)


class _Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self._body()
        if self.headers.get("Content-Encoding") == "gzip":
            body = zlib.decompress(body, 31)
        if "json" in self.headers["Content-Type"]:
            message = json.loads(body)
        else:
            message = MessageToDict(_MESSAGES[self.path].FromString(body))
        self.server.received.append((self.path, message))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _body(self) -> bytes:
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def collector() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as server:
        server.received = []  # type: ignore[attr-defined]
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def capture(family: str) -> None:
    with Stub() as stub, collector() as server:
        run(family, stub=stub.url, otlp=f"http://127.0.0.1:{server.server_port}")
        sent: dict[str, list[Any]] = {"/v1/traces": [], "/v1/logs": []}
        for path, message in server.received:  # type: ignore[attr-defined]
            sent[path].append(message)
        sample = {"family": family, "truth": stub.truth, "traces": sent["/v1/traces"], "logs": sent["/v1/logs"]}
        text = json.dumps(_without_machine(sample), ensure_ascii=False, separators=(",", ":"))
        (SAMPLES / f"{family}.json").write_text(text.replace(stub.url, "http://127.0.0.1:1") + "\n")


def _without_machine(sample: Any) -> Any:
    """Without what is about the machine: paths in tracebacks, and the resource's host and process."""
    if isinstance(sample, list):
        return [_without_machine(item) for item in sample]
    if isinstance(sample, dict):
        if str(sample.get("key", "")).partition(".")[0] in ("host", "process"):
            return {"key": sample["key"], "value": {"stringValue": "-"}}
        return {key: _without_machine(item) for key, item in sample.items()}
    if isinstance(sample, str) and "/" in sample:
        return re.sub(r"(?:/[\w.-]+)+/(?=(?:lib/python|families/|node_modules/|app\.mjs))", "/home/app/", sample)
    return sample


def main(names: list[str]) -> None:
    for family in names or NAMES:
        capture(family)
        print(f"{family}: captured")


if __name__ == "__main__":
    main(sys.argv[1:])
