"""Components and versions: two people, one direction, kept by the database."""

import json
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.utils import DatabaseError, IntegrityError

from audit import ledger
from jobs.models import Event
from systems import actions
from systems.errors import InvalidContent, InvalidInput, NotYourRole, Refused
from systems.kinds import Kind
from systems.models import System, Version
from systems.registry import content_of, is_intact
from tests.factories import (
    DATASET,
    NOW,
    OUTPUT_SCHEMA,
    PROMPT,
    People,
    make_component,
    make_user,
    make_version,
)

pytestmark = pytest.mark.django_db


def kinds(subject: str) -> list[str]:
    return list(ledger.entries(subject=subject).values_list("kind", flat=True))


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
