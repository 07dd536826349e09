"""The pages around signing and the record, in a real browser: axe finds nothing, on a phone and in the dark."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from audit import ledger, sealing
from audit.models import Entry
from demo import walk
from tests.browser import DESKTOP, PHONE
from tests.factories import sign_in

pytestmark = pytest.mark.browser
# Set to a folder to keep what the pages look like.
SHOTS = os.environ.get("SHOTS", "")


@pytest.mark.parametrize(("theme", "width"), [("light", DESKTOP), ("dark", PHONE)])
def test_signing_and_the_record_are_clean(now_stage, browser_page, axe_clean, theme, width):
    now, people = timezone.now(), now_stage.people
    signed = walk.sign(now_stage.release, "operations", by=people.operator2, now=now)
    walk.sign(now_stage.release, "platform", by=people.platform, now=now)
    sealing.seal(now=now)
    for who in (people.engineer2, people.auditor):
        sign_in(who)
    release = f"/systems/{now_stage.system.slug}/releases/{now_stage.release.label}/"
    today, before = now.date(), now.date() - timedelta(days=7)
    last = Entry.objects.filter(kind="release.signed").latest("index")
    assert ledger.check(last)[0]
    pages = {
        "sign": f"{release}sign/engineering/",
        "express": f"{release}express/",
        "release": release,
        "certificate": f"{release}signatures/{signed.pk}/",
        "review": f"{release}review/",
    }
    records = {
        "consistency": f"/ledger/consistency/?since={before}&until={today}",
        "checkpoints": "/ledger/checkpoints/",
        "entry": f"/ledger/{last.index}/",
    }
    for user, addresses in ((people.engineer2, pages), (people.auditor, records)):
        page = browser_page(user=user, theme=theme, width=width)
        for name, path in addresses.items():
            page.goto(path)
            if name == "entry":
                page.get_by_role("button", name="Show the payload").click()
                page.get_by_text("the same act about the same subject before it").wait_for()
            axe_clean(page)
            if SHOTS:
                page.screenshot(path=Path(SHOTS) / f"{name}-{theme}-{width}.png", full_page=True)
