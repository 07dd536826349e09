"""Making systems and naming owners: what is written, who may, and what the record says."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.utils import DatabaseError

from accounts.actions import deactivate, revoke_role
from accounts.models import User
from audit import ledger
from jobs.models import Event
from systems import actions
from systems.errors import InvalidInput, NotYourRole, Refused
from systems.kinds import Area
from systems.models import Ownership, ReleasePolicy, System
from systems.policy import ReleaseBars, release_bars
from systems.registry import ownership_gaps, ownership_map, release_policy_of, running_policy_of
from tests.factories import (
    NOW,
    People,
    make_system,
    make_user,
)

pytestmark = pytest.mark.django_db


def kinds(subject: str) -> list[str]:
    return list(ledger.entries(subject=subject).values_list("kind", flat=True))


def test_a_new_system_has_the_shipped_policies_in_force(people: People) -> None:
    system = make_system(people=people)
    policy, running = release_policy_of(system), running_policy_of(system)
    assert (policy.number, policy.shipped, policy.author, policy.approver) == (1, True, None, None)
    assert release_bars(policy.body) == ReleaseBars()
    assert running.body["budget_daily_usd"] == "50"
    assert policy.sha256.startswith("sha256:")
    assert kinds("system:support-bot") == ["system.created", *["ownership.assigned"] * len(Area)]
    assert Event.objects.filter(topic="systems.created", subject="system:support-bot").count() == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"slug": "Support Bot"}, "lower-case"),
        ({"slug": "-bot"}, "lower-case"),
        ({"slug": "b" * 61}, "60"),
        ({"slug": "bot\n"}, None),
        ({"slug": "new"}, "address of a page"),
        ({"name": " "}, "cannot be blank"),
        ({"time_zone": "Mars/Base"}, "no time zone"),
        ({"ticket_url_template": "javascript:alert(1)"}, "https://"),
    ],
)
def test_a_system_is_named_properly_or_not_made(change: dict[str, Any], reason: str | None) -> None:
    fields = {"slug": "bot", "name": "Bot"} | change
    if reason is None:  # white space around a slug is taken off
        assert make_system(**fields).slug == "bot"
        return
    with pytest.raises(InvalidInput) as refused:
        make_system(**fields)
    assert any(reason in found for found in refused.value.reasons)
    assert not System.objects.exists()
    assert not ReleasePolicy.objects.exists()


def test_a_slug_is_taken_once() -> None:
    make_system("bot")
    with pytest.raises(Refused, match="There is a system bot already"):
        make_system("bot")


def test_the_database_keeps_slug_and_system(system: System) -> None:
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        System.objects.filter(pk=system.pk).update(slug="other")
    with pytest.raises(DatabaseError, match="never change"), transaction.atomic():
        System.objects.filter(pk=system.pk).update(is_demo=True)
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        system.delete()


def test_only_organisation_roles_create_systems() -> None:
    local = make_user("Lea", "engineering", system="other")
    with pytest.raises(NotYourRole, match="for the whole organisation"):
        actions.create_system(slug="bot", name="Bot", by=local, now=NOW)
    auditor = make_user("Aud", "auditor")
    with pytest.raises(NotYourRole):
        actions.create_system(slug="bot", name="Bot", by=auditor, now=NOW)


def test_ownership_moves_and_the_record_remembers(system: System, people: People) -> None:
    later = NOW + timedelta(days=1)
    actions.assign_ownership(system=system, area=Area.BUDGET, user=people.operator, by=people.product, now=later)
    row = Ownership.objects.get(system=system, area=Area.BUDGET)
    assert (row.user, row.since) == (people.operator, later)
    entry = ledger.entries(subject="system:support-bot").last()
    assert entry is not None
    assert entry.actor_id == people.product.actor_id
    before = ledger.entries(subject="system:support-bot").count()
    actions.assign_ownership(system=system, area=Area.BUDGET, user=people.operator, by=people.product, now=later)
    assert ledger.entries(subject="system:support-bot").count() == before, "nothing changed, nothing recorded"


def test_gaps_are_said_and_lead_to_the_person(system: System, people: People) -> None:
    assert ownership_gaps(system, now=NOW) == ()
    revoke_role(grant=people.privacy.grants.get(), by=people.admin, now=NOW, reason="Moved on.")
    deactivate(user=people.operator, by=people.admin, now=NOW, reason="Left.")
    gaps = ownership_gaps(system, now=NOW)
    assert "Privacy: Priya Privacy does not hold the role privacy" in gaps
    assert "On-call rotation: Otto Operator has left" in gaps
    bare = make_system("bare")
    areas = [owned.area for owned in ownership_map(bare, now=NOW)]
    assert Area.COMPLIANCE not in areas, "asked for only where data is regulated"
    assert len(ownership_gaps(bare, now=NOW)) == len(Area) - 1
    regulated = make_system("regulated", has_regulated_data=True)
    assert "Compliance: nobody is named" in ownership_gaps(regulated, now=NOW)


def test_the_ownership_map_costs_the_same_however_many_people(system: System, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        assert len(ownership_map(system, now=NOW)) == len(Area) - 1


def test_nobody_who_left_is_named(system: System, people: People) -> None:
    deactivate(user=people.auditor, by=people.admin, now=NOW, reason="Left.")
    gone = User.objects.get(pk=people.auditor.pk)
    with pytest.raises(InvalidInput, match="has left"):
        actions.assign_ownership(system=system, area=Area.BUDGET, user=gone, by=people.admin, now=NOW)
    with pytest.raises(InvalidInput, match="no area"):
        actions.assign_ownership(system=system, area="weather", user=people.product, by=people.admin, now=NOW)


def test_facts_about_a_system_change_and_are_recorded(system: System, people: People) -> None:
    changed = actions.change_system(
        system=system, name="Support", time_zone="Europe/Berlin", by=people.product, now=NOW
    )
    assert (changed.slug, changed.name, changed.time_zone) == ("support-bot", "Support", "Europe/Berlin")
    assert kinds("system:support-bot")[-1] == "system.changed"
    with pytest.raises(NotYourRole):
        actions.change_system(system=system, name="Mine", by=people.auditor, now=NOW)
