"""A team's own standard: written, weighed against the shipped one, approved by others, and releases moved to it."""

import copy
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.ledger import entries
from demo import walk
from releases.actions import opening, standards
from releases.decisions import standing
from releases.errors import InvalidInput, Refused, StateMoved
from releases.forms_standard import ItemForm
from releases.gate.types import ItemState, Question
from releases.models import Evidence, Item, StandardDraft, StandardVersion
from releases.standard.compare import differences, weakenings
from releases.standard.load import parse, read, shipped, write
from tests.browser import DESKTOP, PHONE
from tests.factories import NOW, make_people, sign_in
from tests.releases.test_checklist import state_of

EXTRA: dict[str, Any] = {
    "key": "contracts.house-style",
    "title": "Answers keep to the house style",
    "phase": "pre-production",
    "question": "canary",
    "owner_role": "product",
    "side": "engineering",
    "verification": "evidence",
    "evidence": ["file"],
    "depends_on": ["prompt"],
    "guidance": {"why": "Readers know our voice.", "verify": "Read twenty answers.", "good": "The twenty answers."},
}


def body(number: str = "acme-1", **changes: Any) -> dict[str, Any]:
    """The shipped standard with one more item, and changes: key -> fields, or None to leave the item out."""
    own = copy.deepcopy(shipped()[1])
    own["number"] = number
    kept = [item for item in own["items"] if changes.get(item["key"], item) is not None]
    own["items"] = [{**item, **changes.get(item["key"], {})} for item in kept] + [EXTRA]
    return own


def written(people, content: dict[str, Any], *, line: str = "acme", system: str = "") -> StandardDraft:
    draft = standards.draft_standard(line=line, text=write(content), by=people.engineer, now=NOW, system=system)
    return standards.submit_standard(draft=draft, by=people.engineer, now=NOW)


def published(people, content: dict[str, Any], **where: str) -> StandardVersion:
    draft = standards.approve_standard(
        draft=written(people, content, **where), role="product", by=people.product, now=NOW
    )
    if draft.state != StandardDraft.State.PUBLISHED:
        standards.approve_standard(draft=draft, role="platform", by=people.platform, now=NOW)
    return StandardVersion.objects.get(number=content["number"])


def an_item(stage) -> Any:
    return next(item for item in walk.by_people(stage.release) if item.owner_role == "engineering")


def test_what_is_written_reads_back_the_same():
    assert read(write(shipped()[1])) == shipped()[1]
    assert read(write(body())) == body()


words = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)


@settings(max_examples=60)
@given(words, words, words)
def test_any_words_survive_the_way_to_yaml_and_back(title, why, good):
    own = {**shipped()[1], "title": title, "items": [{**EXTRA, "title": why}], "questions": [
        {"key": "one", "text": good, "guidance": why, "backed_by": [EXTRA["key"]]}]}  # fmt: skip
    own["items"][0]["guidance"] = {"why": why, "verify": title, "good": good}
    assert read(write(own)) == own


def test_stricter_weakens_nothing_and_less_is_named():
    base = parse(shipped()[1])
    people = [item for item in base.items if item.verification == "evidence" and item.question == "canary"]
    lapsing = next(item for item in base.items if item.validity_days)
    assert weakenings(base, parse(body())) == ()
    gone, later = people[0], people[1]
    own = parse(
        body(
            **{
                gone.key: None,
                later.key: {"phase": "post-launch", "question": "none"},
                lapsing.key: {"validity_days": (lapsing.validity_days or 0) + 1},
            }
        )
    ) if gone.key not in {key for question in base.questions for key in question.backed_by} else None  # fmt: skip
    assert own is not None
    found = weakenings(base, own)
    assert f"“{gone.title}” is left out." in found
    assert f"“{later.title}” blocks later, or not at all." in found
    assert f"“{lapsing.title}” lapses after more than {lapsing.validity_days} days." in found
    assert len(found) == 3
    apart = differences(base, own)
    assert [item.key for item in apart.removed] == [gone.key]
    assert [item.key for item in apart.added] == [EXTRA["key"]]
    assert {change.key for change in apart.changed} == {later.key, lapsing.key}


@pytest.mark.django_db
def test_a_second_person_publishes_and_nobody_changes_it_then():
    people = make_people()
    draft = written(people, body())
    with pytest.raises(Refused, match="takes the role product"):
        standards.approve_standard(draft=draft, role="product", by=people.operator, now=NOW)
    standards.approve_standard(draft=draft, role="product", by=people.product, now=NOW)
    version = StandardVersion.objects.get(number="acme-1")
    assert (version.line, version.author, version.approver, version.weakens) == (
        "acme", people.engineer, people.product, [])  # fmt: skip
    assert version.base == shipped()[0]
    with pytest.raises(DatabaseError, match="kept as they are"), transaction.atomic():
        StandardVersion.objects.filter(pk=version.pk).update(weakens=["x"])
    with pytest.raises(InvalidInput, match="published already"):
        standards.draft_standard(line="acme", text=write(body()), by=people.engineer, now=NOW)
    kinds = list(entries(subject="standard:acme-1").order_by("index").values_list("kind", flat=True))
    assert kinds == ["standard.drafted", "standard.submitted", "standard.approved", "standard.published"]


@pytest.mark.django_db
def test_who_wrote_in_it_does_not_approve_it():
    people = make_people()
    draft = standards.draft_standard(line="acme", text=write(body()), by=people.engineer, now=NOW)
    standards.change_draft(draft=draft, text=write(body()), revision=0, by=people.product, now=NOW)
    draft = standards.submit_standard(draft=draft, by=people.engineer, now=NOW)
    with pytest.raises(Refused, match="You wrote in this draft"):
        standards.approve_standard(draft=draft, role="product", by=people.product, now=NOW)
    standards.approve_standard(draft=draft, role="product", by=people.product2, now=NOW)
    assert StandardVersion.objects.filter(number="acme-1").exists()


@pytest.mark.django_db
def test_asking_less_takes_the_platform_owner_besides():
    people = make_people()
    lapsing = next(item for item in parse(shipped()[1]).items if item.validity_days)
    draft = written(people, body(**{lapsing.key: {"validity_days": 3000}}))
    draft = standards.approve_standard(draft=draft, role="product", by=people.product, now=NOW)
    assert draft.state == StandardDraft.State.SUBMITTED
    with pytest.raises(Refused, match="takes the role platform"):
        standards.approve_standard(draft=draft, role="platform", by=people.product2, now=NOW)
    draft = standards.approve_standard(draft=draft, role="platform", by=people.platform, now=NOW)
    version = StandardVersion.objects.get(number="acme-1")
    assert len(version.weakens) == 1
    assert version.platform_approver == people.platform


@pytest.mark.django_db
def test_two_people_cannot_both_save():
    people = make_people()
    draft = standards.draft_standard(line="acme", text=write(body()), by=people.engineer, now=NOW)
    standards.change_draft(draft=draft, text=write(body("acme-2")), revision=0, by=people.product, now=NOW)
    with pytest.raises(StateMoved, match="Somebody saved"):
        standards.change_draft(draft=draft, text=write(body("acme-3")), revision=0, by=people.engineer, now=NOW)
    assert StandardDraft.objects.get().number == "acme-2"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("line", "text", "words"),
    [
        ("readiness", write(body()), "the shipped one"),
        ("Not a line", write(body()), "lower-case words"),
        ("acme", "items: [", "Line 1"),
        ("acme", write(body()).replace("phase: pre-production", "phase: sometime", 1), "phase is one of"),
        ("acme", write(body(**{"contracts.input-schema": {"auto_fact": "no-such-rule"}})), "the gate does not have"),
        ("acme", "a: &x [1]\nb: *x\n", "aliases are not read"),
        ("acme", write(body("2026.1")), "published already"),
    ],
)
def test_what_is_no_standard_is_refused_with_its_place(line, text, words):
    people = make_people()
    with pytest.raises(InvalidInput) as caught:
        standards.draft_standard(line=line, text=text, by=people.engineer, now=NOW)
    assert words in " ".join([caught.value.detail, *caught.value.reasons])
    assert not StandardDraft.objects.exists()


def test_an_open_release_is_offered_the_newer_version_and_moves_to_it(stage):
    people, item = stage.people, an_item(stage)
    published(people, body())
    standards.upgrade_standard(release_id=stage.release.pk, number="acme-1", by=people.product, now=NOW)
    walk.do_checklist(stage.again(), people, now=NOW)
    otherwise = {**item_of(item.key), "guidance": {"why": "W.", "verify": "Look elsewhere.", "good": "G."}}
    published(people, body("acme-2", **{item.key: otherwise}))
    client = sign_in(people.product)
    url = f"/systems/{stage.system.slug}/releases/{stage.release.label}/"
    page = client.get(url).content.decode()
    assert "The standard acme-2 is in force" in page
    assert "0 new, 1 changed, 0 no longer asked" in page
    assert client.post(f"{url}move/upgrade/", {"number": "acme-2"}).status_code == 302
    assert stage.again().standard.number == "acme-2"
    stale = Item.objects.filter(release=stage.release).exclude(stale_reason="")
    assert list(stale.values_list("key", flat=True)) == [item.key]
    assert state_of(stage, item.key) is ItemState.STALE
    assert "acme-2 is in force" not in client.get(url).content.decode()
    with pytest.raises(InvalidInput, match="superseded"):
        standards.upgrade_standard(release_id=stage.release.pk, number="acme-1", by=people.product, now=NOW)


def item_of(key: str) -> dict[str, Any]:
    return next(item for item in shipped()[1]["items"] if item["key"] == key)


def test_what_is_no_longer_asked_is_kept_and_not_counted(stage):
    people, item = stage.people, an_item(stage)
    walk.attach(stage.release, item, by=people.engineer, now=NOW)
    own = body(**{item.key: None})
    for question in own["questions"]:
        question["backed_by"] = [key for key in question.get("backed_by", []) if key != item.key]
    version = published(people, own)
    assert version.weakens
    standards.upgrade_standard(release_id=stage.release.pk, number="acme-1", by=people.product, now=NOW)
    asked = {one.key for one in standing(stage.again(), Question.CANARY, now=NOW).verdict.items}
    assert item.key not in asked
    assert EXTRA["key"] in asked
    assert Evidence.objects.filter(item__key=item.key, item__release=stage.release).exists()
    page = sign_in(people.product).get(f"/systems/{stage.system.slug}/releases/{stage.release.label}/")
    assert "This standard asks less than the shipped one" in page.content.decode()


def test_a_standard_of_one_system_stays_there(stage):
    people = stage.people
    published(people, body(), system="other-bot")
    with pytest.raises(InvalidInput, match="belongs to another system"):
        standards.upgrade_standard(release_id=stage.release.pk, number="acme-1", by=people.product, now=NOW)
    with pytest.raises(InvalidInput, match="belongs to another system"):
        opening.open_release(system=stage.system, label="x", by=people.product, now=NOW, standard="acme-1")


def test_the_next_release_follows_the_line_of_the_last(stage):
    published(stage.people, body())
    standards.upgrade_standard(release_id=stage.release.pk, number="acme-1", by=stage.people.product, now=NOW)
    published(stage.people, body("acme-2"))
    following = opening.open_release(system=stage.system, label="next", by=stage.people.product, now=NOW)
    assert following.standard.number == "acme-2"


@pytest.mark.django_db
def test_in_the_browser_from_a_copy_to_a_published_version():
    people = make_people()
    writer, product = sign_in(people.engineer), sign_in(people.product)
    made = writer.post("/standards/", {"line": "acme", "copy": "2026.1", "number": "acme-1"})
    draft = StandardDraft.objects.get()
    assert made["Location"] == f"/standards/drafts/{draft.pk}/"
    page = f"/standards/drafts/{draft.pk}/"
    broken = write(body()).replace("verification: evidence", "verification: hope", 1)
    answer = writer.post(page, {"text": broken, "revision": 0})
    assert answer.status_code == 422
    assert "verification is one of" in answer.content.decode()
    assert "verification: hope" in answer.content.decode(), "what was typed is not lost"
    assert writer.post(page, {"text": write(body()), "revision": 0}).status_code == 302
    assert "Answers keep to the house style" in writer.get(page).content.decode()
    writer.post(f"{page}submit/")
    answer = product.post(f"{page}approve/", {"role": "product"})
    assert answer["Location"] == "/standard/acme-1/"
    text = product.get("/standard/acme-1/").content.decode()
    assert "What changed since 2026.1" in text
    downloaded = product.get("/standard/acme-1/yaml/")
    assert read(downloaded.content.decode()) == body()
    assert "acme-1" in product.get("/standards/").content.decode()


@pytest.mark.django_db
def test_a_reader_sees_what_each_item_takes_and_what_a_version_changed():
    people = make_people()
    lapsing = next(item for item in parse(shipped()[1]).items if item.validity_days == 90 and item.conditional)
    published(people, body("acme-1", **{lapsing.key: {"validity_days": 45}}))
    text = sign_in(people.product).get("/standard/acme-1/").content.decode()
    assert "It takes a record (contract probe), a file or a link." in text
    assert "verified by a second person every 45 days · only with retrieval" in text
    assert '<span class="muted">lapses after days:</span> <del>90</del> <ins>45</ins>' in text


@pytest.mark.django_db
def test_over_the_api(stage):
    people = stage.people
    writer, product = sign_in(people.engineer), sign_in(people.product)
    sent = {"content_type": "application/json"}
    made = writer.post("/api/standards/drafts", {"line": "acme", "text": write(body())}, **sent)
    assert made.status_code == 201, made.content
    url = f"/api/standards/drafts/{made.json()['id']}"
    assert read(writer.get(url).json()["text"]) == body()
    changed = writer.put(url, {"text": write(body("acme-7")), "revision": 0}, **sent)
    assert (changed.json()["number"], changed.json()["weakens"]) == ("acme-7", [])
    assert writer.post(f"{url}/submit", {}, **sent).json()["state"] == "submitted"
    assert product.post(f"{url}/approve", {}, **sent).json()["state"] == "published"
    assert "acme-7" in [row["number"] for row in product.get("/api/standards").json()["results"]]
    act = {"act": "upgrade", "text": "acme-7"}
    moved = product.post(f"/api/releases/{stage.release.pk}/act", act, **sent)
    assert moved.json()["standard"] == "acme-7"


@pytest.mark.browser
@pytest.mark.parametrize(("theme", "width"), [("light", DESKTOP), ("dark", PHONE)])
def test_the_pages_are_clean(stage, browser_page, axe_clean, theme, width):
    people, item = stage.people, an_item(stage)
    published(people, body())
    standards.upgrade_standard(release_id=stage.release.pk, number="acme-1", by=people.product, now=NOW)
    published(people, body("acme-2", **{item.key: {"validity_days": 3000, "verification": "recurring"}}))
    draft = written(people, body("acme-3", **{EXTRA["key"]: {"title": "Another title"}}))
    sign_in(people.product)
    page = browser_page(user=people.product, theme=theme, width=width)
    release = f"/systems/{stage.system.slug}/releases/{stage.release.label}/"
    for path in ("/standards/", "/standard/acme-2/", f"/standards/drafts/{draft.pk}/", release):
        page.goto(path)
        axe_clean(page)


def sent(**changes: Any) -> dict[str, Any]:
    """What the form of an item sends: EXTRA, and changes."""
    section, _, name = EXTRA["key"].partition(".")
    fields = {"title", "phase", "owner_role", "side", "verification", "evidence", "depends_on"}
    return {
        "section": section,
        "name": name,
        **{field: EXTRA[field] for field in fields},
        **EXTRA["guidance"],
    } | changes


@pytest.mark.django_db
def test_an_item_is_added_changed_and_left_out_by_form():
    people = make_people()
    own = body()
    own["items"] = own["items"][:-1]
    draft = standards.draft_standard(line="acme", text=write(own), by=people.engineer, now=NOW)
    client, url = sign_in(people.engineer), f"/standards/drafts/{draft.pk}/"

    def save(where: str, **changes: Any) -> Any:
        draft.refresh_from_db()
        return client.post(f"{url}items/{where}/", {"revision": draft.revision} | changes)

    assert save("new", **sent()).status_code == 302
    draft.refresh_from_db()
    added = next(one for one in draft.body["items"] if one["key"] == EXTRA["key"])
    assert added == {**EXTRA, "question": "canary"}
    last = max(n for n, one in enumerate(draft.body["items"]) if one["key"].startswith("contracts."))
    assert draft.body["items"][last] == added, "it stands at the end of its section"
    assert parse(draft.body).item(EXTRA["key"]).title == EXTRA["title"]
    # Changed: it lapses now, in a section of its own; what the form does not show of it is kept.
    own_section = sent(section="", new_section="House style", verification="recurring", validity_days=30)
    assert save(EXTRA["key"], **own_section).status_code == 302
    draft.refresh_from_db()
    moved = draft.body["items"][last]
    assert (moved["key"], moved["validity_days"]) == ("house-style.house-style", 30)
    assert draft.body["sections"][-1] == {"key": "house-style", "title": "House style"}
    assert save("house-style.house-style", **{"leave-out": "1"}).status_code == 302
    draft.refresh_from_db()
    assert draft.body == own
    assert [entry.kind for entry in entries(subject=draft.subject)].count("standard.changed") == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"section": ""}, "Choose a section, or name a new one."),
        ({"new_section": "!!!", "section": ""}, "has letters"),
        ({"verification": "recurring"}, "a recurring item lapses"),
        ({"verification": "auto"}, "names the rule that decides it"),
        ({"evidence": []}, "say which evidence is accepted"),
        ({"other_evidence": "carrier pigeon"}, "not carrier pigeon"),
        ({"name": "canonical-output"}, "is used twice"),
        ({"revision": "7"}, "Somebody saved this draft while you worked on it"),
        ({"revision": ""}, "The revision that you saw is missing"),
    ],
)
def test_a_form_that_makes_no_item_says_why_and_keeps_what_was_typed(changes, words):
    people = make_people()
    draft = standards.draft_standard(line="acme", text=write(body()), by=people.engineer, now=NOW)
    client = sign_in(people.engineer)
    data = sent(name="another", revision="0", title="Typed with care") | changes
    answer = client.post(f"/standards/drafts/{draft.pk}/items/new/", data)
    assert answer.status_code in (409, 422)
    page = answer.content.decode()
    assert words in page
    assert "Typed with care" in page
    draft.refresh_from_db()
    assert draft.revision == 0


@pytest.mark.django_db
def test_every_item_of_the_shipped_standard_survives_its_form():
    """What the form shows of an item, sent back unchanged, is that item."""
    base = shipped()[1]
    for item in base["items"]:
        start = {name: value for name, value in ItemForm.start(item).items() if value is not None}
        form = ItemForm(start | {"revision": 0}, body=base)
        assert form.is_valid(), form.errors
        assert form.item(item) == item
