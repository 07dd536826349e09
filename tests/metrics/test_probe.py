"""Known-bad inputs, and a server that refuses them, takes them, or cannot tell."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from audit.contract import validator
from metrics import egress, probe

SCHEMA = {
    "type": "object",
    "required": ["question"],
    "properties": {"question": {"type": "string", "maxLength": 50}, "top": {"type": "integer", "minimum": 1}},
    "additionalProperties": False,
}
EXAMPLE = {"question": "Where?", "top": 3}


@pytest.fixture
def staging(settings):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.seen.append((body, self.headers.get("Authorization")))
            try:
                fits = validator(SCHEMA).is_valid(json.loads(body)) and len(body) < 200
            except ValueError:
                fits = False
            answer = b'{"detail": "Ask zoe@example.com."}'
            self.send_response(self.server.answers(fits))
            self.send_header("X-Request-Id", "req-7")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen, server.answers = [], lambda fits: 200 if fits else 422
        settings.EGRESS_ALLOW = [f"127.0.0.1:{server.server_port}"]
        server.url = f"http://127.0.0.1:{server.server_port}/ask"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def run(server, **headers):
    return probe.run(server.url, SCHEMA, example=EXAMPLE, max_chars=100, headers=headers)


def test_every_bad_input_is_bad_by_the_schema_or_the_limit():
    cases = list(probe.bad_inputs(SCHEMA, example=EXAMPLE, max_chars=100))
    names = {case.name for case in cases}
    assert {"cut JSON", "without question", "question of another type", "question too long"} <= names
    assert "without top" not in names, "the schema allows it"
    for case in cases[1:]:
        assert not validator(SCHEMA).is_valid(json.loads(case.body)), case.name
    with pytest.raises(ValueError, match="delimiter|EOF|char"):
        json.loads(cases[0].body)


def test_a_server_that_keeps_the_contract_passes(staging):
    found = run(staging, Authorization="Bearer staging")
    assert found.passed and found.control.outcome == "accepted"
    assert {case.outcome for case in found.cases} == {"refused"}
    assert {case.request_id for case in found.cases} == {"req-7"}
    assert "zoe@example.com" not in str(found.body()) and "Bearer staging" not in str(found.body())
    assert staging.seen[0][1] == "Bearer staging"


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        (lambda fits: 200, "accepted"),  # checks nothing
        (lambda fits: 200 if fits else 500, "unclear"),  # breaks instead of refusing
        (lambda fits: 200 if fits else 429, "unclear"),  # about the caller, not the content
    ],
)
def test_a_server_that_does_not_refuse_fails(staging, answers, outcome):
    staging.answers = answers
    found = run(staging)
    assert not found.passed
    assert {case.outcome for case in found.cases} == {outcome}


def test_a_server_that_refuses_everything_proves_nothing(staging):
    staging.answers = lambda fits: 422
    assert not run(staging).passed


def test_nobody_there_is_no_pass_and_a_private_address_is_not_asked(staging, settings):
    staging.shutdown()
    staging.server_close()
    assert not run(staging).passed
    settings.EGRESS_ALLOW = []
    with pytest.raises(egress.EgressRefused):
        run(staging)


@pytest.mark.parametrize(
    "schema",
    [
        SCHEMA,
        {"type": "array", "items": {"type": "number"}, "minItems": 2},
        {"type": "object", "properties": {"a": {"enum": ["x"]}, "b": {"type": "boolean"}}, "required": ["a", "b"]},
        {"type": ["string", "null"], "minLength": 20},
    ],
)
def test_an_example_is_made_where_a_plain_way_finds_one(schema):
    assert validator(schema).is_valid(probe.example_of(schema))
    assert probe.example_of({"type": "string", "pattern": "^[0-9]{40}$"}) is None
