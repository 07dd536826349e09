"""The way in, as people take it."""

import re

from playwright.sync_api import Page, expect


def sign_in(page: Page, email: str, password: str, code: str) -> None:
    """Address, password, one-time code; ends on the page that everybody starts from."""
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").first.fill(password)
    page.get_by_role("button", name="Sign in").first.click()
    page.get_by_label(re.compile("code", re.I)).first.fill(code)
    page.get_by_role("button", name="Sign in").first.click()
    expect(page.get_by_role("heading", name="My work")).to_be_visible()
