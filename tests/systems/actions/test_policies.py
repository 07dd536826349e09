"""Policies: proposed by one, approved by product, weakened only with the platform owner."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.utils import DatabaseError, IntegrityError

from audit import ledger
from jobs.models import Event
from systems import actions
from systems.errors import InvalidInput, NotYourRole, Refused
from systems.kinds import Kind
from systems.models import ReleasePolicy, RunningPolicy, System, Version
from systems.policy import ReleaseBars, release_bars
from systems.registry import release_policy_of, running_policy_of
from tests.factories import (
    NOW,
    People,
    make_admin,
    make_component,
    make_people,
    make_user,
    make_version,
    make_whole_system,
)

pytestmark = pytest.mark.django_db


def kinds(subject: str) -> list[str]:
    return list(ledger.entries(subject=subject).values_list("kind", flat=True))


def propose(system: System, people: People, **body: Any) -> ReleasePolicy:
    policy = actions.propose_policy(
        system=system, part="release", body=body, reason="We learnt.", by=people.engineer, now=NOW
    )
    assert isinstance(policy, ReleasePolicy)
    return policy


def test_a_policy_is_proposed_and_approved_by_product(system: System, people: People) -> None:
    policy = propose(system, people, canary_hours=48)
    assert (policy.number, policy.state, policy.weakens) == (2, "draft", [])
    assert release_policy_of(system).number == 1
    later = NOW + timedelta(hours=1)
    policy = actions.approve_policy(policy=policy, role="product", by=people.product, now=later)  # type: ignore[assignment]
    assert (policy.state, policy.approver, policy.approved_at) == ("approved", people.product, later)
    assert release_bars(release_policy_of(system).body).canary_hours == 48
    old = ReleasePolicy.objects.get(system=system, number=1)
    assert (old.state, old.superseded_at) == ("superseded", later)
    assert kinds(f"policy:{policy.pk}") == ["policy.proposed", "policy.approved"]
    assert Event.objects.filter(topic="systems.policy-approved").count() == 1


def test_a_weaker_bar_takes_the_platform_owner_besides(system: System, people: People) -> None:
    policy = propose(system, people, error_rate_max="0.03")
    assert policy.weakens == ["error_rate_max"]
    waiting = actions.approve_policy(policy=policy, role="product", by=people.product, now=NOW)
    assert waiting.state == "draft"
    assert release_policy_of(system).number == 1
    assert not Event.objects.filter(topic="systems.policy-approved").exists()
    with transaction.atomic():
        ReleasePolicy.objects.filter(system=system, number=1).update(state="superseded", superseded_at=NOW)
        with pytest.raises(IntegrityError, match="weaker_takes_platform"), transaction.atomic():
            ReleasePolicy.objects.filter(pk=policy.pk).update(state="approved", approved_at=NOW)
        transaction.set_rollback(True)
    done = actions.approve_policy(policy=waiting, role="platform", by=people.platform, now=NOW)
    assert done.state == "approved"
    assert release_bars(release_policy_of(system).body).error_rate_max.compare(ReleaseBars().error_rate_max) == 1


def test_one_person_gives_one_approval(system: System, people: People) -> None:
    both = make_user("Bo", "product", "platform")
    policy = propose(system, people, error_rate_max="0.03")
    actions.approve_policy(policy=policy, role="product", by=both, now=NOW)
    with pytest.raises(NotYourRole, match="another person's"):
        actions.approve_policy(policy=policy, role="platform", by=both, now=NOW)
    with pytest.raises(IntegrityError, match="second_person"), transaction.atomic():
        ReleasePolicy.objects.filter(pk=policy.pk).update(platform_approver=both)
    with pytest.raises(IntegrityError, match="second_person"), transaction.atomic():
        ReleasePolicy.objects.filter(pk=policy.pk).update(platform_approver=people.engineer)


def test_a_proposal_needs_a_reason_a_change_and_the_turn(system: System, people: People) -> None:
    def again(part: str = "release", body: dict[str, Any] | None = None, reason: str = "x") -> None:
        body = body or {"canary_hours": 48}
        actions.propose_policy(system=system, part=part, body=body, reason=reason, by=people.engineer, now=NOW)

    with pytest.raises(InvalidInput, match="Say why"):
        again(reason=" ")
    with pytest.raises(InvalidInput, match="says already"):
        again(body={"canary_hours": 24})
    with pytest.raises(InvalidInput, match="write the number as a string"):
        again(body={"error_rate_max": 0.02})
    with pytest.raises(InvalidInput, match="two parts"):
        again(part="other")
    again()
    with pytest.raises(Refused, match="Version 2 waits"):
        again(body={"canary_hours": 72})
    declined = actions.decline_policy(
        policy=ReleasePolicy.objects.get(number=2), reason="Too long.", by=people.product, now=NOW
    )
    assert declined.state == "declined"
    again(body={"canary_hours": 72})
    assert ReleasePolicy.objects.get(state="draft").number == 3


def test_the_database_keeps_every_policy_as_it_is(system: System, people: People) -> None:
    policy = propose(system, people, canary_hours=48)
    for change in ({"body": {}}, {"reason": "Other."}, {"weakens": ["x"]}, {"shipped": True, "author": None}):
        with pytest.raises(DatabaseError, match="text of a policy never changes"), transaction.atomic():
            ReleasePolicy.objects.filter(pk=policy.pk).update(**change)
    actions.decline_policy(policy=policy, reason="No.", by=people.engineer, now=NOW)
    with pytest.raises(DatabaseError, match="does not go from declined"), transaction.atomic():
        ReleasePolicy.objects.filter(pk=policy.pk).update(state="draft")
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        ReleasePolicy.objects.filter(pk=policy.pk).delete()


def test_the_running_policy_is_a_policy_of_its_own(system: System, people: People) -> None:
    policy = actions.propose_policy(
        system=system, part="running", body={"budget_daily_usd": "200", "budget_alert_usd": "150"},
        reason="More traffic.", by=people.operator, now=NOW,
    )  # fmt: skip
    assert policy.weakens == []
    actions.approve_policy(policy=policy, role="product", by=people.product, now=NOW)
    assert running_policy_of(system).body["budget_daily_usd"] == "200"
    assert release_policy_of(system).number == 1
    assert RunningPolicy.objects.filter(system=system).count() == 2


def test_demo_systems_can_be_removed_whole() -> None:
    whole = make_whole_system("demo-bot", people=make_people())
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        whole.system.delete()
    admin = make_admin()
    demo = actions.create_system(slug="show", name="Show", by=admin, now=NOW, is_demo=True)
    component = make_component(demo, Kind.PROMPT, by=whole.people.engineer)
    make_version(component, by=whole.people.engineer, reviewer=whole.people.engineer2)
    demo.delete()
    assert not System.objects.filter(slug="show").exists()
    assert not Version.objects.filter(component__system__slug="show").exists()
