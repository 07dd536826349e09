"""Evidence of the release before: taken over where it still holds, and never across what changed."""

from datetime import timedelta

import pytest

from accounts.models import User
from audit.ledger import entries
from demo import walk
from releases.actions import opening
from releases.actions.carrying import carry_forward
from releases.errors import InvalidInput, Refused
from releases.gate.types import ItemState
from releases.models import Evidence, Item, Release
from releases.queries import carriable, release_before
from tests.factories import NOW, PROMPT, make_version, sign_in
from tests.releases.conftest import staged
from tests.releases.test_checklist import state_of

LATER = NOW + timedelta(days=3)

shared_stage = staged


@pytest.fixture
def following(stage):
    """The next release: the first one is done, went live some time ago, and nothing is pinned otherwise."""
    walk.do_checklist(stage.release, stage.people, now=NOW)
    Release.objects.filter(pk=stage.release.pk).update(live_at=NOW)  # it served once; how is tested elsewhere
    release = opening.open_release(system=stage.system, label="2026.11.3", by=stage.people.product, now=LATER)
    opening.pin_newest(release_id=release.pk, by=stage.people.product, now=LATER)
    return release


def offers(release: Release, now=LATER) -> dict[str, str]:
    before = release_before(release)
    assert before is not None
    return {offer.key: offer.reason for offer in carriable(release, before, now=now)}


def carry(release: Release, keys: list[str], by: User, now=LATER) -> list[Evidence]:
    return carry_forward(release_id=release.pk, keys=keys, by=by, now=now)


def test_what_still_holds_is_taken_over_and_looked_at_again(stage, following):
    asked = {item.key: item for item in walk.by_people(stage.release)}
    assert set(offers(following)) == set(asked)
    key = next(key for key, item in asked.items() if item.owner_role == "engineering")
    made = carry(following, [key], stage.people.engineer)
    earlier = Evidence.objects.get(item__release=stage.release, item__key=key)
    assert [(one.digest, one.valid_until, one.carried_from) for one in made] == [
        (earlier.digest, earlier.valid_until, earlier)
    ]
    stage.release = following
    assert state_of(stage, key) is ItemState.WAITING
    with pytest.raises(Refused, match="You attached this evidence"):
        walk.verify(following, asked[key], by=stage.people.engineer, now=LATER)
    walk.verify(following, asked[key], by=stage.people.engineer2, now=LATER)
    assert state_of(stage, key) is ItemState.VERIFIED
    subject = Item.objects.get(release=following, key=key).subject
    assert "item.evidence-carried" in entries(subject=subject).values_list("kind", flat=True)


def test_nothing_crosses_a_changed_dependency(stage, following):
    component = following.pins.get(component__kind="prompt").component
    newer = make_version(
        component, PROMPT + b"Be kind.\n", by=stage.people.engineer, reviewer=stage.people.engineer2, now=LATER
    )
    opening.pin(release_id=following.pk, version=newer, by=stage.people.product, now=LATER)
    depends = {item.key for item in walk.by_people(stage.release) if "prompt" in item.depends_on}
    assert depends
    found = offers(following)
    assert {key for key, reason in found.items() if reason} == depends
    free = next(key for key in found if key not in depends)
    with pytest.raises(InvalidInput, match="depends on the prompt, which is another one now"):
        carry(following, [free, min(depends)], stage.people.engineer)
    assert not Evidence.objects.filter(item__release=following).exists()


def test_what_has_lapsed_is_not_taken_over(stage, following):
    lapsing = next(item for item in walk.by_people(stage.release) if item.validity_days)
    late = NOW + timedelta(days=lapsing.validity_days or 0)
    assert offers(following, now=late)[lapsing.key] == "its evidence has lapsed."
    with pytest.raises(InvalidInput, match="has lapsed"):
        carry(following, [lapsing.key], stage.people.engineer, now=late)


def test_what_was_never_verified_is_not_offered(stage):
    item = walk.by_people(stage.release)[0]
    walk.attach(stage.release, item, by=stage.people.engineer, now=NOW)
    Release.objects.filter(pk=stage.release.pk).update(live_at=NOW)
    release = opening.open_release(system=stage.system, label="2026.11.3", by=stage.people.product, now=LATER)
    assert offers(release) == {}


def test_an_item_that_has_evidence_keeps_its_own(stage, following):
    item = walk.by_people(stage.release)[0]
    walk.attach(following, item, by=stage.people.engineer, now=LATER)
    assert item.key not in offers(following)
    with pytest.raises(InvalidInput):
        carry(following, [item.key], stage.people.engineer)


@pytest.mark.parametrize("keys", [[], ["no.such"]])
def test_nothing_and_nonsense_are_refused(stage, following, keys):
    with pytest.raises(InvalidInput):
        carry(following, keys, stage.people.engineer)


def test_in_bulk_on_the_page(stage, following):
    client = sign_in(stage.people.engineer)
    url = f"/systems/{stage.system.slug}/releases/2026.11.3/"
    assert "Carry evidence forward" in client.get(url).content.decode()
    page = client.get(f"{url}carry/").content.decode()
    keys = sorted(offers(following))
    assert all(f'value="{key}"' in page for key in keys)
    answer = client.post(f"{url}carry/", {"item": keys})
    assert answer.status_code == 302
    assert Evidence.objects.filter(item__release=following, carried_from__isnull=False).count() == len(keys)


def test_over_the_api_with_assigning(stage, following):
    client = sign_in(stage.people.engineer)
    url = f"/api/releases/{following.pk}/items"
    offered = client.get(f"{url}/carry").json()
    assert offered["from"] == "2026.11.2"
    key = offered["results"][0]["key"]
    answer = client.post(f"{url}/carry", {"items": [key]}, content_type="application/json")
    assert (answer.status_code, answer.json()) == (201, {"items": [key]})
    body = {"items": {key: 1}, "owner": stage.people.engineer2.email, "due_at": "2026-12-01T12:00:00Z"}
    answer = client.post(f"{url}/assign", body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    row = Item.objects.get(release=following, key=key)
    assert (row.owner, f"{row.due_at:%Y-%m-%d}") == (stage.people.engineer2, "2026-12-01")
    late = client.post(f"{url}/assign", body, content_type="application/json")
    assert late.status_code == 409
