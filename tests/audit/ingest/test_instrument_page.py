"""What docs/how-to/instrument.md tells to copy, run as it stands there by an application of its own.

Only host, token and what the text leaves to the reader are put in.
"""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.utils import timezone

from audit import derivation, spanlog, trail
from tests.audit.sending import ingest_token
from tests.audit.trailing import settle

pytestmark = pytest.mark.django_db(transaction=True)
CHECKOUT = Path(__file__).parents[3]
PAGE = (CHECKOUT / "docs/how-to/instrument.md").read_text()
HOST = "https://readiness.example.org"
HASH = "sha256:" + "a" * 64
# What the reader's application has already.
BEFORE = f"""
from types import SimpleNamespace
request_id, prompt_hash = "req-copied", "{HASH}"
found = [SimpleNamespace(id="doc-1"), SimpleNamespace(id="doc-7")]
"""
SDK = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
with trace.get_tracer("app").start_as_current_span("POST /ask"):
"""


def block(kind: str, holding: str) -> str:
    """The one block of this kind that holds these words."""
    (found,) = [one for one in re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE) if holding in one]
    return found


def run(setup: str, program: str, url: str, folder: Path) -> None:
    """The shell block, then the program, in one shell: as a person would."""
    (folder / "app.py").write_text(program)
    done = subprocess.run(
        ["sh", "-euc", f"{setup.replace(HOST, url)}\nexec {sys.executable} app.py"],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(CHECKOUT / "clients"),
            "READINESS_URL": url,
            "READINESS_TOKEN": ingest_token(),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def request_of(live_server, tmp_path):
    """Runs a program and returns the one request that came of it."""
    spanlog.sequence(now=timezone.now())  # what tests before this one committed
    derivation.derive(now=timezone.now() + derivation.QUIET)

    def running(setup: str, program: str) -> trail.RequestView:
        run(setup, BEFORE + program, live_server.url, tmp_path)
        settle()
        (request,) = trail.find("req-copied")
        assert (request.release, request.prompt_hash) == ("2026.11.2", HASH)
        assert request.source_ids == ("doc-1", "doc-7")
        return request

    return running


def test_the_opentelemetry_blocks(request_of):
    copied = block("python", "span.set_attributes(")
    indented = "".join(f"    {line}\n" if line else "\n" for line in copied.splitlines())
    request = request_of(block("sh", "OTEL_EXPORTER_OTLP_ENDPOINT"), f"{SDK}{indented}provider.shutdown()\n")
    assert [view.name for view in request.spans] == ["POST /ask"]


def test_the_client_block(request_of):
    request = request_of("", block("python", "Trail(") + "\nassert trail.close(60) and not trail.dropped\n")
    assert (request.tokens_in, request.tokens_out, request.model) == (812, 96, "gpt-4.1-mini")
    assert [view.name for view in request.spans] == ["POST /ask", "retrieve", "answer"]


def test_the_instrumentations_that_are_named_are_those_that_are_captured():
    """Each is run for real in its own environment (tests/audit/families); here the page says the same imports."""
    captured = (CHECKOUT / "tests/audit/families/app.py").read_text()
    named = [
        node for node in ast.walk(ast.parse(block("python", "OpenAIInstrumentor"))) if isinstance(node, ast.ImportFrom)
    ]
    assert len(named) >= 4
    assert [ast.unparse(node) for node in named if f"from {node.module} import" not in captured] == []
