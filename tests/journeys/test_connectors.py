"""Each connector, as a person meets it: set up in the browser, tested, pulled; the gate stays shut on what is about
something else or falls short, and opens on what clears the bar.

With READINESS_WRITE_IMAGES=1 the pictures of the connectors' pages in docs/ are taken anew.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Page, expect

from audit import derivation, spanlog
from audit.ingest.otlp import decode_json
from audit.ingest.receive import receive
from demo import walk
from jobs.models import Event, Job
from jobs.outbox import call, handlers
from metrics import pull
from metrics.models import EvaluationRun, Source
from releases import judging
from releases.actions import opening
from releases.actions.rollout import start_rollout
from releases.locking import lock
from releases.models import Rollout
from releases.watching import watch
from systems.actions.policies import approve_policy, propose_policy
from tests.audit import sending
from tests.browser import between_requests
from tests.factories import NOW, make_version, make_whole_system
from tests.journeys.connector_files import FILES, Tool, mlflow_answers
from tests.metrics.prometheus_server import prometheus
from tests.metrics.samples import BETTER, FOLDER, WORSE
from tests.metrics.test_real_tools import mlflow_server, run
from tests.readiness.running import CHECKOUT
from tests.releases.conftest import Stage, make_stage
from tests.releases.ready import make_ready, prove_channel

__all__ = ["mlflow_server"]

pytestmark = [pytest.mark.django_db, pytest.mark.browser]

AFTER = datetime(2026, 11, 26, 9, tzinfo=UTC)  # the committed files ended the days before
BAR = "clears the evaluation bar"


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    root = tmp_path / "evaluations"
    root.mkdir()
    settings.EVALUATION_ROOTS = [str(root)]
    settings.REQUIRE_MFA = False
    settings.EGRESS_ALLOW = ["127.0.0.0/8"]
    return root


@pytest.fixture
def waiting(folder: Path) -> Stage:
    """A release whose evaluation is all that is missing, and a second one beside it whose prompt is worse."""
    whole = make_whole_system()
    product, product2 = whole.people.product, whole.people.product2
    policy = propose_policy(
        system=whole.system, part="release", body={"eval_min_score": "0.9"}, reason="Nine in ten.", by=product, now=NOW
    )
    approve_policy(policy=policy, role="product", by=product2, now=NOW)
    stage = make_stage(whole)
    walk.do_checklist(stage.release, stage.people, now=NOW)
    walk.answer_questions(stage.release, by=stage.people.product, now=NOW)
    for kind in ("rollback", "incident"):
        walk.drill(stage.system, kind, stage.people, now=NOW)
    prove_channel(stage.system, by=stage.people.operator)
    prompt = whole.versions["prompt"].component
    text = (FOLDER / f"prompt-{WORSE}.txt").read_bytes()
    make_version(prompt, text, by=stage.people.engineer, reviewer=stage.people.engineer2, now=NOW)
    worse = opening.open_release(system=stage.system, label=WORSE, by=product, now=NOW)
    opening.pin_newest(release_id=worse.pk, by=product, now=NOW)
    opening.begin_review(release_id=worse.pk, by=product, now=NOW + timedelta(minutes=1))
    return stage


@contextmanager
def undone(page: Page) -> Iterator[None]:
    """What one connector did is taken back, so that the next one meets the same shut gate."""
    point = transaction.savepoint_create()
    try:
        yield
    finally:
        page.goto("about:blank")  # asks for nothing any more
        with between_requests:
            transaction.savepoint_rollback(point)


def worker(page: Page) -> None:
    """What a worker does with the orders of the page; real workers are tested in test_release.py."""
    page.goto("about:blank")  # a page that asks how far it is would share the one connection
    with between_requests:
        work()


def work() -> None:
    for event in Event.objects.filter(topic="metrics.source-saved"):
        for handler in handlers(event.topic):
            call(handler, event)
    for job in Job.objects.filter(task="metrics.pull_source", state=Job.State.QUEUED):
        pull.perform(pull_id=job.args["pull_id"], now=timezone.now())
    judging.judge_waiting(now=timezone.now())


def page_of(release: str) -> str:
    return f"/systems/support-bot/releases/{release}/"


def name_of(kind: str) -> str:
    return f"{Source.Kind(kind).label}, production"


def set_up(page: Page, tool: Tool) -> None:
    page.goto(f"/systems/support-bot/sources/new/{tool.kind}/")
    page.get_by_label("Name", exact=True).fill(name_of(tool.kind))
    for name, value in tool.fields.items():
        page.locator(f"[name={name}]").fill(value)
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/sources/*-*/")
    there = page.url
    worker(page)
    page.goto(there)


def verdict(page: Page, label: str) -> str:
    page.goto(page_of(label))
    return page.locator("main").inner_text()


def pull_now(page: Page, source: Source) -> str:
    page.goto(f"/systems/support-bot/sources/{source.pk}/")
    page.get_by_role("button", name="Pull now").click()
    worker(page)
    page.goto(f"/systems/support-bot/sources/{source.pk}/")
    return page.locator("main").inner_text()


def picture(page: Page, kind: str) -> None:
    """The picture that the connector's page in docs shows: taken here, and asked for there."""
    name = f"connector-{kind.replace('_', '-')}.png"
    if os.environ.get("READINESS_WRITE_IMAGES"):
        page.screenshot(path=CHECKOUT / "docs" / "images" / name)
    docs = (CHECKOUT / "docs" / "how-to").glob("connectors-*.md")
    assert any(f"../images/{name}" in one.read_text() for one in docs), f"No page of docs shows {name}."
    assert (CHECKOUT / "docs" / "images" / name).exists()


def walk_through(page: Page, tool: Tool, folder: Path) -> None:
    """Shut: nothing there, something else, too little. Open: the file that clears the bar."""
    assert "No-go" in verdict(page, BETTER)
    assert BAR in page.locator("main").inner_text()
    tool.put(folder, WORSE, BETTER)
    set_up(page, tool)
    source = Source.objects.get(name=name_of(tool.kind))
    refused = pull_now(page, source)
    assert f"The file is about release {WORSE}, not about release {BETTER}." in refused or "no finished run" in refused
    assert "No-go" in verdict(page, BETTER)
    for label in (BETTER, WORSE):
        tool.put(folder, label, label)
    page.goto(f"/systems/support-bot/sources/{source.pk}/")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_role("heading", name="What the connection test found")).to_be_visible()
    assert "Wrong:" not in page.locator("main").inner_text()
    picture(page, tool.kind)
    pull_now(page, source)
    assert EvaluationRun.objects.filter(source=source).count() == 2
    page.goto(f"{page_of(WORSE)}items/evaluation.gate/")
    assert "is below 0.9" in page.locator("main").inner_text()
    opened = verdict(page, BETTER)
    assert "No-go" not in opened and "Go" in opened, opened


@pytest.mark.timeout(900)
def test_the_gate_stays_shut_and_opens_on_the_files_of_each_tool(
    waiting: Stage, folder: Path, browser_page: Callable[..., Page]
) -> None:
    with time_machine.travel(AFTER, tick=True), mlflow_answers() as tracking:
        page = browser_page(user=waiting.people.engineer)
        for tool in [*FILES, tracking]:
            with undone(page):
                walk_through(page, tool, folder)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_the_gate_opens_on_a_tracking_server_of_mlflow_itself(
    waiting: Stage, folder: Path, browser_page: Callable[..., Page], mlflow_server: tuple[str, Path]
) -> None:
    url, python = mlflow_server

    def put(_: Path, about: str, filed: str) -> None:
        if about == filed:
            tools = FOLDER / "tools"
            run(python, tools / "mlflow_run.py", url, about, "40", cwd=tools)

    with time_machine.travel(datetime.now(UTC) + timedelta(days=1), tick=True):
        page = browser_page(user=waiting.people.engineer)
        run(python, FOLDER / "tools" / "mlflow_run.py", url, "2026.10.4", "40", cwd=FOLDER / "tools")
        fields = {"url": url, "experiment": "support-assistant", "metric": "correct"}
        walk_through(page, Tool("mlflow", put, fields), folder)


LIVE_METRICS = "llm_requests_total", "llm_request_duration_seconds_bucket"


def history(began: datetime, minutes: int) -> dict[str, list[tuple[datetime, float]]]:
    """Twenty requests a minute of the release, none failed, scraped twice a minute until now."""
    at = [began + timedelta(seconds=30 * n) for n in range(-20, 2 * minutes + 1)]
    counted = [(moment, float(10 * n)) for n, moment in enumerate(at)]
    of, (requests, latency) = f'release="{BETTER}"', LIVE_METRICS
    made = {f'{latency}{{{of},le="{le}"}}': counted for le in ("2", "+Inf")}
    nothing = [(moment, 0.0) for moment in at]
    return made | {f'{requests}{{{of},outcome="ok"}}': counted, f'{requests}{{{of},outcome="error"}}': nothing}


def send(stage: Stage, since: datetime, minutes: int, *, failed: bool) -> None:
    """Real spans of the application: ten requests a minute."""
    for minute in range(minutes):
        at = since + timedelta(minutes=minute)
        status = {"code": 2} if failed else {}
        spans = [
            sending.span(
                "answer", start=at + timedelta(seconds=5 * n), kind=2, status=status, readiness__release=BETTER
            )
            for n in range(10)
        ]
        request = decode_json(sending.request_json(*spans))
        receive(request, system="support-bot", environment="production", now=at + timedelta(minutes=1))
    spanlog.sequence(now=since + timedelta(minutes=minutes))
    derivation.derive(now=since + timedelta(minutes=minutes + 10))


def watched_with(stage: Stage, kind: str, began: datetime) -> Rollout:
    """The rollout began then, watched with the source that the page made: a day passes before the test does."""
    lock(stage.release.pk)
    source = Source.objects.get(kind=kind, name=name_of(kind))
    Rollout.objects.update(started_at=began, watched_until=began, source=source)
    return Rollout.objects.select_related("release__system", "release__policy", "release__standard", "source").get()


def canary_item(page: Page) -> str:
    page.goto(f"{page_of(BETTER)}items/rollout.canary-clean/")
    return page.locator("main").inner_text()


@pytest.fixture
def canary(folder: Path) -> Stage:
    stage = make_ready(make_stage(make_whole_system()))
    started = NOW + timedelta(minutes=30)
    walk.sign_both(stage.release, stage.people, now=started)
    start_rollout(release_id=stage.release.pk, by=stage.people.operator, now=started)
    return stage


@pytest.mark.long  # the journey of test_release.py watches a Prometheus in the short run
@pytest.mark.timeout(900)
def test_the_canary_is_blocked_and_opened_by_prometheus_and_by_the_trail(
    canary: Stage, tmp_path: Path, browser_page: Callable[..., Page]
) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    day = now - timedelta(hours=24, minutes=10)
    page = browser_page(user=canary.people.engineer)
    with prometheus(tmp_path, history(day, 24 * 60 + 10)) as server:
        for outcome in ("error", "ok"):  # what counts as an error: nothing that happened, or everything
            with undone(page):
                set_up(page, Tool("prometheus", no_file, {"url": server, "error_values": outcome}))
                page.get_by_role("button", name="Test connection").click()
                expect(page.get_by_text("knows the releases")).to_be_visible()
                if outcome == "error":
                    picture(page, "prometheus")
                page.goto("about:blank")
                watch(watched_with(canary, "prometheus", day), now=now)
                if outcome == "error":
                    assert "24 covered hours without a breach" in canary_item(page)
                else:
                    assert "Rolled back" in verdict(page, BETTER)
                    assert "Error rate 100 %" in page.locator("main").inner_text()
    hour = now - timedelta(minutes=65)
    for failed in (False, True):
        with undone(page):
            send(canary, hour, 62, failed=failed)
            set_up(page, Tool("trail", no_file, {"environments": "production"}))
            page.get_by_role("button", name="Test connection").click()
            expect(page.get_by_text("requests came in during the last day")).to_be_visible()
            if not failed:
                picture(page, "trail")
            page.goto("about:blank")
            watch(watched_with(canary, "trail", hour), now=now)
            if failed:
                assert "Rolled back" in verdict(page, BETTER)
            else:
                assert "1 of 24 hours are covered; 23 to go." in canary_item(page)


def no_file(folder: Path, about: str, filed: str) -> None:
    """It answers questions; there is nothing to put anywhere."""
