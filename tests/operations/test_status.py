from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from audit.ledger import entries
from operations.actions.status import change_status
from operations.errors import NotYourRole, Refused
from operations.models import StatusChange
from operations.queries import status_now

pytestmark = pytest.mark.django_db


def test_a_degraded_mode_ends_by_itself(system, people, now):
    oli = people("Oli", "operations")
    assert status_now(system, now).status == "normal"
    until = now + timedelta(hours=4)
    change_status(system=system, status="degraded", reason="Retrieval is slow.", by=oli, now=now, expires_at=until)
    assert status_now(system, until - timedelta(seconds=1)).status == "degraded"
    assert status_now(system, until).status == "normal"
    assert [entry.kind for entry in entries(subject="system:support-bot")][-1] == "status.changed"


def test_a_stop_lasts_until_somebody_ends_it(system, people, now):
    oli = people("Oli", "operations")
    change_status(system=system, status="stopped", reason="Wrong answers.", by=oli, now=now)
    assert status_now(system, now + timedelta(days=400)).status == "stopped"
    change_status(system=system, status="normal", reason="Repaired.", by=oli, now=now + timedelta(hours=1))
    assert status_now(system, now + timedelta(hours=2)).status == "normal"


def test_another_person_renews(system, people, now):
    oli, ed = people("Oli", "operations"), people("Ed", "engineering")
    switch = {"system": system, "status": "fallback", "reason": "x"}
    change_status(**switch, by=oli, now=now, expires_at=now + timedelta(hours=1))
    with pytest.raises(NotYourRole, match="another person renews it"):
        change_status(**switch, by=oli, now=now, expires_at=now + timedelta(hours=5))
    change_status(**switch, by=ed, now=now + timedelta(minutes=5), expires_at=now + timedelta(hours=5))
    assert status_now(system, now + timedelta(hours=4)).changed_by == str(ed.pk)


def test_the_product_itself_may_stop_a_system(system, people, now):
    change_status(system=system, status="stopped", reason="Nothing to roll back to.", by=None, now=now)
    assert entries(subject="system:support-bot").last().actor_id == "product"
    with pytest.raises(Refused, match="stopped already"):
        change_status(system=system, status="stopped", reason="x", by=people("Oli", "operations"), now=now)


def test_history_is_only_ever_added_to(system, people, now):
    change_status(system=system, status="stopped", reason="x", by=people("Oli", "operations"), now=now)
    for change in (StatusChange.objects.all().delete, lambda: StatusChange.objects.update(status="normal")):
        with pytest.raises(DatabaseError, match="only ever added"), transaction.atomic():
            change()
