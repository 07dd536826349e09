"""An auditor's way through the kept trail in a real browser: `python -m bench.trail walk`, after `fill`.

The same walk as tests/audit/test_explorer_browser.py takes over a few requests in CI: counts, a narrowed list, deep
pages, one request with its proof, the dashboard, what is behind a point. Each step says how long it took until its
content stood there; pictures of each are kept in the data folder.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from accounts.roles import Role
from bench.trail import people
from bench.trail.server import processes
from bench.trail.traffic import SYSTEM

PORT = 8765
AT = f"http://127.0.0.1:{PORT}"


def measure(folder: Path) -> None:
    people.system()
    name, _, value = people.cookie(people.somebody(Role.AUDITOR)).partition("=")
    chromium = shutil.which("chromium")
    with processes("web", port=PORT), sync_playwright() as player:
        browser = player.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for theme, width in (("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)):
            context = browser.new_context(color_scheme=theme, viewport={"width": width, "height": 900})
            context.add_cookies([{"name": name, "value": value, "url": AT}])
            page = context.new_page()
            print(f"{theme}, {width} px", flush=True)
            _Walk(page, folder / "walk" / f"{theme}-{width}").go()
            context.close()
        browser.close()


class _Walk:
    def __init__(self, page: Page, folder: Path) -> None:
        self.page, self.folder = page, folder
        page.set_default_timeout(60_000)
        folder.mkdir(parents=True, exist_ok=True)

    def go(self) -> None:
        page = self.page
        self.step("list", lambda: page.goto(f"{AT}/requests/?q=system:{SYSTEM}"), "[data-row]")
        self.step("counts", lambda: page.goto(f"{AT}/requests/?q=system:{SYSTEM}+since:30d"), "#facet-outcome + ul a")
        self.step("errors", lambda: page.locator("#facet-outcome + ul a", has_text="error").click(), "[data-row]")
        for number in (2, 3):
            self.step(f"page {number}", lambda: page.locator("a[rel=next]").click(), "[data-row]")
        self.step("request", lambda: page.locator("[data-row] a.main").first.click(), "#made-of")
        assert "All 5 spans are as they were received" in page.locator("main").inner_text()
        self.step("take along", lambda: page.get_by_role("button", name="Take it along").click(), "#take pre")
        with page.expect_download() as download:
            page.locator("#take a", has_text="Proof").click()
        download.value.save_as(self.folder / "request.proof.json")
        board = f"{AT}/systems/{SYSTEM}/dashboard/?range=30d"
        self.step("dashboard", lambda: page.goto(board), "[data-plot=errors] .main-svg")
        table = page.locator("section[aria-labelledby=title-errors] details")
        table.locator("summary").click()
        self.step("behind a point", lambda: table.locator("tbody a").nth(3).click(), "[data-row]")

    def step(self, name: str, act: Callable[[], object], shows: str) -> None:
        began = time.monotonic()
        act()
        self.page.locator(shows).first.wait_for()
        print(f"  {name}: {(time.monotonic() - began) * 1000:.0f} ms", flush=True)
        self.page.screenshot(path=self.folder / f"{name.replace(' ', '-')}.png", full_page=True)
