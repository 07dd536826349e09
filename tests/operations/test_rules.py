from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations import rules
from operations.rules import DeliveryState, DrillState, FreezeState, Person, StatusState

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SEEN = "sha256:" + "a" * 64


def someone(name, *roles):
    return Person(id=name, roles=frozenset(roles))


def texts(reasons):
    return [str(reason) for reason in reasons]


def recorded(**changes):
    return FreezeState(**{"mitigated_by": "mara", "mitigation_digest": SEEN} | changes)


def test_an_outsider_may_not_freeze_and_reads_which_roles_may():
    (reason,) = rules.impose_freeze(someone("eve", "auditor"))
    assert reason.forbidden
    assert "product, engineering, operations, platform, privacy or compliance" in reason.text


def test_nothing_is_confirmed_before_it_was_recorded():
    reasons = rules.confirm_mitigation(FreezeState(), "engineering", someone("ed", "engineering"))
    assert texts(reasons) == ["No mitigation is recorded yet: record what was done first."]


def test_each_side_takes_its_own_role():
    assert rules.confirm_mitigation(recorded(), "engineering", someone("ed", "engineering"), seen=SEEN) == []
    (reason,) = rules.confirm_mitigation(recorded(), "operations", someone("ed", "engineering"), seen=SEEN)
    assert reason.forbidden and "operations" in reason.text


def test_who_recorded_a_mitigation_does_not_confirm_it():
    (reason,) = rules.confirm_mitigation(recorded(), "engineering", someone("mara", "engineering"), seen=SEEN)
    assert reason.text == "You recorded this mitigation: somebody else confirms it."


def test_one_person_does_not_confirm_for_both_sides():
    freeze = recorded(confirmed_by=(("engineering", "ed"),))
    both = someone("ed", "engineering", "operations")
    (reason,) = rules.confirm_mitigation(freeze, "operations", both, seen=SEEN)
    assert "another person confirms this one" in reason.text
    (reason,) = rules.confirm_mitigation(freeze, "engineering", someone("fay", "engineering"), seen=SEEN)
    assert reason.text == "Engineering has confirmed already."


@pytest.mark.parametrize("seen", ["", "sha256:" + "b" * 64])
def test_a_text_that_was_not_read_is_not_confirmed(seen):
    (reason,) = rules.confirm_mitigation(recorded(), "engineering", someone("ed", "engineering"), seen=seen)
    assert "rewritten since you read it" in reason.text


def test_a_side_that_does_not_exist_confirms_nothing():
    assert rules.confirm_mitigation(recorded(), "product", someone("pia", "product"), seen=SEEN)


def test_a_lifted_freeze_is_over():
    lifted = recorded(lifted=True, confirmed_by=(("engineering", "ed"), ("operations", "oli")))
    assert "was lifted" in texts(rules.record_mitigation(lifted, someone("mara", "product")))[0]


@given(
    people=st.lists(st.sampled_from(["mara", "ed", "oli"]), min_size=3, max_size=3),
    roles=st.lists(st.sets(st.sampled_from(["product", "engineering", "operations"])), min_size=3, max_size=3),
)
def test_lifting_always_takes_three_people(people, roles):
    """Whoever tries, with whatever roles: if all three acts were allowed, three people did them."""
    recorder, first, second = (someone(name, *held) for name, held in zip(people, roles, strict=True))
    if rules.record_mitigation(FreezeState(), recorder):
        return
    freeze = recorded(mitigated_by=recorder.id)
    if rules.confirm_mitigation(freeze, "engineering", first, seen=SEEN):
        return
    freeze = recorded(mitigated_by=recorder.id, confirmed_by=(("engineering", first.id),))
    if rules.confirm_mitigation(freeze, "operations", second, seen=SEEN):
        return
    assert len({recorder.id, first.id, second.id}) == 3


def test_a_drill_runs_once():
    oli = someone("oli", "operations")
    assert rules.start_drill(DrillState("planned"), oli) == []
    assert "running already" in texts(rules.start_drill(DrillState("running"), oli))[0]
    assert "Plan another one" in texts(rules.start_drill(DrillState("ended"), oli))[0]


def test_a_drill_passes_only_when_the_service_recovered():
    oli = someone("oli", "operations")
    assert "mark the recovery first" in texts(rules.end_drill(DrillState("running"), oli, outcome="passed"))[0]
    assert rules.end_drill(DrillState("running"), oli, outcome="failed") == []
    assert rules.end_drill(DrillState("running", recovered=True), oli, outcome="passed") == []


def test_a_measured_time_is_not_measured_twice():
    reasons = rules.mark_recovered(DrillState("running", recovered=True), someone("oli", "operations"))
    assert "not measured twice" in texts(reasons)[0]


def test_nothing_happens_in_a_drill_that_has_not_started_or_has_ended():
    oli = someone("oli", "operations")
    assert "has not started" in texts(rules.during_drill(DrillState("planned"), oli))[0]
    assert "does not change any more" in texts(rules.during_drill(DrillState("ended"), oli))[0]


def switch(status, person, *, until=None, current="normal", by=None):
    state = StatusState(status=current, changed_by=by)
    return texts(rules.change_status(state, person, status=status, expires_at=until, now=NOW))


def test_a_degraded_mode_ends_by_itself():
    oli = someone("oli", "operations")
    assert switch("degraded", oli) == ["Say until when the system is degraded: it ends by itself then."]
    assert "lies in the past" in switch("fallback", oli, until=NOW)[0]
    assert "At most seven days" in switch("fallback", oli, until=NOW + timedelta(days=8))[0]
    assert switch("fallback", oli, until=NOW + timedelta(hours=4)) == []


def test_another_person_renews_a_degraded_mode():
    later = NOW + timedelta(hours=4)
    assert (
        "another person renews"
        in switch("degraded", someone("oli", "operations"), until=later, current="degraded", by="oli")[0]
    )
    assert switch("degraded", someone("ed", "engineering"), until=later, current="degraded", by="oli") == []


def test_a_stop_has_no_end_and_is_made_once():
    oli = someone("oli", "operations")
    assert switch("stopped", oli) == []
    assert "has no end date" in switch("stopped", oli, until=NOW + timedelta(hours=1))[0]
    assert switch("stopped", oli, current="stopped", by="ed") == ["The system is stopped already."]


def test_product_does_not_switch_a_system():
    assert "engineering or operations" in switch("stopped", someone("pia", "product"))[0]


def test_what_is_on_its_way_is_not_sent_again():
    oli = someone("oli", "operations")
    assert rules.resend(DeliveryState("dead"), oli) == []
    assert rules.resend(DeliveryState("sent"), oli) == []
    assert "on its way" in texts(rules.resend(DeliveryState("waiting"), oli))[0]
    assert "on its way" in texts(rules.resend(DeliveryState("failed", in_flight=True), oli))[0]
    assert "Switch it on" in texts(rules.resend(DeliveryState("dead", channel_off=True), oli))[0]


def test_only_an_admin_says_where_notifications_go():
    assert rules.manage_channel(someone("ada", "admin")) == []
    assert rules.manage_channel(someone("oli", "operations"))[0].forbidden
