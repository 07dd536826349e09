"""People, a system, and the real things on the other end: a mail server and a webhook receiver on this machine."""

import contextlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from django.utils import timezone

from tests import factories


@pytest.fixture
def now():
    """The present: signatures of webhooks and delays are measured against the real clock."""
    return timezone.now()


@pytest.fixture
def admin(db, now):
    return factories.make_admin(now=now)


@pytest.fixture
def people(admin, now):
    """`people("Oli", "operations")`: a person with roles for the whole organisation, or on one system."""

    def make(name, *roles, system=""):
        return factories.make_user(name, *roles, system=system, now=now, password=factories.PASSWORD)

    return make


@pytest.fixture
def system(admin, now):
    return factories.make_system("support-bot", now=now)


@pytest.fixture
def other_system(admin, now):
    return factories.make_system("search", now=now)


class Inbox:
    """What a mail server took, as it came over the wire."""

    def __init__(self):
        self.mails = []
        self.refuse = ""

    async def handle_DATA(self, server, session, envelope):
        if self.refuse:
            return self.refuse
        self.mails.append(envelope)
        return "250 OK"

    def to(self, address):
        return [mail for mail in self.mails if address in mail.rcpt_tos]


@pytest.fixture
def inbox(settings):
    """A real SMTP server, and Django told to use it."""
    handler = Inbox()
    with socket.socket() as probe:  # the controller wants to be told a port
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    settings.MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": "127.0.0.1", "port": port, "timeout": 5},
        }
    }
    yield handler
    controller.stop()


class Receiver:
    """A webhook receiver that can be taken down and started again on the same port."""

    def __init__(self):
        self.requests = []
        self.answers = []  # statuses for the next requests; then 200
        self.location = ""  # where a redirect points to
        self._server = None
        self._may_answer = threading.Event()
        self._may_answer.set()
        self.port = 0

    def start(self):
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((dict(self.headers), body))
                receiver._may_answer.wait(60)
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.end_headers()

            def handle(self):
                with contextlib.suppress(ConnectionError):  # whoever asked was killed
                    super().handle()

            def log_message(self, *args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def hold(self):
        """From now on it takes requests and does not answer, until `release`."""
        self._may_answer.clear()

    def release(self):
        self._may_answer.set()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hooks?key=of-the-receiver"


@pytest.fixture
def receiver(settings):
    found = Receiver()
    found.start()
    settings.EGRESS_ALLOW = [f"127.0.0.1:{found.port}"]
    yield found
    found.stop()
