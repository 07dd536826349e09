"""Records that people fill in: every field asked is answered, kept as it was asked, and read back as fields."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import vault
from releases import records
from releases.models import Evidence
from releases.presenting.viewer import readable
from releases.standard.load import parse, shipped
from tests.factories import sign_in

KEY = "privacy.review"
VALUES = {
    "scope": "Prompts, logs, the retrieval index.",
    "findings": "None that matters.",
    "outcome": "fine",
    "people": "Priya, Pia",
    "day": "2026-11-23",
    "data": "Questions of customers.",
}


def test_every_kind_that_the_shipped_standard_takes_has_a_form_or_a_page():
    taken = {entry for item in parse(shipped()[1]).items for entry in item.evidence if entry.startswith("record:")}
    for entry in taken:
        (kind,) = records.kinds_of((entry,))
        assert bool(kind.fields) != bool(kind.made_at), entry
    assert {records.kind_of(key.partition(":")[2]).key for key in taken} == {key.partition(":")[2] for key in taken}


def test_a_kind_of_a_teams_own_standard_has_the_plain_form():
    assert records.kind_of("house-style") == records.RecordKind("house-style", "House style", records.PLAIN)
    assert records.kind_of("drill.coffee").made_at == "operations:drills"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scope": " "}, "What was looked at: say something."),
        ({"outcome": "splendid"}, "Outcome: one of fine"),
        ({"day": "yesterday"}, "Done on: a day"),
        ({"secret": "x"}, "secret is no field"),
        ({"findings": "x" * 10_001}, "at most 10,000"),
    ],
)
def test_what_is_missing_or_wrong_is_named(changes, words):
    with pytest.raises(records.RecordError, match=words):
        records.record(records.kind_of("review.privacy"), VALUES | changes, release="1", item=KEY)


def test_what_the_product_makes_itself_is_not_typed():
    with pytest.raises(records.RecordError, match="makes this record itself"):
        records.record(records.kind_of("drill.budget"), {}, release="1", item="cost.alarm-delay")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=80).filter(str.strip))
def test_any_words_read_back_as_they_were_written(words):
    kind = records.RecordKind("x", "X", (records.Field("a", "A", "words"),))
    kept = records.record(kind, {"a": words}, release="1", item="k")
    assert readable("application/json", "X", kept).rows == (("A", words.strip()),)
    assert records.record(kind, {"a": words}, release="1", item="k") == kept


@pytest.fixture
def item_url(stage):
    return f"/systems/{stage.system.slug}/releases/{stage.release.label}/items/{KEY}/"


def test_a_record_is_filled_in_on_the_page(stage, item_url):
    client = sign_in(stage.people.engineer)
    page = client.get(item_url).content.decode()
    assert "Or fill in the record: Privacy review" in page
    revision = stage.release.items.get(key=KEY).revision
    data = {"record": "review.privacy", "revision": revision, **VALUES}
    refused = client.post(f"{item_url}act/attach/", data | {"findings": ""})
    assert refused.status_code == 422
    assert "What was found: This field is required." in refused.content.decode()
    assert "Prompts, logs, the retrieval index." in refused.content.decode()  # nothing that was typed is lost
    assert not Evidence.objects.filter(item__key=KEY).exists()
    assert client.post(f"{item_url}act/attach/", data | {"record": "review.security"}).status_code == 422
    assert client.post(f"{item_url}act/attach/", data).status_code == 302
    kept = Evidence.objects.get(item__key=KEY)
    assert (kept.kind, kept.title, kept.media_type) == ("record", "Privacy review", "application/json")
    body = json.loads(vault.get(kept.digest))
    assert (body["record"], body["item"], body["release"]) == ("review.privacy", KEY, stage.release.label)
    shown = client.get(f"{item_url}evidence/{kept.pk}/read/").content.decode()
    assert "<dt>Personal data, and why</dt><dd>Questions of customers.</dd>" in shown


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ((), ""),
        (("file",), "a file"),
        (("file", "link"), "a file or a link"),
        (("record:contract.probe", "file", "link"), "a record (contract probe), a file or a link"),
    ],
)
def test_what_an_item_takes_is_said_in_words(evidence, words):
    assert records.takes(evidence) == words


def test_a_record_comes_over_the_api(stage):
    client = sign_in(stage.people.engineer)
    url = f"/api/releases/{stage.release.pk}/items/{KEY}/evidence"
    sent = {"record": "review.privacy", "values": VALUES}
    wrong = client.post(url, sent | {"values": {**VALUES, "day": "x"}}, content_type="application/json")
    assert wrong.status_code == 422
    assert "Done on" in wrong.json()["reasons"][0]
    other = client.post(url, sent | {"record": "budget.model"}, content_type="application/json")
    assert other.status_code == 422
    assert client.post(url, sent, content_type="application/json").status_code == 201
    assert Evidence.objects.get(item__key=KEY).title == "Privacy review"
