"""From no system at all to a release whose every item is verified, without a mouse, in a real browser.

Two people, since nobody verifies what they did themselves. The short form walks it with a house standard of some twenty
items, the long one with the shipped standard of sixty; every page and every act is the same. Around them stands what is
not theirs: a worker judges the evaluation, a mail server takes the test message.
"""

import copy
import re
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page

from accounts.actions import enrol_totp, grant_role
from accounts.roles import Role
from demo import walk
from operations import deliver
from operations.models import Drill
from releases.judging import judge_waiting
from releases.models import Release
from releases.standard.load import ItemDef, StandardDef, shipped
from releases.standard.published import definition_of
from systems.kinds import Area, Kind
from tests.browser import BrowserPage, between_requests
from tests.factories import PARTS, PASSWORD, TOTP_SECRET, make_admin, make_people, make_user
from tests.journeys.keyboard import Keyboard
from tests.releases.ready import INSPECT, SAMPLES
from tests.releases.test_standards import published

pytestmark = [pytest.mark.django_db, pytest.mark.browser, pytest.mark.timeout(600)]
SLUG, LABEL = "support-bot", "2026.11.2"
SYSTEM, RELEASE = f"/systems/{SLUG}/", f"/systems/{SLUG}/releases/{LABEL}/"
# What the house asks besides what is measured: one item for each way an item is done.
HOUSE = (
    "contracts.canonical-output",
    "cost.alert-routing",
    "compliance.data-rules",
    "ownership.product-acknowledgement",
)


def come(browser_page: BrowserPage) -> tuple[Keyboard, Keyboard]:
    """Ann does, Ben checks. Both hold what a small team's people hold; Ann is an admin besides."""
    now, keyboards = timezone.now(), []
    roles = [role for role in Role if role != Role.ADMIN]
    ben, ann = (make_user(name, *roles, password=PASSWORD, now=now) for name in ("Ben Brown", "Ann Adams"))
    grant_role(user=ann, role=Role.ADMIN, by=make_admin(now=now), now=now)
    for user in (ann, ben):
        enrol_totp(user, secret=TOTP_SECRET, now=now)
        keyboards.append(Keyboard(browser_page()))
        keyboards[-1].sign_in(user.email)
    return keyboards[0], keyboards[1]


def house_standard() -> None:
    """Published before by other people: fewer items than the shipped one, which product and platform have approved."""
    own = copy.deepcopy(shipped()[1]) | {"number": "house-1", "title": "House standard"}
    kept = [one for one in own["items"] if one["question"] == "canary"]
    own["items"] = [one for one in kept if one["verification"] == "auto" or one["key"] in HOUSE]
    own["questions"] = [{**one, "backed_by": []} for one in own["questions"][:2]]
    used = {one["key"].partition(".")[0] for one in own["items"]}
    own["sections"] = [one for one in own["sections"] if one["key"] in used]
    published(make_people(), own, line="house")


@pytest.mark.parametrize("standard", ["house", pytest.param("shipped", marks=pytest.mark.long)])
def test_from_no_system_to_a_verified_release_by_keyboard_alone(browser_page, standard, tmp_path):
    if standard == "house":
        house_standard()
    ann, ben = come(browser_page)
    make_the_system(ann)
    make_its_parts(ann, ben, tmp_path)
    make_it_watched(ann, ben)
    open_the_release(ann, standard)
    items = by_people()
    for item in items:
        attach(ann, item)
    for item in items:
        verify(ben, item)
    answer(ann)
    evaluate(ann, ben)
    ann.page.goto(RELEASE)
    ann.sees(re.compile("all conditions hold; 2 signatures remain"))
    done = ann.page.locator("#count-1").inner_text()
    assert re.fullmatch(r"(\d+) of \1", done), done
    assert not ann.page.locator("#blockers [data-tone=bad], #blockers [data-tone=warn]").count()


def make_the_system(ann: Keyboard) -> None:
    ann.letter("g", "s")
    ann.heading("Systems")
    ann.letter("n")
    ann.heading("New system")
    ann.into(ann.page.get_by_label("Name", exact=True), "Support bot")
    ann.into(ann.page.get_by_label("Id"), SLUG)
    for area in Area.values:
        ann.choose(ann.page.locator(f"[name=owner_{area}]"), "Ann Adams")
    ann.press(ann.button("Make the system"))
    ann.heading("Support bot")


def make_its_parts(ann: Keyboard, ben: Keyboard, folder: Path) -> None:
    """One writes a version of each part, the other reads and approves it."""
    contents = {kind: (name, content) for kind, (name, content) in PARTS.items()}
    contents[Kind.PROMPT] = ("system-prompt", (SAMPLES / f"prompt-{LABEL}.txt").read_bytes())
    contents[Kind.DATASET] = ("golden-set", (SAMPLES / "golden-set.jsonl").read_bytes())
    for kind, (name, content) in contents.items():
        ann.page.goto(SYSTEM)
        ann.press(ann.button("Add").nth(0))
        ann.choose(ann.page.locator("#add-component [name=kind]"), Kind(kind).label)
        ann.into(ann.page.locator("#add-component [name=name]"), name)
        ann.letter("Enter")
        ann.heading(name)
        ann.letter("n")
        ann.heading(f"New version of {name}")
        if kind == Kind.DATASET:
            path = folder / "golden-set.jsonl"
            path.write_bytes(content)
            ann.file(ann.page.locator("[name=file]"), path)
        else:
            ann.into(ann.page.get_by_label("Content", exact=True), content.decode())
        ann.press(ann.button("Submit for review"))
        ann.heading(f"{name} v1")
        ben.page.goto(ann.page.url)
        ben.letter("v")
        ben.press(ben.page.locator("#review").get_by_role("button", name="Approve"))
        ben.sees("Approved")


def make_it_watched(ann: Keyboard, ben: Keyboard) -> None:
    """A source for the canary, a channel that a test message reached, and the two rehearsals."""
    ann.page.goto(reverse("metrics:sources", args=[SLUG]))
    ann.letter("n")
    ann.press(ann.page.locator("#new").get_by_role("link", name="Request trail"))
    ann.into(ann.page.get_by_label("Name"), "Request trail")
    ann.press(ann.button("Save"))
    ann.heading("Request trail")
    ann.page.goto(reverse("operations:channels", args=[SLUG]))
    ann.letter("n")
    ann.into(ann.page.locator("#add [name=name]"), "On call")
    ann.choose(ann.page.locator("#add [name=kind]"), "E-mail")
    ann.into(ann.page.locator("#add [name=target]"), "oncall@example.test")
    ann.letter("Enter")
    ann.press(ann.button("Test"))
    ann.sees("A test is on its way")
    with between_requests:
        for delivery in deliver.due(timezone.now()):
            deliver.attempt(str(delivery.pk), now=timezone.now())
    for kind in ("Rollback", "Simulated incident"):
        ann.page.goto(reverse("operations:drills", args=[SLUG]))
        ann.letter("n")
        ann.choose(ann.page.locator("#plan [name=kind]"), kind)
        ann.into(ann.page.locator("#plan [name=plan]"), "Errors are injected in staging.")
        ann.press(ann.page.locator("#plan").get_by_role("button", name="Plan"))
        ann.press(ann.button("Start the clock"))
        ann.press(ann.button("Recovered: stop the clock"))
        ann.sees("The clock has stopped.")
        ann.press(ann.page.get_by_label("Passed"), "Space")
        ann.into(ann.page.get_by_label("What was learnt"), "The alert fired; the former release served again.")
        ann.press(ann.button("End the drill"))
        ann.press(ann.page.locator("#confirm [value=yes]"))
        ann.heading("What was learnt")
    let_the_product_rehearse(ann)


def let_the_product_rehearse(ann: Keyboard) -> None:
    """The budget alarm, whose delay the gate judges: the product breaks and measures, a person only asks for it."""
    ann.page.goto(reverse("operations:drills", args=[SLUG]))
    ann.letter("n")
    ann.choose(ann.page.locator("#plan [name=kind]"), "Budget alarm")
    ann.into(ann.page.locator("#plan [name=plan]"), "Synthetic spending crosses the cap.")
    ann.press(ann.page.locator("#plan [name=by_product]"), "Space")
    ann.press(ann.page.locator("#plan").get_by_role("button", name="Plan"))
    ann.press(ann.button("Let the product run it"))
    ann.sees("The product runs it")
    with between_requests:
        walk.work_until_ended(Drill.objects.get(by_product=True))
    ann.page.reload()
    ann.heading("What was learnt")


def open_the_release(ann: Keyboard, standard: str) -> None:
    ann.page.goto(SYSTEM)
    ann.letter("n")
    ann.into(ann.page.get_by_label("Label"), LABEL)
    if standard == "house":
        ann.choose(ann.page.get_by_label("Standard"), "House standard")
    ann.press(ann.button("Open release"))
    ann.heading("Pins and plan")
    ann.choose(ann.page.get_by_label("Watched with"), "Request trail")
    ann.press(ann.button("Save plan"))
    ann.sees("canary, 10\u00a0% for 24 hours")
    ann.press(ann.button("Begin the review"))
    ann.heading(LABEL)


def asked() -> StandardDef:
    with between_requests:
        return definition_of(Release.objects.select_related("standard").get(label=LABEL).standard)


def by_people() -> list[ItemDef]:
    return [item for item in asked().items if item.question == "canary" and item.verification != "auto"]


def only(keyboard: Keyboard, item: ItemDef) -> Page:
    """The checklist narrowed to one item, by its filter; the cursor on its row."""
    keyboard.letter("/")
    keyboard.keys.press("Control+A")
    keyboard.keys.insert_text(item.key)
    keyboard.keys.press("Enter")
    keyboard.page.wait_for_url(lambda url: item.key in url)
    keyboard.letter("j")
    return keyboard.page


def attach(ann: Keyboard, item: ItemDef) -> None:
    if RELEASE not in ann.page.url:
        ann.page.goto(RELEASE)
    page = only(ann, item)
    ann.letter("e")
    panel = page.locator("#panel")
    file = panel.locator("input[type=file]")
    file.wait_for()
    with page.expect_file_chooser() as chooser:
        ann.press(file)
    chooser.value.set_files([{"name": "log.txt", "mimeType": "text/plain", "buffer": item.title.encode()}])
    ann.press(panel.get_by_role("button", name="Attach"))
    panel.wait_for(state="hidden")
    page.locator(f'[id="item-{item.key}"] [data-status=submitted]').wait_for()


def verify(ben: Keyboard, item: ItemDef) -> None:
    if RELEASE not in ben.page.url:
        ben.page.goto(RELEASE)
    page = only(ben, item)
    ben.letter("v")
    panel = page.locator("#panel")
    ben.press(panel.get_by_role("button", name="Verify"))
    panel.wait_for(state="hidden")
    page.locator(f'[id="item-{item.key}"] [data-status=verified]').wait_for()


def answer(ann: Keyboard) -> None:
    ann.page.goto(f"{RELEASE}questions/")
    for question in asked().questions:
        card = ann.page.locator(f"#{question.key}")
        ann.press(card.get_by_label("Yes"), "Space")
        ann.into(card.get_by_label("How you know"), "It is in the runbook; the last drill showed it.")
        ann.press(card.get_by_role("button", name="Save answer"))
        card.locator("[data-status=ok]").wait_for()


def evaluate(ann: Keyboard, ben: Keyboard) -> None:
    """A file of the real tool, pushed by one and vouched for by the other; the judge alone says what it means."""
    ann.page.goto(reverse("metrics:system", args=[SLUG]))
    ann.letter("n")
    ann.choose(ann.page.locator("#upload [name=tool]"), "Inspect AI")
    ann.file(ann.page.locator("#upload [name=file]"), INSPECT / f"{LABEL}.eval")
    ann.press(ann.page.locator("#upload").get_by_role("button", name="Upload"))
    ann.heading(f"Evaluation of {LABEL}")
    ben.page.goto(ann.page.url)
    ben.press(ben.button("Confirm the origin"))
    ben.press(ben.page.locator("#confirm [value=yes]"))
    ben.sees("The origin is confirmed")
    with between_requests:
        judge_waiting(now=timezone.now())
