"""The ticket hears of a bundle, at the wire: which address, which token, which words; and what a refusal leads to."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from audit import sealing
from jobs.models import Event, Job
from releases import bundling, ticket
from releases.handlers import tell_ticket
from releases.models import Bundle, Release
from releases.ticket import TicketFailed, comment_on
from tests.releases.test_bundle import START, module_stage, stage, started

__all__ = ["module_stage", "stage", "started"]


@pytest.fixture
def site(settings):
    """A GitHub or GitLab of one's own: keeps what it was sent, answers what the test says."""
    received = []

    class Handler(BaseHTTPRequestHandler):
        status = 201

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append((self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(body)))
            self.send_response(Handler.status)
            self.end_headers()

        def log_message(self, format, *args):
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    settings.EGRESS_ALLOW = [f"127.0.0.1:{server.server_port}"]
    settings.GITHUB_URL = settings.GITLAB_URL = url
    yield url, received, Handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def made(started):
    sealing.seal(now=START)
    return bundling.make(decision_id=str(started.pk), now=START)


def point_to(bundle: Bundle, url: str) -> None:
    Release.objects.filter(pk=bundle.decision.release_id).update(ticket_url=url)


def test_github_gets_a_comment_with_review_digest_and_link(made, site, settings):
    url, received, _ = site
    settings.GITHUB_TOKEN = "ghp_secret"
    point_to(made, f"{url}/acme/support-bot/issues/42")
    tell_ticket(Event.objects.get(topic="releases.bundle-made"))
    assert ticket.tell(**Job.objects.get(task="releases.tell_ticket").args)
    [(path, headers, body)] = received
    assert path == "/api/v3/repos/acme/support-bot/issues/42/comments"
    assert headers["authorization"] == "Bearer ghp_secret"
    assert made.digest in body["body"] and f"/decisions/{made.decision_id}/" in body["body"]
    assert "is cleared: both sides have signed" in body["body"]
    assert "| Canary result | **gap** |" in body["body"]


def test_gitlab_gets_a_note_in_a_nested_project(made, site, settings):
    url, received, _ = site
    settings.GITLAB_TOKEN = "glpat-secret"
    point_to(made, f"{url}/acme/ai/support-bot/-/issues/7")
    assert ticket.tell(bundle_id=str(made.pk))
    [(path, headers, _)] = received
    assert path == "/api/v4/projects/acme%2Fai%2Fsupport-bot/issues/7/notes"
    assert headers["private-token"] == "glpat-secret"
    assert "authorization" not in headers


@pytest.mark.parametrize(("status", "permanent"), [(404, True), (401, True), (429, False), (502, False)])
def test_a_refusal_is_told_and_tried_again_where_that_helps(made, site, settings, status, permanent):
    url, _, handler = site
    settings.GITHUB_TOKEN, handler.status = "ghp_secret", status
    point_to(made, f"{url}/acme/support-bot/pull/42")
    with pytest.raises(TicketFailed, match=str(status)) as caught:
        ticket.tell(bundle_id=str(made.pk))
    assert caught.value.permanent is permanent


def test_without_token_or_ticket_nothing_is_sent(made, site):
    url, received, _ = site
    for address in ("", f"{url}/acme/support-bot/issues/42", "https://jira.example/browse/REL-1"):
        point_to(made, address)
        assert not ticket.tell(bundle_id=str(made.pk))
    assert received == []


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/acme/bot/issues/1",
        "https://github.com.evil.example/acme/bot/issues/1",
        "https://github.com@evil.example/acme/bot/issues/1",
        "http://github.com/acme/bot/issues/1",
        "https://github.com/acme/bot/issues/1/../../../../user",
        "https://github.com/acme/bot/settings",
        "https://github.com/acme/bot/issues/1x",
    ],
)
def test_the_token_goes_nowhere_else(settings, address):
    settings.GITHUB_TOKEN = settings.GITLAB_TOKEN = "secret"
    assert comment_on(address) is None


def test_github_itself_is_asked_at_its_api(settings):
    settings.GITHUB_TOKEN = "secret"
    found = comment_on("https://github.com/acme/support-bot/pull/9")
    assert found.url == "https://api.github.com/repos/acme/support-bot/issues/9/comments"
