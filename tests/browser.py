"""A real browser for tests: `browser_page(user=..., theme=..., width=...)` opens one, `axe_clean(page)` reads it.

The pages come from a server in this process that shares the test's own database connection: what the test wrote is
seen without a commit, and is gone afterwards (tables that refuse TRUNCATE could not be emptied otherwise). Requests are
answered one after the other. Work that waits for a commit does not happen here: the journeys use real processes.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import ThreadedWSGIServer
from django.db import connections
from django.test import Client
from django.test.testcases import LiveServerThread
from playwright.sync_api import Browser, ConsoleMessage, Page

PHONE = 390
DESKTOP = 1280


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """The system's Chromium, without its sandbox where we are root."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.fail("No Chromium was found on PATH: bin/test installs it, or `apt-get install chromium`.")
    # Playwright keeps an event loop in this thread from now on, which Django would take for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    return {"executable_path": path, "args": ["--no-sandbox"] if os.geteuid() == 0 else []}


# One database connection takes one request at a time. A test that works on the database itself while an open page asks
# for news every few seconds takes its turn as well: `with between_requests:`
between_requests = threading.Lock()


class _OneByOne(StaticFilesHandler):
    def __call__(self, environ: Any, start_response: Any) -> Any:
        with between_requests:
            return super().__call__(environ, start_response)


class _Server(ThreadedWSGIServer):
    daemon_threads = False  # closing waits for what is being answered: it uses the test's connection

    def _close_connections(self) -> None:
        """The one connection is not the server's to close."""


class _ServerThread(LiveServerThread):
    server_class = _Server

    def run(self) -> None:
        with patch.object(connections, "close_all"):  # for the same reason
            super().run()


@pytest.fixture
def site(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the running site."""
    shared = connections["default"]
    shared.inc_thread_sharing()
    # A request begins and ends by closing connections that seem old; this one is the test's, which goes on using it.
    monkeypatch.setattr(shared, "close_if_unusable_or_obsolete", lambda: None)
    server = _ServerThread("localhost", _OneByOne, connections_override={"default": shared})
    server.daemon = True
    server.start()
    server.is_ready.wait()
    if server.error:
        raise server.error
    settings.ALLOWED_HOSTS = ["localhost", "testserver"]
    yield f"http://localhost:{server.port}"
    server.terminate()
    shared.dec_thread_sharing()


BrowserPage = Callable[..., Page]


@pytest.fixture
def browser_page(browser: Browser, site: str) -> Iterator[BrowserPage]:
    """Opens pages; what they complain about in the console (a refused style, a broken script) fails the test."""
    contexts, complaints = [], []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(f"{message.text} at {message.location.get('url', '')}")

    def open_page(*, user: Any = None, theme: str = "light", width: int = DESKTOP) -> Page:
        context = browser.new_context(
            base_url=site,
            viewport={"width": width, "height": 844 if width < 600 else 900},
            color_scheme="dark" if theme == "dark" else "light",
            has_touch=width < 600,
        )
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user, backend="accounts.backends.SignInBackend")
            context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site}])
        page = context.new_page()
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def axe_clean() -> Callable[[Page], None]:
    """Fails with every violation of WCAG and good practice that axe finds, and where."""

    def check(page: Page) -> None:
        page.wait_for_load_state("load")
        page.evaluate("document.fonts.ready")
        # Colours that are still fading from one theme to the other are nobody's contrast.
        page.evaluate(
            "document.getAnimations().forEach(a => a.effect.getComputedTiming().endTime < Infinity && a.finish())"
        )
        found = [
            f"{violation['id']} ({violation['impact']}): {node['target']} {node['html'][:160]}"
            for violation in Axe().run(page).response["violations"]
            for node in violation["nodes"]
        ]
        assert not found, "\n".join(found)
        overflow = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert overflow <= 0, f"The page is {overflow} px wider than the window."

    return check
