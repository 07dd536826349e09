from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from audit.ledger import entries
from operations.actions.freezes import confirm_mitigation, impose_freeze, record_mitigation
from operations.errors import NotYourRole, Refused
from operations.models import Delivery, Freeze
from operations.queries import active_freezes

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(people):
    return {
        "mara": people("Mara", "product"),
        "ed": people("Ed", "engineering"),
        "oli": people("Oli", "operations"),
        "both": people("Bo", "engineering", "operations"),
    }


def kinds(freeze):
    return [entry.kind for entry in entries(subject=f"freeze:{freeze.pk}")]


def test_a_freeze_is_lifted_by_three_people_and_everything_is_on_the_record(system, team, now):
    freeze = impose_freeze(system=system, reason="Answers name competitors.", by=team["ed"], now=now)
    assert active_freezes(system, now) == [freeze]

    freeze = record_mitigation(freeze=freeze, text="Filter added.", release_label="2026.11.5", by=team["mara"], now=now)
    assert freeze.spares("2026.11.5") and not freeze.spares("2026.11.6")
    confirm_mitigation(freeze=freeze, side="engineering", seen=freeze.mitigation_digest, by=team["ed"], now=now)
    assert active_freezes(system, now) == [freeze]
    lifted = confirm_mitigation(
        freeze=freeze, side="operations", seen=freeze.mitigation_digest, by=team["oli"], now=now
    )

    assert lifted.lifted_at == now and active_freezes(system, now) == []
    assert kinds(freeze) == [
        "freeze.imposed", "freeze.mitigated", "freeze.confirmed", "freeze.confirmed", "freeze.lifted",
    ]  # fmt: skip
    told = Delivery.objects.filter(notification__topic="operations.freeze-lifted", person=team["oli"])
    assert told.get().notification.body == "What was done: Filter added."


def test_the_product_freezes_once_per_cause(system, now):
    first = impose_freeze(system=system, reason="PSI 0.31", cause="drift", by=None, now=now)
    again = impose_freeze(system=system, reason="PSI 0.33", cause="drift", by=None, now=now)
    other = impose_freeze(system=system, reason="1.7 x", cause="cost_spike", by=None, now=now + timedelta(seconds=1))
    assert first == again and first.reason == "PSI 0.31"
    assert active_freezes(system, now + timedelta(seconds=1)) == [first, other]
    assert entries(subject=f"freeze:{first.pk}").get().actor_id == "product"


def test_an_auditor_freezes_nothing(system, people, now):
    with pytest.raises(NotYourRole, match="takes the role"):
        impose_freeze(system=system, reason="x", by=people("Eve", "auditor"), now=now)
    assert not Freeze.objects.exists()


def test_a_role_on_another_system_does_not_count(system, other_system, people, now):
    stranger = people("Sam", "operations", system="search")
    with pytest.raises(NotYourRole):
        impose_freeze(system=system, reason="x", by=stranger, now=now)
    assert impose_freeze(system=other_system, reason="x", by=stranger, now=now)


def test_who_records_does_not_confirm_and_nobody_confirms_twice(system, team, now):
    freeze = impose_freeze(system=system, reason="x", by=team["ed"], now=now)
    freeze = record_mitigation(freeze=freeze, text="y", by=team["both"], now=now)
    seen = freeze.mitigation_digest
    with pytest.raises(NotYourRole, match="somebody else confirms it"):
        confirm_mitigation(freeze=freeze, side="engineering", seen=seen, by=team["both"], now=now)
    freeze = record_mitigation(freeze=freeze, text="y", by=team["mara"], now=now)
    seen = freeze.mitigation_digest
    confirm_mitigation(freeze=freeze, side="engineering", seen=seen, by=team["both"], now=now)
    with pytest.raises(NotYourRole, match="another person confirms this one"):
        confirm_mitigation(freeze=freeze, side="operations", seen=seen, by=team["both"], now=now)
    assert active_freezes(system, now)


def test_a_rewritten_mitigation_is_confirmed_anew(system, team, now):
    freeze = impose_freeze(system=system, reason="x", by=team["ed"], now=now)
    freeze = record_mitigation(freeze=freeze, text="Filter added.", by=team["mara"], now=now)
    seen = freeze.mitigation_digest
    confirm_mitigation(freeze=freeze, side="engineering", seen=seen, by=team["ed"], now=now)
    freeze = record_mitigation(freeze=freeze, text="Nothing, really.", by=team["mara"], now=now)
    assert freeze.confirmed_engineering_by is None
    with pytest.raises(Refused, match="rewritten since you read it"):
        confirm_mitigation(freeze=freeze, side="operations", seen=seen, by=team["oli"], now=now)


def by_hand(freeze, **changes):
    with pytest.raises(IntegrityError) as raised, transaction.atomic():
        Freeze.objects.filter(pk=freeze.pk).update(**changes)
    return str(raised.value)


def test_the_database_keeps_the_three_people_apart_by_itself(system, team, now):
    freeze = impose_freeze(system=system, reason="x", by=team["ed"], now=now)
    freeze = record_mitigation(freeze=freeze, text="y", by=team["mara"], now=now)
    engineering = {"confirmed_engineering_by": team["ed"], "confirmed_engineering_at": now}
    operations = {"confirmed_operations_by": team["ed"], "confirmed_operations_at": now}
    assert "three_people" in by_hand(freeze, **engineering, **operations)
    assert "three_people" in by_hand(freeze, **engineering | {"confirmed_engineering_by": team["mara"]})
    assert "lifted_by_both" in by_hand(freeze, lifted_at=now, **engineering)
    bare = impose_freeze(system=system, reason="z", by=team["ed"], now=now)
    assert "confirms_a_mitigation" in by_hand(bare, **engineering)


def test_a_lifted_freeze_cannot_be_changed_or_removed(system, team, now):
    freeze = impose_freeze(system=system, reason="x", by=team["ed"], now=now)
    for change in ("UPDATE operations_freeze SET reason = 'nothing'", "DELETE FROM operations_freeze"):
        with pytest.raises(DatabaseError, match="never"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change)
    freeze = record_mitigation(freeze=freeze, text="y", by=team["mara"], now=now)
    for side, name in (("engineering", "ed"), ("operations", "oli")):
        confirm_mitigation(freeze=freeze, side=side, seen=freeze.mitigation_digest, by=team[name], now=now)
    with pytest.raises(DatabaseError, match="never changes"), transaction.atomic():
        Freeze.objects.filter(pk=freeze.pk).update(lifted_at=None)
    with pytest.raises(Refused, match="was lifted"):
        record_mitigation(freeze=freeze, text="z", by=team["mara"], now=now)
