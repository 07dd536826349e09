from datetime import timedelta

import pytest

from operations.actions.drills import end_drill, mark_recovered, plan_drill, start_drill
from operations.actions.incidents import add_follow_up, finish_follow_up, open_incident
from operations.actions.risks import add_risk, close_risk, review_risk
from operations.actions.runbooks import write_runbook
from operations.drill_schedule import schedule
from operations.errors import InvalidInput
from operations.models import Notification
from operations.reminding import look
from tests.operations.test_risks_and_runbooks import FULL

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def oli(people):
    return people("Oli", "operations")


@pytest.fixture
def ed(people):
    return people("Ed", "engineering")


def told(topic):
    """Each notification of a topic as (title, who got it), the oldest first."""
    rows = Notification.objects.filter(topic=topic).order_by("created_at", "pk")
    return [(row.title, sorted(d.person.name for d in row.deliveries.exclude(person=None))) for row in rows]


def passed(system, by, now, kind="rollback", **changes):
    given = {"environment": "staging", "plan": "x", "participants": []}
    drill = plan_drill(system=system, kind=kind, by=by, now=now, **given | changes)
    start_drill(drill=drill, by=by, now=now)
    mark_recovered(drill=drill, by=by, now=now)
    return end_drill(drill=drill, outcome="passed", log="x", by=by, now=now)


def test_a_planned_drill_is_told_two_days_before_its_day_and_once(system, oli, people, now):
    pia = people("Pia", "product")
    day = (now + 5 * DAY).date()
    drill = plan_drill(
        system=system, kind="incident", environment="staging", plan="The model is away.", participants=[pia], by=oli,
        now=now, scheduled_for=day,
    )  # fmt: skip
    look(now=now + 2 * DAY)
    assert told("operations.drill-due") == []
    look(now=now + 3 * DAY)
    look(now=now + 4 * DAY)
    assert told("operations.drill-due") == [(f"Simulated incident drill of Support bot on {day}", ["Oli", "Pia"])]
    assert schedule(system, now=now)[5].next == drill


def test_a_day_in_the_past_is_refused(system, oli, now):
    with pytest.raises(InvalidInput, match="in the past"):
        plan_drill(
            system=system, kind="incident", environment="staging", plan="x", participants=[], by=oli, now=now,
            scheduled_for=(now - DAY).date(),
        )  # fmt: skip


def test_a_drill_that_lapses_is_told_two_weeks_before_and_raises_an_alarm_when_it_has(system, oli, now):
    passed(system, oli, now)
    for days in (75, 77, 80, 89):
        look(now=now + days * DAY)
    ((title, people),) = told("operations.drill-due")
    assert title == f"Rollback drill of Support bot lapses on {now + 90 * DAY:%Y-%m-%d}" and people == ["Oli"]
    assert told("operations.drill-lapsed") == []
    look(now=now + 90 * DAY)
    look(now=now + 91 * DAY)
    alarm = Notification.objects.get(topic="operations.drill-lapsed")
    assert alarm.breach_at == now + 90 * DAY and alarm.title == "Rollback drill of Support bot has lapsed"


def test_a_newer_drill_takes_the_place_of_the_older_one(system, oli, now):
    passed(system, oli, now)
    passed(system, oli, now + 60 * DAY)
    look(now=now + 91 * DAY)
    assert told("operations.drill-lapsed") == told("operations.drill-due") == []


def test_the_schedule_says_until_when_each_counts_and_what_comes_next(system, oli, now):
    passed(system, oli, now)
    rows = {row.kind: row for row in schedule(system, now=now + DAY)}
    assert (rows["rollback"].state, rows["rollback"].counts_until) == ("ok", now + 90 * DAY)
    assert (rows["incident"].state, rows["incident"].next) == ("missing", None)
    assert [row.state for row in schedule(system, now=now + 80 * DAY) if row.kind == "rollback"] == ["alert"]
    assert [row.state for row in schedule(system, now=now + 90 * DAY) if row.kind == "rollback"] == ["lapsed"]


def test_a_runbook_is_tested_on_the_day_of_the_drill_that_followed_it(system, other_system, oli, now, client):
    version = write_runbook(system=system, title="Outage", kind="model_outage", text=FULL, by=oli, now=now)
    foreign = write_runbook(system=other_system, title="Outage", kind="model_outage", text=FULL, by=oli, now=now)
    with pytest.raises(InvalidInput, match="another system"):
        passed(system, oli, now, kind="runbook", runbook=foreign)
    drill = passed(system, oli, now, kind="runbook", runbook=version)
    assert version.drills.get() == drill


def test_a_follow_up_reminds_its_owner_and_then_everybody_who_runs_the_system(system, oli, ed, now):
    incident = open_incident(system=system, title="Outage", severity="major", began_at=now, by=oli, now=now)
    due = (now + 10 * DAY).date()
    made = add_follow_up(incident=incident, text="Add a limit.", owner=ed, due_on=due, by=oli, now=now)
    other = add_follow_up(incident=incident, text="Done early.", owner=ed, due_on=due, by=oli, now=now)
    finish_follow_up(follow_up=other, by=ed, now=now)
    look(now=now + 7 * DAY)
    assert told("operations.follow-up-due") == []
    look(now=now + 8 * DAY)
    look(now=now + 9 * DAY)
    assert told("operations.follow-up-due") == [(f"A follow-up of Outage is due on {due}", ["Ed"])]
    look(now=now + 11 * DAY)
    look(now=now + 12 * DAY)
    assert told("operations.follow-up-due")[1:] == [(f"A follow-up of Outage was due on {due}", ["Ed", "Oli"])]
    finish_follow_up(follow_up=made, by=ed, now=now + 12 * DAY)
    look(now=now + 13 * DAY)
    assert len(told("operations.follow-up-due")) == 2


def test_a_risk_reminds_its_owner_when_it_is_to_be_looked_at_and_again_the_next_time(system, oli, ed, now):
    given = {"title": "Prices rise", "likelihood": 2, "impact": 3, "mitigation": "Cap.", "owner": ed}
    day = (now + 30 * DAY).date()
    risk = add_risk(system=system, review_on=day, by=oli, now=now, **given)
    closed = add_risk(system=system, review_on=day, by=oli, now=now, **given | {"title": "Gone"})
    close_risk(risk=closed, reason="Sold.", by=oli, now=now)
    look(now=now + 29 * DAY)
    assert told("operations.risk-due") == []
    look(now=now + 30 * DAY)
    look(now=now + 31 * DAY)
    assert told("operations.risk-due") == [("Look again at a risk of Support bot: Prices rise", ["Ed"])]
    review_risk(risk=risk, review_on=(now + 60 * DAY).date(), by=ed, now=now + 31 * DAY, **given)
    look(now=now + 60 * DAY)
    assert len(told("operations.risk-due")) == 2
