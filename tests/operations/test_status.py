from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from audit.ledger import entries
from operations.actions.runbooks import write_plan
from operations.actions.status import change_status
from operations.errors import InvalidInput, NotYourRole, Refused
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


STEPS = [
    {"do": "Switch off suggestions.", "undo": "Switch them on.", "status": "degraded"},
    {"do": "Retrieve from the index only.", "undo": "Ask the search again.", "status": "degraded"},
    {"do": "Serve the fallback text.", "undo": "Serve the model.", "status": "fallback"},
]


def test_callers_are_told_how_far_the_plan_is_walked(system, people, now):
    oli = people("Oli", "operations")
    until = now + timedelta(hours=4)
    with pytest.raises(InvalidInput, match="no degradation plan"):
        change_status(system=system, step=1, reason="x", by=oli, now=now, expires_at=until)
    write_plan(system=system, steps=STEPS, by=oli, now=now)
    change_status(system=system, step=1, reason="Slow.", by=oli, now=now, expires_at=until)
    seen = status_now(system, now)
    assert (seen.status, seen.step, seen.plan, seen.gives_up) == ("degraded", 1, 1, "Switch off suggestions.")
    # The same person walks on and back within the time that was set; a longer one takes another person.
    change_status(system=system, step=2, reason="Slower.", by=oli, now=now + timedelta(minutes=1), expires_at=until)
    later = {"reason": "x", "by": oli, "now": now + timedelta(minutes=2)}
    with pytest.raises(NotYourRole, match="another person renews it"):
        change_status(system=system, step=1, expires_at=until + timedelta(hours=1), **later)
    for wrong in (0, 4):
        with pytest.raises(InvalidInput, match="has 3 steps"):
            change_status(system=system, step=wrong, expires_at=until, **later)
    with pytest.raises(InvalidInput, match="tells callers fallback, not degraded"):
        change_status(system=system, status="degraded", step=3, expires_at=until, **later)
    change_status(system=system, step=3, expires_at=until, **later)
    assert status_now(system, now + timedelta(minutes=2)).status == "fallback"
    assert status_now(system, until).step is None


def test_a_newer_plan_does_not_change_what_was_said(system, people, now):
    oli = people("Oli", "operations")
    write_plan(system=system, steps=STEPS, by=oli, now=now)
    change_status(system=system, step=1, reason="x", by=oli, now=now, expires_at=now + timedelta(hours=1))
    write_plan(system=system, steps=STEPS[1:], by=oli, now=now)
    seen = status_now(system, now)
    assert (seen.plan, seen.gives_up) == (1, "Switch off suggestions.")
