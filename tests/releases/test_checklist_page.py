"""Working on the checklist in its page: by keyboard, several items at once, beside somebody else."""

import copy
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from playwright.sync_api import Page, expect

from demo import walk
from releases.actions import checklist
from releases.actions.standards import upgrade_standard
from releases.models import Comment, Item
from releases.standard.load import shipped
from releases.standard.published import definition_of
from tests.browser import DESKTOP, PHONE, between_requests
from tests.factories import NOW, PROMPT, make_version, sign_in
from tests.releases.test_standards import EXTRA, published


def url_of(stage) -> str:
    return f"/systems/{stage.system.slug}/releases/{stage.release.label}/"


def row(stage, key: str) -> Item:
    return Item.objects.get(release=stage.release, key=key)


def opened(browser_page, user, **how) -> Page:
    """A page of somebody who has the second factor that verifying asks for."""
    sign_in(user)
    return browser_page(user=user, **how)


@pytest.fixture
def item(stage):
    return next(
        one for one in walk.by_people(stage.release) if one.owner_role == "engineering" and "file" in one.evidence
    )


def act(client, stage, key, name, **data):
    data.setdefault("revision", row(stage, key).revision)
    return client.post(f"{url_of(stage)}items/{key}/act/{name}/", data, headers={"HX-Request": "true"})


def test_acts_from_a_panel_answer_with_what_was_done(stage, item):
    client = sign_in(stage.people.engineer)
    answer = act(client, stage, item.key, "comment", text="Where is the log?")
    assert (answer.status_code, answer["HX-Trigger"]) == (204, '{"item-done": {"said": "Your comment is there."}}')
    assert Comment.objects.get().item.key == item.key
    panel = client.get(f"{url_of(stage)}items/{item.key}/panel/comment/")
    assert "Where is the log?" in panel.content.decode()
    assert client.get(f"{url_of(stage)}items/{item.key}/panel/nonsense/").status_code == 404


def test_who_was_slower_sees_both_values(stage, item):
    slow, fast = sign_in(stage.people.product), stage.people.operator
    seen = row(stage, item.key).revision
    checklist.assign_item(release_id=stage.release.pk, key=item.key, owner=stage.people.engineer2, by=fast, now=NOW)
    answer = act(slow, stage, item.key, "assign", owner=stage.people.platform.pk, due="2026-12-01", revision=seen)
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "was changed while you looked at it" in text
    assert '<td data-label="As it is now">Ella Engineer</td>' in text
    assert '<td data-label="Yours">Pia Platform</td>' in text
    assert f"Changed by {fast}" in text
    assert row(stage, item.key).owner == stage.people.engineer2
    # What was typed is still in the form, which now carries the revision that is shown.
    again = act(slow, stage, item.key, "assign", owner=stage.people.platform.pk, due="2026-12-01")
    assert again.status_code == 204
    assert f"{row(stage, item.key).due_at:%Y-%m-%d %H:%M}" == "2026-12-01 23:59"


def test_the_api_names_both_values_as_well(stage, item):
    client = sign_in(stage.people.product)
    checklist.assign_item(
        release_id=stage.release.pk, key=item.key, owner=stage.people.engineer2, by=stage.people.operator, now=NOW
    )
    body = {"act": "assign", "owner": stage.people.platform.email, "revision": 0}
    url = f"/api/releases/{stage.release.pk}/items/{item.key}"
    answer = client.post(url, body, content_type="application/json")
    assert answer.status_code == 409
    assert answer.json()["now"]["owner"] == "Ella Engineer"
    assert answer.json()["changed"]["by"] == "Otto Operator"


def test_several_items_at_once_or_none(stage):
    client = sign_in(stage.people.product)
    keys = [one.key for one in walk.by_people(stage.release)[:3]]
    chosen = [f"{key}:{row(stage, key).revision}" for key in keys]
    owner = {"owner": stage.people.engineer2.pk, "due": "2026-12-24"}
    assert client.post(f"{url_of(stage)}assign/", {"item": chosen, **owner}).status_code == 302
    assert {row(stage, key).owner for key in keys} == {stage.people.engineer2}
    # One of them was changed since: nothing of it happens.
    stale = {"item": chosen, "owner": stage.people.operator.pk}
    assert client.post(f"{url_of(stage)}assign/", stale).status_code == 409
    assert {row(stage, key).owner for key in keys} == {stage.people.engineer2}
    for bad in ([], ["x"], ["x:-1"], [f"{keys[0]}:1x"]):
        assert client.post(f"{url_of(stage)}assign/", {"item": bad, **owner}).status_code == 422
    assert client.post(f"{url_of(stage)}assign/", {"item": chosen, **owner, "due": "soon"}).status_code == 422


def test_the_page_has_one_word_for_all_that_it_shows(stage, item):
    client = sign_in(stage.people.engineer)

    def word() -> str:
        return client.get(f"{url_of(stage)}live/").json()["stamp"]

    first = word()
    assert first in client.get(url_of(stage)).content.decode()
    assert word() == first
    walk.attach(stage.release, item, by=stage.people.engineer, now=NOW)
    attached = word()
    walk.verify(stage.release, item, by=stage.people.engineer2, now=NOW)
    verified = word()
    act(client, stage, item.key, "comment", text="Done.")
    assert len({first, attached, verified, word()}) == 4


def test_an_answer_may_rest_on_evidence_of_the_release(stage, item):
    walk.attach(stage.release, item, by=stage.people.engineer, now=NOW)
    evidence = row(stage, item.key).evidence.get()
    client = sign_in(stage.people.product)
    assert evidence.title in client.get(f"{url_of(stage)}questions/").content.decode()
    key = definition_of(stage.release.standard).questions[0].key
    data = {"key": key, "value": "yes", "text": "See the log."}
    foreign = client.post(f"{url_of(stage)}questions/", {**data, "evidence": stage.release.pk})
    assert foreign.status_code == 422
    assert not stage.release.answers.exists()
    client.post(f"{url_of(stage)}questions/", {**data, "evidence": evidence.pk})
    assert stage.release.answers.get().evidence == evidence
    assert "Backed by" in client.get(f"{url_of(stage)}questions/").content.decode()


def test_a_date_that_has_passed_shows_in_my_work(stage, item):
    checklist.assign_item(
        release_id=stage.release.pk,
        key=item.key,
        owner=stage.people.engineer,
        due_at=NOW - timedelta(days=1),
        by=stage.people.product,
        now=NOW,
    )
    page = sign_in(stage.people.engineer).get("/").content.decode()
    assert page.index("Overdue") < page.index(item.title)


def wide(count: int) -> dict[str, Any]:
    """The shipped standard, made up to so many items."""
    own = copy.deepcopy(shipped()[1]) | {"number": f"wide-{count}"}
    more = {**EXTRA, "evidence": ["file"]}
    own["items"] += [{**more, "key": f"contracts.more-{n}"} for n in range(count - len(own["items"]))]
    return own


def test_two_hundred_items_take_as_many_queries_as_ninety(stage):
    client, url = sign_in(stage.people.engineer), url_of(stage)
    counts = {}
    for count in (90, 200):
        published(stage.people, wide(count), line=f"wide-{count}")
        upgrade_standard(release_id=stage.release.pk, number=f"wide-{count}", by=stage.people.product, now=NOW)
        client.get(url)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(url).content.decode().count("data-row data-part") == count
        counts[count] = len(queries)
    assert counts == {90: 41, 200: 41}


@pytest.mark.browser
def test_an_item_is_worked_on_by_keyboard_alone(stage, item, browser_page):
    page: Page = opened(browser_page, stage.people.engineer)
    page.goto(url_of(stage) + f"?q={item.key}")
    line = page.locator(f'[id="item-{item.key}"]')
    page.keyboard.press("j")
    page.keyboard.press("a")
    panel = page.locator("#panel")
    expect(panel.get_by_role("button", name="Assign")).to_be_visible()
    page.keyboard.type("Ella")
    page.keyboard.press("Control+Enter")
    expect(panel).to_be_hidden()
    expect(line).to_contain_text("Ella Engineer")
    page.keyboard.press("e")
    panel.locator("input[type=file]").wait_for(state="attached")
    panel.locator("input[type=file]").set_input_files(
        {"name": "log.txt", "mimeType": "text/plain", "buffer": b"It ran."}
    )
    panel.get_by_role("button", name="Attach").focus()
    page.keyboard.press("Enter")
    expect(line).to_contain_text("To verify")
    expect(line).to_contain_text("log.txt")


# A file over the page, as the system's file manager or clipboard hands it in.
BRINGS = """([selector, kind]) => {
  const carried = new DataTransfer();
  carried.items.add(new File(['It ran.'], 'shot.png', { type: 'image/png' }));
  const target = document.querySelector(selector);
  const how = { bubbles: true, cancelable: true };
  if (kind === 'drop') {
    target.dispatchEvent(new DragEvent('dragover', { ...how, dataTransfer: carried }));
    if (!target.closest('tr').hasAttribute('data-over')) throw Error('The row does not show that it takes the file.');
    target.dispatchEvent(new DragEvent('drop', { ...how, dataTransfer: carried }));
  } else document.dispatchEvent(new ClipboardEvent('paste', { ...how, clipboardData: carried }));
}"""


@pytest.mark.browser
@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_file_dropped_on_a_row_or_pasted_into_it_is_in_the_form(stage, item, browser_page, kind):
    page: Page = opened(browser_page, stage.people.engineer)
    page.goto(url_of(stage) + f"?q={item.key}")
    page.keyboard.press("j")
    page.evaluate(BRINGS, [f'[id="item-{item.key}"] a.main', kind])
    panel = page.locator("#panel")
    expect(panel.locator("output")).to_have_text("shot.png")
    panel.get_by_role("button", name="Attach", exact=True).focus()
    page.keyboard.press("Enter")
    line = page.locator(f'[id="item-{item.key}"]')
    expect(line).to_contain_text("shot.png")
    assert line.get_attribute("data-over") is None


@pytest.mark.browser
def test_what_somebody_else_does_comes_by_itself(stage, item, browser_page):
    walk.attach(stage.release, item, by=stage.people.engineer, now=NOW)
    page: Page = opened(browser_page, stage.people.product)
    page.goto(url_of(stage))
    line = page.locator(f'[id="item-{item.key}"]')
    expect(line).to_contain_text("To verify")
    line.locator("a.main").focus()
    with between_requests:
        walk.verify(stage.release, item, by=stage.people.engineer2, now=NOW)
    expect(line).to_contain_text("Verified", timeout=20_000)
    expect(line.locator("a.main")).to_be_focused()


@pytest.mark.browser
@pytest.mark.parametrize(("theme", "width"), [("light", DESKTOP), ("dark", PHONE)])
def test_the_panels_are_clean(stage, item, browser_page, axe_clean, theme, width):
    walk.attach(stage.release, item, by=stage.people.engineer, now=NOW)
    page: Page = opened(browser_page, stage.people.engineer2, theme=theme, width=width)
    page.goto(url_of(stage) + f"?q={item.key}")
    for name in ("assign", "attach", "verify", "comment"):
        key = {"assign": "a", "attach": "e", "verify": "v", "comment": "c"}[name]
        link = page.locator(f'[id="item-{item.key}"] [data-row-key="{key}"]')
        if link.count():
            link.click()
            expect(page.locator("#panel")).to_be_visible()
            axe_clean(page)
            page.keyboard.press("Escape")
    page.goto(url_of(stage) + "carry/")
    axe_clean(page)


@pytest.mark.browser
def test_another_prompt_shows_what_is_stale_and_why(stage, browser_page):
    """A person pins a newer prompt by keyboard; the checklist then says which items have to be looked at again."""
    walk.do_checklist(stage.release, stage.people, now=NOW)
    pinned = stage.release.pins.get(component__kind="prompt")
    newer = make_version(
        pinned.component, PROMPT + b"Be kind.\n", by=stage.people.engineer, reviewer=stage.people.engineer2
    )
    page: Page = opened(browser_page, user=stage.people.product)
    page.goto(url_of(stage) + "setup/")
    choice = page.get_by_label(f"Version of {pinned.component.name}")
    choice.focus()
    choice.select_option(str(newer.pk))
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#pins")).to_contain_text(f"version {newer.number}")
    page.goto(url_of(stage) + "?q=status:stale")
    depends = {one.key for one in walk.by_people(stage.release) if "prompt" in one.depends_on}
    shown = {line.get_attribute("id").removeprefix("item-") for line in page.locator("#checklist [data-row]").all()}
    assert shown == depends
    expect(page.locator("#checklist")).to_contain_text(f"changed to version {newer.number} after it was done")
