"""What a newcomer sees first: `bin/up --demo`, signed in, page by page, in both themes and on a phone.

With READINESS_WRITE_IMAGES=1 the screenshot on the first screen of the README is taken anew.
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from accounts.totp import code_at
from demo.notes import Notes
from demo.project import SLUG, email
from readiness.up.broker import free_port
from tests.journeys.entrance import sign_in
from tests.readiness.running import CHECKOUT, CLEAN, Up

pytestmark = pytest.mark.timeout(900)

SYSTEM = f"/systems/{SLUG}/"
PAGES = [
    "/",
    "/releases/",
    SYSTEM,
    f"{SYSTEM}policy/",
    f"{SYSTEM}metrics/",
    f"{SYSTEM}operations/",
    f"{SYSTEM}releases/2026.10.4/",
    f"{SYSTEM}releases/2026.11.1/",
    f"{SYSTEM}releases/2026.11.2/",
    f"{SYSTEM}releases/2026.11.3/",
    "/requests/",
    "/ledger/",
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    data = tmp_path_factory.mktemp("demo") / "data"
    for parent in (data.parent, data.parent.parent):
        parent.chmod(0o711)  # as root, PostgreSQL runs as somebody else
    port = free_port()
    with Up(data, "--demo", "--port", str(port)) as up:
        up.port = port
        up.wait_for("Ready", 400)
        yield up


@pytest.fixture(scope="module")
def signed_in(demo: Up, browser: Browser) -> dict[str, object]:
    notes = Notes.load(demo.data)
    context = browser.new_context(base_url=f"http://localhost:{demo.port}")
    sign_in(context.new_page(), email("engineer2"), notes.password, code_at(notes.totp["engineer2"], datetime.now(UTC)))
    state = dict(context.storage_state())
    context.close()
    return state


@pytest.fixture
def window(demo: Up, browser: Browser, signed_in: dict[str, object]) -> Iterator[Callable[..., Page]]:
    contexts: list[BrowserContext] = []

    def open_window(width: int, theme: str) -> Page:
        contexts.append(
            browser.new_context(
                base_url=f"http://localhost:{demo.port}",
                storage_state=signed_in,  # type: ignore[arg-type]
                viewport={"width": width, "height": 900},
                color_scheme="dark" if theme == "dark" else "light",
                device_scale_factor=2 if os.environ.get("READINESS_WRITE_IMAGES") else 1,
            )
        )
        return contexts[-1].new_page()

    yield open_window
    for context in contexts:
        context.close()


def test_releases_at_every_turn_of_their_life(window: Callable[..., Page]) -> None:
    page = window(1280, "light")
    page.goto("/releases/")
    for label, stage in {"10.4": "Live", "11.1": "Rolled back", "11.2": "Canary", "11.3": "Pre-production"}.items():
        expect(page.get_by_role("row").filter(has_text=f"2026.{label}")).to_contain_text(stage)
    page.goto(f"{SYSTEM}releases/2026.11.3/")
    expect(page.locator("#verdict")).to_contain_text("No-go")
    image = Path("docs/images/release.png")
    if os.environ.get("READINESS_WRITE_IMAGES"):
        page.screenshot(path=CHECKOUT / image)
    assert str(image) in (CHECKOUT / "README.md").read_text()


def test_the_application_sends_requests_that_can_be_reproduced(window: Callable[..., Page]) -> None:
    page = window(1280, "light")
    page.goto("/requests/?q=release:2026.10.4")
    page.locator("table a").first.click()
    page.get_by_role("link", name="Reproduce").first.click()
    expect(page.get_by_role("heading", name="Reproduce a decision")).to_be_visible()
    expect(page.get_by_text("says go again.")).to_be_visible()


TOKEN = """
from django.utils import timezone
from accounts.actions import issue_token
from accounts.models import ApiToken, User
people = {user.email.split("@")[0]: user for user in User.objects.filter(is_demo=True)}
print(issue_token(owner=people["engineer"], name="Docs", scopes=ApiToken.Scope.values, system="support-assistant",
                  environment="production", by=people["admin"], now=timezone.now())[1])
"""


@pytest.fixture(scope="module")
def token(demo: Up) -> str:
    made = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", TOKEN],
        cwd=CHECKOUT, env=CLEAN | {"READINESS_DATA_DIR": str(demo.data)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return made.stdout.strip()


def commands() -> Iterator[tuple[str, str]]:
    """The blocks of the documentation that speak to a running Readiness: `READINESS_URL` is theirs to use."""
    for page in sorted((CHECKOUT / "docs").rglob("*.md")):
        for number, block in enumerate(re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE), 1):
            if "$READINESS_URL" in block:
                yield f"{page.relative_to(CHECKOUT)}-{number}", block


@pytest.fixture
def staging() -> Iterator[str]:
    """The demo's application once more, which a probe may ask whatever it likes."""
    command = [sys.executable, "-m", "demo.stub_app", "--release", "2026.11.3"]
    with subprocess.Popen(command, cwd=CHECKOUT, env=CLEAN, stdout=subprocess.PIPE, text=True) as application:
        assert application.stdout
        yield application.stdout.readline().strip()
        application.terminate()


def test_what_the_documentation_tells_to_run_works(demo: Up, token: str, staging: str) -> None:
    variables = CLEAN | {"READINESS_URL": f"http://localhost:{demo.port}", "READINESS_TOKEN": token}
    variables |= {"STAGING_URL": staging, "STAGING_TOKEN": "its-own"}
    blocks = dict(commands())
    assert {"docs/how-to/api.md-1", "docs/how-to/instrument.md-2", "docs/how-to/instrument.md-3"} <= set(blocks)
    said = {}
    for name, block in blocks.items():
        done = subprocess.run(
            ["sh", "-euc", block], cwd=CHECKOUT, env=variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        said[name] = json.loads(done.stdout) if done.stdout else {}
        assert isinstance(said[name], dict), name
    check, probe = said["docs/how-to/instrument.md-2"], said["docs/how-to/instrument.md-3"]
    assert not check["valid"] and {one["path"] for one in check["violations"]} >= {"/answer"}
    assert probe["outcome"] == "running"
    address = f"/api/releases/support-assistant:2026.11.3/items/contracts.violations-rejected/probe/{probe['id']}"
    asked = urllib.request.Request(variables["READINESS_URL"] + address, headers={"Authorization": f"Bearer {token}"})
    deadline = time.monotonic() + 60
    while probe["outcome"] == "running" and time.monotonic() < deadline:
        with urllib.request.urlopen(asked) as answer:
            probe = json.loads(answer.read())
        time.sleep(0.2)
    assert (probe["outcome"], probe["heard"]["control"]["outcome"]) == ("recorded", "accepted"), probe


@pytest.mark.parametrize(("width", "theme"), [(1280, "dark"), (390, "light")])
def test_every_page_is_clean(window: Callable[..., Page], axe_clean: Callable[[Page], None], width, theme) -> None:
    page = window(width, theme)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    for path in PAGES:
        answer = page.goto(path)
        assert answer is not None and answer.status == 200, path
        axe_clean(page)
    assert complaints == []
