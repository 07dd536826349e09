"""The pages in a real browser: both themes, a phone, axe, and the chart that is really drawn."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from metrics import drift, pull
from metrics.models import Source
from metrics.targets import set_target
from tests.metrics.samples import BASELINE, BETTER, DATASET_HASH, INSPECT, PROMPTFOO, pins
from tests.metrics.scene import Scene
from tests.metrics.test_drift import MONDAY, requests
from tests.metrics.test_evaluation import push, record

pytestmark = [pytest.mark.django_db, pytest.mark.browser]


@pytest.fixture(autouse=True)
def _no_second_factor(settings: Any) -> None:
    settings.REQUIRE_MFA = False


@pytest.fixture
def pages(scene: Scene, folder: Path, make_source: Callable[..., Source]) -> dict[str, str]:
    """A system with sources, pulls of every outcome, and runs; the address of each page."""
    source = make_source(location="{release}.eval")
    make_source("trail", environments=["production"])
    set_target(source=source, release_label=BETTER, dataset_hash=DATASET_HASH, pins=pins(BETTER), now=scene.now)
    for seconds, file in enumerate((None, INSPECT / f"{BASELINE}.eval", INSPECT / f"{BETTER}.eval", None)):
        if file:
            shutil.copy(file, folder / f"{BETTER}.eval")
        (ordered,) = pull.order_pull(source=source, by=scene.people.engineer, now=scene.now.replace(second=seconds))
        pull.perform(pull_id=str(ordered.pk), now=scene.now.replace(second=seconds))
    record(scene, BASELINE, "promptfoo")
    run, _ = push(scene, scene.people.operator, raw=(PROMPTFOO / f"{BETTER}.json").read_bytes())
    requests(MONDAY - 2 * drift.WEEK)
    requests(MONDAY - drift.WEEK, tokens=900, model="large")
    drift.report_due(now=scene.now)

    def at(name: str, *args: Any) -> str:
        return reverse(f"metrics:{name}", args=["support-bot", *args])

    return {
        "runs": at("system"),
        "run": at("run", run.pk),
        "run-all": at("run", run.pk) + "?show=all",
        "drift": at("drift"),
        "sources": at("sources"),
        "source": at("source", source.pk),
        "source-form": at("source-new", "prometheus"),
    }


def kept(page: Any, name: str) -> None:
    """A picture to look at, where a folder is named for it."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("light", 390)])
def test_every_page_is_clean_in_both_themes_and_on_a_phone(
    scene: Scene, pages: dict[str, str], browser_page: Any, axe_clean: Any, theme: str, width: int
) -> None:
    page = browser_page(user=scene.people.engineer, theme=theme, width=width)
    for name, path in pages.items():
        page.goto(path)
        if name in ("run", "run-all", "drift"):
            page.wait_for_selector("[data-plot] svg.main-svg")
            page.locator("details summary").first.click()
        kept(page, f"metrics-{name}-{theme}-{width}")
        axe_clean(page)


def test_dialogs_open_and_an_upload_ends_on_its_run(
    scene: Scene, pages: dict[str, str], browser_page: Any, axe_clean: Any
) -> None:
    page = browser_page(user=scene.people.product)
    page.goto(pages["runs"])
    page.get_by_role("button", name="Upload a file").click()
    page.get_by_role("dialog").wait_for()
    kept(page, "metrics-upload")
    axe_clean(page)
    page.get_by_label("Tool").select_option("inspect_ai")
    page.set_input_files("input[type=file]", str(INSPECT / f"{BASELINE}.eval"))
    page.get_by_role("button", name="Upload", exact=True).click()
    page.wait_for_url("**/evaluations/**")
    assert page.get_by_role("heading", level=1).inner_text() == f"Evaluation of {BASELINE}"
    page.goto(pages["sources"])
    page.get_by_role("button", name="New source").click()
    page.get_by_role("link", name="Request trail").last.click()
    page.wait_for_url("**/sources/new/trail/")
    page.get_by_label("Name").fill("Trail")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/sources/*/")
    page.get_by_role("button", name="Test connection").click()
    page.get_by_text("No request of this system came in during the last day.").first.wait_for()
