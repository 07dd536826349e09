"""The main job, end to end, in a real browser: from an empty installation to an audited release.

Everything is real: the supervisor with its PostgreSQL, broker, web server, worker and beat; a Prometheus with a day of
history; an application that sends traces through the OpenTelemetry SDK; Chromium. What is not walked by hand is done by
`tests.journeys.scene`, with the product's own actions.
"""

import base64
import json
import os
import re
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from accounts.totp import code_at
from demo.project import FILES, PEOPLE, contents
from systems.kinds import Kind
from tests.journeys.entrance import sign_in
from tests.journeys.receiver import Receiver
from tests.journeys.staging import Staging
from tests.metrics.prometheus_server import prometheus
from tests.readiness.running import CHECKOUT, Up

SLUG, LABEL = "support-assistant", "2026.10.4"
RELEASE = f"/systems/{SLUG}/releases/{LABEL}/"
PASSWORD = "a-journey-of-a-thousand-miles"  # as in scene.py
# What an operator opens: this machine's Prometheus and webhook receiver, and a folder of evaluation files.
OPENED = {"READINESS_EGRESS_ALLOW": "127.0.0.0/8", "READINESS_EVALUATION_ROOTS": str(CHECKOUT / "demo" / "files")}
BAR = "clears the evaluation bar"
pytestmark = pytest.mark.timeout(900)


class Product:
    """The running product, and the ways to look into it."""

    def __init__(self, up: Up, data: Path) -> None:
        self.up, self.data = up, data
        self.url = f"http://localhost:{up.port}"
        self.seeds = {who: base64.b32encode(secrets.token_bytes(20)).decode() for who in PEOPLE}
        self.last_step: dict[str, int] = {}

    def environment(self) -> dict[str, str]:
        lines = subprocess.run(
            ["sh", "-c", f"set -a; . {self.data}/environment; env -0"],
            capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]},
        ).stdout  # fmt: skip
        published = dict(line.split("=", 1) for line in lines.split("\0") if "=" in line)
        return OPENED | {"READINESS_DATA_DIR": str(self.data)} | published

    def python(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=CHECKOUT,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def scene(self, act: str, **arguments: Any) -> Any:
        printed = self.python("-m", "tests.journeys.scene", act, json.dumps(arguments))
        return json.loads(printed.splitlines()[-1])

    def code(self, who: str) -> str:
        """A one-time code that was not used yet: each counts once."""
        while (step := int(time.time()) // 30) <= self.last_step.get(who, 0):
            time.sleep(0.5)
        self.last_step[who] = step
        return code_at(self.seeds[who], datetime.now(UTC))


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = Path(subprocess.check_output(["mktemp", "-d", "-t", "journey-XXXXXX"], text=True).strip())
    folder.chmod(0o711)
    with Up(folder / "data", env=OPENED) as up:
        up.wait_for("Ready", 240)
        yield Product(up, folder / "data")
    subprocess.run(["rm", "-rf", str(folder)], check=True)


@pytest.fixture
def metrics(tmp_path: Path) -> Iterator[str]:
    """A Prometheus that has scraped the application for the last 26 hours: twenty requests a minute, none failed."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=26)
    minutes = [(start + timedelta(minutes=n), 20.0 * n) for n in range(26 * 60 + 2)]
    of = f'release="{LABEL}"'
    duration = "assistant_request_duration_seconds_bucket"
    history = {
        f'assistant_requests_total{{{of},outcome="ok"}}': minutes,
        f'assistant_requests_total{{{of},outcome="error"}}': [(at, 0.0) for at, _ in minutes],
        f'{duration}{{{of},le="0.25"}}': [(at, count / 2) for at, count in minutes],
        f'{duration}{{{of},le="0.5"}}': minutes,
        f'{duration}{{{of},le="+Inf"}}': minutes,
    }
    with prometheus(tmp_path, history) as address:
        yield address


@pytest.fixture
def person(browser: Browser, product: Product) -> Iterator[Callable[[str], Page]]:
    """Signs people in as they would: address, password, one-time code. One window each."""
    pages: dict[str, Page] = {}

    def come(who: str) -> Page:
        if who not in pages:
            page = browser.new_context(base_url=product.url, viewport={"width": 1280, "height": 900}).new_page()
            sign_in(page, f"{who}@journey.test", PASSWORD, product.code(who))
            pages[who] = page
        return pages[who]

    yield come
    for page in pages.values():
        page.context.close()


def choose(select: Locator, words: str) -> None:
    """Takes the option that begins with these words, as a person reads them."""
    select.select_option(value=select.locator("option", has_text=words).first.get_attribute("value"))


def sign(product: Product, page: Page, who: str, side: str) -> None:
    page.goto(f"{RELEASE}sign/{side}/")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("One-time code").fill(product.code(who))
    page.get_by_role("button", name="Sign with password and code").click()
    expect(page.get_by_text(f"You signed Support assistant {LABEL} for {side}.")).to_be_visible()


def verdict(page: Page, question: str = "") -> str:
    page.goto(RELEASE + (f"?question={question}" if question else ""))
    return page.locator("#verdict").inner_text()


def gate(product: Product, token: str, question: str) -> dict[str, Any]:
    address = f"{product.url}/api/releases/{SLUG}:{LABEL}/gate?question={question}"
    with urllib.request.urlopen(
        urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    ) as answer:
        return dict(json.load(answer))


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(1)


def test_from_an_empty_installation_to_an_audited_release(
    product: Product, metrics: str, person: Callable[[str], Page], tmp_path: Path
) -> None:
    product.scene("people", seeds=product.seeds)
    with Receiver() as webhook:
        tokens = make_the_system(product, person, metrics, webhook)
        open_the_release(product, person)
        fill_the_checklist(product, person)
        pull_the_evaluation(person)
        sign_for_the_canary(product, person, tokens)
        watch_the_canary(product, person, tokens)
        promote(product, person, tokens)
        audit(product, person, tokens, tmp_path)
        until(lambda: "releases.promoted" in webhook.topics(), 60, "The webhook never heard of the promotion.")
        assert webhook.all_signed(tokens["webhook"])


def make_the_system(product: Product, person: Callable[[str], Page], metrics: str, webhook: Receiver) -> dict[str, str]:
    """An admin makes a system with its ownership map, in the browser."""
    page = person("admin")
    page.goto("/systems/")
    page.get_by_role("link", name=re.compile("system", re.I)).and_(page.locator(".btn.primary")).first.click()
    page.get_by_label("Name", exact=True).fill("Support assistant")
    page.locator("[name=slug]").fill(SLUG)
    owners = {"product": "product", "engineering": "engineer", "operations": "operator", "platform": "platform",
              "privacy": "privacy", "model_regressions": "engineer2", "budget": "product", "on_call": "operator",
              "escalation": "operator2"}  # fmt: skip
    for area, who in owners.items():
        choose(page.locator(f"[name=owner_{area}]"), PEOPLE[who][0])
    page.get_by_role("button", name="Make the system").click()
    expect(page.get_by_role("heading", name="Support assistant")).to_be_visible()
    return dict(product.scene("components", slug=SLUG, prometheus=metrics, webhook=webhook.url))


def open_the_release(product: Product, person: Callable[[str], Page]) -> None:
    """Product opens a release; it is pinned to what is approved, with hashes; the plan names what watches it."""
    page = person("product")
    page.goto(f"/systems/{SLUG}/releases/open/")
    page.get_by_label("Label").fill(LABEL)
    page.get_by_label("What changes").fill("The first release.")
    page.get_by_role("button", name="Open release").click()
    expect(page.get_by_role("heading", name="Pins and plan")).to_be_visible()
    expect(page.locator("#pins").get_by_text("complete")).to_be_visible()
    choose(page.get_by_label("Watched with", exact=True), "Prometheus")
    page.get_by_role("button", name="Save plan").click()
    page.get_by_role("button", name="Begin the review").click()
    expect(page.locator("#verdict")).to_contain_text("No-go")


def fill_the_checklist(product: Product, person: Callable[[str], Page]) -> None:
    """One item by hand: attached by one person, verified by another; the rest as they would be."""
    key = "contracts.canonical-output"
    engineer = person("engineer")
    engineer.goto(f"{RELEASE}items/{key}/")
    engineer.locator("#attach input[type=file]").set_input_files(
        {"name": "canonical.txt", "mimeType": "text/plain", "buffer": b"12 pairs, all equal.\n"}
    )
    engineer.locator("#attach").get_by_role("button", name="Attach").click()
    expect(engineer.get_by_text("canonical.txt").first).to_be_visible()
    expect(engineer.get_by_text("You attached this evidence. Another person verifies it.")).to_be_visible()
    probe_the_contract(engineer)
    second = person("engineer2")
    second.goto(f"{RELEASE}items/{key}/")
    second.locator("#verify").get_by_role("button", name="Verify").click()
    expect(second.get_by_text("Verified by a second person.")).to_be_visible()
    product.scene("checklist", slug=SLUG, label=LABEL, question="canary", but=[key])
    product.scene("drills", slug=SLUG)
    page = person("product")
    page.goto(f"{RELEASE}questions/")
    question = page.locator("#redaction")
    question.get_by_label("Yes").check()
    question.get_by_label("How you know").fill("The sample of last week held no finding.")
    question.get_by_role("button", name="Save answer").click()
    expect(page.locator("#redaction").get_by_text("The sample of last week held no finding.").first).to_be_visible()


def probe_the_contract(page: Page) -> None:
    """A worker sends bad inputs to a server of this machine; the page shows what came back by itself."""
    with Staging(json.loads(contents(LABEL)[Kind.INPUT_SCHEMA][1])) as staging:
        page.goto(f"{RELEASE}items/contracts.violations-rejected/")
        card = page.locator("#probe")
        card.get_by_label("Staging address").fill(staging.url)
        card.get_by_label("Headers").fill("Authorization: Bearer staging")
        card.get_by_role("button", name="Send the probe").click()
        expect(card.locator(".job")).to_contain_text("Passed", timeout=90_000)
        card.get_by_text("What was sent, and what came back").click()
        expect(card.get_by_role("cell", name="cut JSON")).to_be_visible()
    assert {login for login, _ in staging.seen} == {"Bearer staging"}


def pull_the_evaluation(person: Callable[[str], Page]) -> None:
    """The worker reads the file that the real tool wrote, judges it, and the item shows it."""
    page = person("engineer")
    assert BAR in page_reasons(page)
    page.goto(f"/systems/{SLUG}/sources/")
    page.get_by_role("link", name="Inspect AI logs").first.click()
    page.get_by_role("button", name="Pull now").click()
    until(lambda: BAR not in page_reasons(page), 90, "The evaluation was never judged.")


def page_reasons(page: Page) -> str:
    page.goto(RELEASE)
    return " ".join(page.locator("#blockers, .gate details").all_inner_texts())


def sign_for_the_canary(product: Product, person: Callable[[str], Page], tokens: dict[str, str]) -> None:
    """Both sides sign; a change voids it, visibly; both sign again, and the canary starts."""
    until(lambda: "Go" in verdict(person("engineer2")), 90, f"Still no go: {page_reasons(person('engineer2'))}")
    before = gate(product, tokens["gate:read"], "canary")
    assert (before["verdict"], before["allow"]) == ("go", False)
    author = person("product")
    author.goto(RELEASE)
    blocked = author.get_by_role("button", name="Start canary")
    expect(blocked).to_have_attribute("aria-disabled", "true")
    sign(product, person("engineer2"), "engineer2", "engineering")
    page = person("product")
    page.goto(f"{RELEASE}questions/")
    question = page.locator("#redaction")
    question.get_by_text("Change the answer").click()
    question.get_by_label("How you know").fill("The sample of this week held no finding either.")
    question.get_by_role("button", name="Save answer").click()
    signer = person("engineer2")
    signer.goto(RELEASE)
    expect(signer.locator("#signoffs")).to_contain_text("changed")
    assert not gate(product, tokens["gate:read"], "canary")["allow"]
    sign(product, signer, "engineer2", "engineering")
    sign(product, person("operator2"), "operator2", "operations")
    assert gate(product, tokens["gate:read"], "canary")["allow"]
    operator = person("operator2")
    operator.goto(RELEASE)
    operator.get_by_role("button", name="Start canary").click()
    operator.get_by_role("dialog").get_by_role("button", name="Start the canary").click()
    expect(operator.get_by_text("The canary has started.")).to_be_visible()


def watch_the_canary(product: Product, person: Callable[[str], Page], tokens: dict[str, str]) -> None:
    """A day passes; the worker pulls every window from Prometheus; the application's requests reach the trail."""
    assert not gate(product, tokens["gate:read"], "release")["allow"]
    product.scene("a_day_passes", slug=SLUG, label=LABEL, hours=25)
    send = ["-m", "demo.traffic", "history", "--hours", "24", "--rate-per-hour", "15", "--otlp", product.url]
    send += ["--token", tokens["ingest"], "--release", LABEL, "--prompt-file", str(FILES / f"prompt-{LABEL}.txt")]
    product.python(*send, "--error-rate", "0", "--invalid-rate", "0")
    page = person("operator2")

    def full() -> bool:
        page.goto(RELEASE)
        return "24 of 24 hours" in page.locator("#rollout").inner_text().replace("25 of", "24 of")

    until(full, 240, "The canary's hours were never full.")


def promote(product: Product, person: Callable[[str], Page], tokens: dict[str, str]) -> None:
    product.scene("checklist", slug=SLUG, label=LABEL, question="release", but=[])
    signer = person("engineer2")
    until(lambda: "Go" in verdict(signer, "release"), 120, f"Still no go: {page_reasons(signer)}")
    sign(product, signer, "engineer2", "engineering")
    sign(product, person("operator2"), "operator2", "operations")
    page = person("operator2")
    page.goto(RELEASE)
    page.get_by_role("button", name="Promote").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote to everybody").click()
    expect(page.get_by_text(f"{LABEL} is live.")).to_be_visible()
    answer = gate(product, tokens["gate:read"], "release")
    assert (answer["allow"], answer["closed"], answer["reasons"]) == (True, True, [])


def audit(product: Product, person: Callable[[str], Page], tokens: dict[str, str], tmp_path: Path) -> None:
    """An auditor finds a request and reproduces the decision behind it; the record verifies, also offline."""
    send = ["-m", "demo.traffic", "history", "--hours", "0.001", "--rate-per-hour", "1000", "--otlp", product.url]
    send += ["--token", tokens["ingest"], "--release", LABEL, "--prompt-file", str(FILES / f"prompt-{LABEL}.txt")]
    page = person("auditor")
    page.goto(f"/requests/?q=release:{LABEL}")
    newest = page.locator("table a").first.get_attribute("href")  # of the canary's day; the audited one comes after
    product.python(*send, "--error-rate", "0", "--invalid-rate", "0", "--seed", "audited")
    found: list[str] = []

    def listed() -> bool:
        page.goto(f"/requests/?q=release:{LABEL}")
        found[:] = [link.get_attribute("href") or "" for link in page.locator("table a").all()]
        return bool(found) and found[0] != newest

    until(listed, 90, "The request never showed up in the trail.")
    page.locator("table a").first.click()
    expect(page.get_by_text(LABEL).first).to_be_visible()
    expect(page.get_by_text("Prompt hash")).to_be_visible()
    page.get_by_role("link", name="Reproduce").first.click()
    expect(page.get_by_role("heading", name="Reproduce a decision")).to_be_visible()
    expect(page.get_by_text("Gate 1 says go again.")).to_be_visible()
    product.python("manage.py", "verify")
    exported = tmp_path / "export.zip"
    product.python("manage.py", "export_ledger", str(exported))
    offline = subprocess.run(
        [sys.executable, "-m", "audit.verify", str(exported)], cwd=CHECKOUT, env={"PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert offline.returncode == 0, offline.stdout + offline.stderr
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{product.url}/api/releases/{SLUG}:{LABEL}/gate")
    with refused.value as answer:
        assert answer.code == 401
