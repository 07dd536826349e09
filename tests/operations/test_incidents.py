from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction

from audit import vault
from audit.canonical import loads
from audit.ledger import entries
from jobs.models import Event
from operations.actions.incidents import add_follow_up, close_incident, finish_follow_up, mitigate, note, open_incident
from operations.errors import InvalidInput, NotYourRole, Refused
from operations.models import Delivery, Incident

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)
SAID = {"impact": "All chats for 20 minutes.", "cause": "The quota was used up.", "lessons": "Alert on the quota."}


@pytest.fixture
def team(people):
    return {"oli": people("Oli", "operations"), "ed": people("Ed", "engineering"), "eve": people("Eve", "auditor")}


@pytest.fixture
def incident(system, team, now):
    return open_incident(
        system=system, title="Empty answers", severity="major", began_at=now - 5 * MINUTE, release_label="7",
        requests=["req-1", " "], by=team["oli"], now=now,
    )  # fmt: skip


def test_from_opening_to_its_post_mortem(system, team, incident, now):
    oli, ed = team["oli"], team["ed"]
    assert incident.requests == ["req-1"]
    assert Delivery.objects.filter(person=ed, notification__topic="operations.incident-opened").exists()
    note(incident=incident, text="Quota says 0.", by=ed, now=now + MINUTE)
    with pytest.raises(Refused, match="Mark it as mitigated first"):
        close_incident(incident=incident, **SAID, by=oli, now=now + 2 * MINUTE)
    mitigate(incident=incident, by=oli, now=now + 15 * MINUTE)
    with pytest.raises(Refused, match="not measured twice"):
        mitigate(incident=incident, by=oli, now=now + 16 * MINUTE)
    due = (now + timedelta(days=9)).date()
    todo = add_follow_up(incident=incident, text="Alert at 80 %.", owner=ed, due_on=due, by=oli, now=now)
    with pytest.raises(InvalidInput, match="A post-mortem says lessons"):
        close_incident(incident=incident, **SAID | {"lessons": " "}, by=oli, now=now + 20 * MINUTE)
    closed = close_incident(incident=incident, **SAID, by=oli, now=now + 20 * MINUTE)
    event = Event.objects.get(topic="operations.record-made")
    record = loads(vault.get(event.payload["digest"]))
    assert event.payload["record"] == "postmortem"
    assert record["cause"] == SAID["cause"] and record["timeline"][0]["text"] == "Quota says 0."
    assert record["follow_ups"][0]["owner"] == ed.actor_id
    with pytest.raises(DatabaseError, match="closed incident never changes"), transaction.atomic():
        Incident.objects.filter(pk=closed.pk).update(cause="Nobody's.")
    with pytest.raises(Refused, match="closed and does not change"):
        note(incident=closed, text="More.", by=ed, now=now + 30 * MINUTE)
    finish_follow_up(follow_up=todo, by=ed, now=now + timedelta(days=1))
    with pytest.raises(Refused, match="done already"):
        finish_follow_up(follow_up=todo, by=ed, now=now + timedelta(days=1))
    kinds = [entry.kind for entry in entries(subject=f"incident:{closed.pk}")]
    assert kinds == [
        "incident.opened", "incident.noted", "incident.mitigated", "incident.follow-up-added", "incident.closed",
        "incident.follow-up-done",
    ]  # fmt: skip


def test_what_is_refused(system, other_system, team, people, incident, now):
    with pytest.raises(InvalidInput, match="began in the future"):
        open_incident(system=system, title="x", severity="minor", began_at=now + MINUTE, by=team["oli"], now=now)
    with pytest.raises(InvalidInput, match="one of minor"):
        open_incident(system=system, title="x", severity="awful", began_at=now, by=team["oli"], now=now)
    with pytest.raises(NotYourRole):
        mitigate(incident=incident, by=team["eve"], now=now)
    stranger = people("Sam", "engineering", system="search")
    due = (now + timedelta(days=1)).date()
    with pytest.raises(InvalidInput, match="holds no role"):
        add_follow_up(incident=incident, text="x", owner=stranger, due_on=due, by=team["oli"], now=now)
    with pytest.raises(InvalidInput, match="lies in the past"):
        add_follow_up(
            incident=incident, text="x", owner=team["ed"], due_on=due - timedelta(days=3), by=team["oli"], now=now
        )
    with pytest.raises(NotYourRole):
        open_incident(
            system=other_system, title="x", severity="minor", began_at=now, by=people("Ina", system="search"), now=now
        )


def test_request_release_and_incident_lead_to_each_other(system, team, incident, now, client, settings):
    settings.REQUIRE_MFA = False
    client.force_login(team["oli"])
    open_incident(
        system=system, title="Slow", severity="minor", began_at=now, release_label="8", by=team["oli"], now=now
    )
    pages = {asked: client.get(f"/systems/{system.slug}/operations/incidents/?{asked}") for asked in
             ("request=req-1", "release=7", "release=8", "request=req")}  # fmt: skip
    shown = {asked: [one.title for one in page.context["page"].items] for asked, page in pages.items()}
    assert shown == {
        "request=req-1": ["Empty answers"], "release=7": ["Empty answers"], "release=8": ["Slow"], "request=req": [],
    }  # fmt: skip
    assert "req-1</textarea>" in pages["request=req-1"].content.decode(), "one that is opened from here names it"
    api = client.get(f"/api/systems/{system.slug}/incidents?request=req-1").json()["results"]
    assert [one["title"] for one in api] == ["Empty answers"]
    page = client.get(f"/systems/{system.slug}/operations/incidents/{incident.pk}/").content.decode()
    assert f"/systems/{system.slug}/releases/7/" in page and "?q=req-1" in page
