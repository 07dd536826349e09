"""A person who has no mouse: everything is reached with Tab, letters, arrows and Enter, as on any machine.

A pointer that went down anywhere is an error in the console, which the `browser_page` fixture fails for.
"""

import re
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from accounts.totp import code_at
from tests.factories import PASSWORD, TOTP_SECRET

NO_MOUSE = "addEventListener('pointerdown', () => console.error('A pointer was used.'), true)"
# How many stops of the Tab key lie between the focus and an element: about, since groups of radio buttons are one stop.
STOPS = """element => {
  const at = document.activeElement;
  if (at === element) return 0;
  const within = document.querySelector('dialog:modal') || document;
  const stops = [...within.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary')]
    .filter((one) => one.checkVisibility() && !one.disabled);
  const apart = stops.indexOf(element) - stops.indexOf(at);
  return Math.abs(apart) < 3 ? Math.sign(apart) || 1 : Math.trunc(apart / 2);
}"""


class Keyboard:
    def __init__(self, page: Page) -> None:
        self.page, self.keys = page, page.keyboard
        page.add_init_script(NO_MOUSE)

    def sign_in(self, email: str) -> None:
        self.page.goto("/accounts/login/")
        self.into(self.page.get_by_label("Email"), email)
        self.into(self.page.get_by_label("Password").first, PASSWORD)
        self.keys.press("Enter")
        self.into(self.page.get_by_label(re.compile("code", re.I)).first, code_at(TOTP_SECRET, datetime.now(UTC)))
        self.keys.press("Enter")
        expect(self.page.get_by_role("heading", name="My work")).to_be_visible()

    def to(self, target: Locator) -> Locator:
        """Tab, or Shift and Tab, until it has the focus: what cannot be reached so is not there for the keyboard."""
        target = target.first
        target.wait_for(state="attached")
        for _ in range(60):
            stops = target.evaluate(STOPS)
            if not stops:
                return target
            for _ in range(abs(stops)):
                self.keys.press("Tab" if stops > 0 else "Shift+Tab")
        raise AssertionError(f"The keyboard does not reach {target}.")

    def into(self, field: Locator, text: str) -> None:
        """Text into a field, in place of what it holds."""
        self.to(field)
        self.keys.press("Control+A")
        self.keys.insert_text(text)

    def choose(self, select: Locator, words: str) -> None:
        """The option of a list that begins with these words."""
        chosen = self.to(select)
        self.keys.type(words)
        expect(chosen.locator("option:checked")).to_have_text(re.compile(f"^{re.escape(words)}"))

    def press(self, target: Locator, key: str = "Enter") -> None:
        self.to(target)
        self.keys.press(key)

    def file(self, field: Locator, path: Path) -> None:
        """The browser's own chooser, opened with Enter; which file is picked in it is not the page's matter."""
        with self.page.expect_file_chooser() as chooser:
            self.press(field)
        chooser.value.set_files(path)

    def letter(self, *letters: str) -> None:
        """Shortcuts of the page, which a slow machine shows before its scripts listen."""
        self.page.wait_for_load_state("domcontentloaded")
        for letter in letters:
            self.keys.press(letter)

    def sees(self, text: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_text(text).first).to_be_visible()

    def heading(self, name: str | re.Pattern[str]) -> None:
        expect(self.page.get_by_role("heading", name=name).first).to_be_visible()

    def button(self, name: str, within: Locator | None = None) -> Locator:
        return (within or self.page).get_by_role("button", name=name)
