"""People leave and evidence lapses while a release is on its way: at the very moment, and with a clear answer."""

from datetime import timedelta

import pytest

from accounts.actions import deactivate
from operations.models import Channel
from releases.actions import checklist
from releases.decisions import standing
from releases.errors import InvalidInput, NotGo
from releases.gate.types import ItemState, Question
from releases.models import Evidence, Item, SignOff
from tests.factories import NOW, sign_in
from tests.releases.conftest import made_ready
from tests.releases.ready import deliver_alarm
from tests.releases.test_signing import shown, sign

SECOND = timedelta(seconds=1)

shared_stage = made_ready


@pytest.fixture
def ready(stage):
    return stage


def test_evidence_that_lapses_while_the_page_is_open_refuses_the_signature(ready):
    """The canary's evidence has to last until its planned end, a day on. One second decides."""
    lapses = Evidence.objects.exclude(valid_until=None).earliest("valid_until").valid_until
    minute = lapses - timedelta(hours=24)
    deliver_alarm(Channel.objects.get(system=ready.system), now=minute - timedelta(days=1))
    assert standing(ready.again(), Question.CANARY, now=minute - SECOND).verdict.go
    statement = shown(ready, "engineering", ready.people.engineer2, now=minute - SECOND)
    with pytest.raises(NotGo):
        sign(ready, statement, ready.people.engineer2, now=minute)
    assert not SignOff.objects.exists()
    # A signature of the second before stands, and does not clear what lapsed since.
    sign(ready, shown(ready, "engineering", ready.people.engineer2, now=minute - SECOND), ready.people.engineer2,
         now=minute - SECOND)  # fmt: skip
    found = standing(ready.again(), Question.CANARY, now=minute)
    assert SignOff.objects.get().voided_at is None
    assert not found.cleared
    lapsed = {item.key for item in found.verdict.items if item.state is ItemState.LAPSED}
    assert lapsed == set(Item.objects.filter(evidence__valid_until=lapses).values_list("key", flat=True))
    assert {reason.code for reason in found.verdict.reasons} == {"item-lapsed"}


def test_an_owner_who_leaves_is_a_gap_that_blocks_until_somebody_is_named(ready):
    people, now = ready.people, NOW + timedelta(minutes=30)
    assert standing(ready.again(), Question.CANARY, now=now).verdict.go
    left = ready.release.items.filter(owner=people.privacy).first()
    deactivate(user=people.privacy, by=people.admin, now=now, reason="Moved on.")
    found = standing(ready.again(), Question.CANARY, now=now)
    assert not found.verdict.go
    assert "Privacy" in found.facts.ownership_gaps
    page = sign_in(people.product).get(f"/systems/{ready.system.slug}/").content.decode()
    assert "Priya Privacy has left" in page
    # Who has left is not made an owner again; what they own is given to somebody else.
    common = {"release_id": ready.release.pk, "key": left.key, "by": people.product, "now": now}
    with pytest.raises(InvalidInput, match="holds no role on this system"):
        checklist.assign_item(owner=people.privacy, **common)
    assert checklist.assign_item(owner=people.platform, **common).owner == people.platform
