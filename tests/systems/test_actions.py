"""Systems, versions and policies through their actions: what is written, who may, and what the record says."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.utils import DatabaseError, IntegrityError

from accounts.actions import deactivate, revoke_role
from accounts.models import User
from audit import ledger
from audit.contract import _conforms
from audit.profiles import profile_of
from jobs.models import Event
from systems import actions
from systems.errors import InvalidContent, InvalidInput, NotYourRole, Refused
from systems.kinds import Area, Kind
from systems.models import Component, Ownership, ReleasePolicy, RunningPolicy, System, Version
from systems.policy import ReleaseBars, release_bars
from systems.registry import content_of, is_intact, ownership_gaps, ownership_map, release_policy_of, running_policy_of
from tests.factories import (
    CONTRACT,
    DATASET,
    NOW,
    OUTPUT_SCHEMA,
    PROMPT,
    People,
    make_admin,
    make_component,
    make_people,
    make_system,
    make_user,
    make_version,
    make_whole_system,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def people() -> People:
    return make_people()


@pytest.fixture
def system(people: People) -> System:
    return make_system(people=people)


def kinds(subject: str) -> list[str]:
    return list(ledger.entries(subject=subject).values_list("kind", flat=True))


# Systems and owners


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
    with django_assert_num_queries(2):
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


# Components and versions


def test_a_version_is_drafted_submitted_and_approved_by_another(system: System, people: People) -> None:
    component = make_component(system, Kind.PROMPT, by=people.engineer)
    version = actions.draft_version(
        component=component, content=PROMPT, by=people.product, now=NOW, note="First.", meta={"origin": "repo@1"}
    )
    assert (version.number, version.state, version.size) == (1, "draft", len(PROMPT))
    assert content_of(version) == PROMPT
    assert version.meta == {"origin": "repo@1"}
    version = actions.submit_version(version=version, by=people.product, now=NOW)
    with pytest.raises(NotYourRole, match="role engineering"):
        actions.approve_version(version=version, by=people.product, now=NOW)
    later = NOW + timedelta(hours=1)
    version = actions.approve_version(version=version, by=people.engineer, now=later, note="Fine.")
    assert (version.state, version.reviewer, version.reviewed_at) == ("approved", people.engineer, later)
    assert kinds(f"version:{version.pk}") == ["version.drafted", "version.submitted", "version.approved"]
    event = Event.objects.get(topic="systems.version-approved")
    assert event.payload["system"] == "support-bot"
    assert (event.payload["kind"], event.payload["number"]) == ("prompt", 1)
    assert event.subject == f"version:{version.pk}"


def test_nobody_approves_what_they_wrote_not_even_in_the_database(system: System, people: People) -> None:
    component = make_component(system, Kind.PROMPT, by=people.engineer)
    version = actions.submit_version(version=make_version(component, by=people.engineer), by=people.engineer2, now=NOW)
    with pytest.raises(NotYourRole, match="Another person reviews it"):
        actions.approve_version(version=version, by=people.engineer, now=NOW)
    with pytest.raises(IntegrityError, match="systems_version_second_person"), transaction.atomic():
        Version.objects.filter(pk=version.pk).update(state="approved", reviewer=people.engineer, reviewed_at=NOW)
    with pytest.raises(IntegrityError, match="systems_version_approved_has_reviewer"), transaction.atomic():
        Version.objects.filter(pk=version.pk).update(state="approved")


def test_product_reviews_datasets(system: System, people: People) -> None:
    component = make_component(system, Kind.DATASET, by=people.engineer)
    version = actions.submit_version(version=make_version(component, by=people.engineer), by=people.engineer, now=NOW)
    with pytest.raises(NotYourRole, match="role product"):
        actions.approve_version(version=version, by=people.engineer2, now=NOW)
    approved = actions.approve_version(version=version, by=people.product, now=NOW)
    assert approved.meta["cases"] == 2
    assert approved.content is None, "what people wrote is kept encrypted"
    assert content_of(approved) == DATASET


def test_sent_back_with_a_reason_and_submitted_again(system: System, people: People) -> None:
    component = make_component(system, Kind.PROMPT, by=people.engineer)
    version = actions.submit_version(version=make_version(component, by=people.engineer), by=people.engineer, now=NOW)
    with pytest.raises(InvalidInput, match="Say what is missing"):
        actions.send_back_version(version=version, by=people.engineer2, now=NOW, note=" ")
    back = actions.send_back_version(version=version, by=people.engineer2, now=NOW, note="Name the article.")
    assert (back.state, back.review_note) == ("draft", "Name the article.")
    again = actions.submit_version(version=back, by=people.engineer, now=NOW)
    assert (again.state, again.reviewer) == ("in_review", None)


@pytest.mark.parametrize("state", ["draft", "approved"])
def test_the_database_keeps_every_version_as_it_is(system: System, people: People, state: str) -> None:
    component = make_component(system, Kind.PROMPT, by=people.engineer)
    version = make_version(component, by=people.engineer, reviewer=people.engineer2 if state == "approved" else None)
    rows = Version.objects.filter(pk=version.pk)
    for change in ({"content": b"other"}, {"sha256": "sha256:" + "0" * 64}, {"meta": {"a": 1}}, {"number": 9}):
        with pytest.raises(DatabaseError, match="content of a version never changes"), transaction.atomic():
            rows.update(**change)
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        rows.delete()
    if state == "approved":
        with pytest.raises(DatabaseError, match="does not go back"), transaction.atomic():
            rows.update(state="draft")
        with pytest.raises(DatabaseError, match="review of a version never changes"), transaction.atomic():
            rows.update(reviewer=people.admin)
    assert bytes(rows.get().content or b"") == PROMPT


def test_deprecated_then_retired_and_never_back(system: System, people: People) -> None:
    component = make_component(system, Kind.PROMPT, by=people.engineer)
    version = make_version(component, by=people.engineer, reviewer=people.engineer2)
    with pytest.raises(Refused, match="deprecated first"):
        actions.retire_version(version=version, by=people.engineer, now=NOW)
    actions.deprecate_version(version=version, by=people.engineer, now=NOW)
    retired = actions.retire_version(version=version, by=people.engineer, now=NOW)
    assert retired.state == "retired"
    with pytest.raises(DatabaseError, match="does not go back"), transaction.atomic():
        Version.objects.filter(pk=version.pk).update(state="approved")


def test_the_same_content_twice_is_no_new_version(system: System, people: People) -> None:
    component = make_component(system, Kind.OUTPUT_SCHEMA, by=people.engineer)
    make_version(component, json.dumps(OUTPUT_SCHEMA).encode(), by=people.engineer)
    with pytest.raises(Refused, match="Version 1 holds exactly this already"):
        make_version(component, json.dumps(OUTPUT_SCHEMA, indent=8).encode(), by=people.engineer)
    assert component.versions.count() == 1


def test_invalid_content_leaves_nothing_behind(system: System, people: People) -> None:
    component = make_component(system, Kind.OUTPUT_SCHEMA, by=people.engineer)
    with pytest.raises(InvalidContent) as refused:
        make_version(component, b'{\n"type": "object",\n"type": "array"}', by=people.engineer)
    assert refused.value.status == 422
    assert refused.value.extra["flaws"] == [{"line": 3, "reason": "the key 'type' occurs twice."}]
    assert not component.versions.exists()
    assert kinds(f"component:{component.pk}") == ["component.added"]


def test_large_content_goes_to_the_vault_byte_by_byte(system: System, people: People) -> None:
    component = make_component(system, Kind.PROMPT, by=people.engineer)
    large = b"All work and no play.\r\n" * 20_000
    version = make_version(component, large, by=people.engineer)
    assert version.content is None
    assert content_of(version) == large
    assert is_intact(version, large)
    assert not is_intact(version, large + b" ")


def test_components_have_a_name_once_and_end(system: System, people: People) -> None:
    component = make_component(system, Kind.PROMPT, "router", by=people.engineer)
    with pytest.raises(Refused, match="a prompt named router already"):
        make_component(system, Kind.PROMPT, "router", by=people.product)
    make_component(system, Kind.MODEL, "router", by=people.product)
    for name in ("", "a\nb", "x" * 101):
        with pytest.raises(InvalidInput):
            actions.add_component(system=system, kind=Kind.PROMPT, name=name, by=people.engineer, now=NOW)
    with pytest.raises(InvalidInput, match="no kind"):
        actions.add_component(system=system, kind="poem", name="x", by=people.engineer, now=NOW)
    actions.retire_component(component=component, by=people.engineer, now=NOW)
    with pytest.raises(Refused, match="retired"):
        make_version(component, by=people.engineer)


def test_roles_on_another_system_count_for_nothing(system: System, people: People) -> None:
    stranger = make_user("Sam", "engineering", "product", system="other-bot")
    component = make_component(system, Kind.PROMPT, by=people.engineer)
    version = actions.submit_version(version=make_version(component, by=people.engineer), by=people.engineer, now=NOW)
    for act in (
        lambda: actions.approve_version(version=version, by=stranger, now=NOW),
        lambda: actions.draft_version(component=component, content=b"x", by=stranger, now=NOW),
        lambda: actions.add_component(system=system, kind=Kind.MODEL, name="x", by=stranger, now=NOW),
        lambda: actions.propose_policy(
            system=system, part="release", body={"canary_hours": 48}, reason="x", by=stranger, now=NOW
        ),
    ):
        with pytest.raises(NotYourRole):
            act()


# The ingest profile


def test_approval_pushes_the_profile_down_and_retiring_takes_it_out() -> None:
    whole = make_whole_system()
    people = whole.people
    profile = profile_of("support-bot").profile
    assert profile.output_schema == OUTPUT_SCHEMA
    assert (profile.max_context_chars, profile.retry_limit) == (12000, 2)
    assert profile.prices["support-small-2026-09"]["input"] == "0.40"
    component = Component.objects.get(kind=Kind.CONTRACT)
    tighter = make_version(
        component,
        json.dumps({**CONTRACT, "max_context_chars": 8000, "retry_limit": 3}).encode(),
        by=people.engineer,
        reviewer=people.engineer2,
    )
    widened = profile_of("support-bot").profile
    assert (widened.max_context_chars, widened.retry_limit) == (12000, 3), "both contracts are in use"
    first = whole.versions[Kind.CONTRACT]
    actions.deprecate_version(version=first, by=people.engineer, now=NOW)
    assert profile_of("support-bot").profile.max_context_chars == 12000, "deprecated is still served"
    actions.retire_version(version=first, by=people.engineer, now=NOW)
    assert profile_of("support-bot").profile.max_context_chars == 8000
    assert tighter.state == "approved"


def test_two_schemas_in_use_accept_what_either_accepts() -> None:
    whole = make_whole_system()
    component = Component.objects.get(kind=Kind.OUTPUT_SCHEMA)
    tree = {"$defs": {"t": {"type": "string"}}, "type": "object", "required": ["text"],
            "properties": {"text": {"$ref": "#/$defs/t"}}}  # fmt: skip
    make_version(component, json.dumps(tree).encode(), by=whole.people.engineer, reviewer=whole.people.engineer2)
    schema = profile_of("support-bot").profile.output_schema
    assert _conforms(schema, '{"answer": "a"}') is True
    assert _conforms(schema, '{"text": "a"}') is True
    assert _conforms(schema, '{"text": 1}') is False


def test_a_version_in_review_changes_no_profile(system: System, people: People) -> None:
    component = make_component(system, Kind.CONTRACT, by=people.engineer)
    actions.submit_version(version=make_version(component, by=people.engineer), by=people.engineer, now=NOW)
    assert profile_of("support-bot").number == 0


# Policies


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
