"""What ingest checks traffic against follows what is approved and not yet retired."""

import json

import pytest

from audit.contract import _conforms
from audit.profiles import profile_of
from systems import actions
from systems.kinds import Kind
from systems.models import Component, System
from tests.factories import CONTRACT, NOW, OUTPUT_SCHEMA, People, make_component, make_version, make_whole_system

pytestmark = pytest.mark.django_db


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
