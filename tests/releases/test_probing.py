"""The contract probe as evidence of a release: what was sent, what came back, for a second person to verify."""

import json

import pytest

from audit import vault
from jobs.models import Event
from releases.actions.probing import probe_contract
from releases.errors import InvalidInput, Refused
from releases.models import Evidence
from systems.kinds import Kind
from tests.factories import INPUT_SCHEMA, NOW, sign_in
from tests.metrics.test_probe import staging  # noqa: F401  (a fixture)
from tests.releases.conftest import staged

KEY = "contracts.violations-rejected"

shared_stage = staged


@pytest.fixture
def server(staging, monkeypatch):  # noqa: F811
    """A staging server that keeps the release's own schema."""
    monkeypatch.setattr("tests.metrics.test_probe.SCHEMA", INPUT_SCHEMA)
    return staging


def test_the_record_names_pins_and_outcomes_and_waits_for_a_second_person(stage, server):
    evidence, found = probe_contract(
        release_id=stage.release.pk, key=KEY, url=server.url, by=stage.people.engineer, now=NOW,
        headers={"Authorization": "Bearer staging"},
    )  # fmt: skip
    assert found.control.outcome == "accepted" and found.cases
    assert (evidence.kind, evidence.attached_by) == ("record", stage.people.engineer)
    content = vault.get(evidence.digest)
    record = json.loads(content)
    pin = stage.release.pins.get(component__kind=Kind.INPUT_SCHEMA).version
    assert (record["type"], record["input_schema"], record["passed"]) == ("contract.probe", pin.sha256, found.passed)
    assert [case["name"] for case in record["cases"]] == [case.name for case in found.cases]
    assert b"Bearer staging" not in content
    assert evidence.item.verified_by is None
    assert Event.objects.filter(topic="releases.evidence-attached").exists()


def test_who_may_not_attach_makes_nothing_leave_the_house(stage, server):
    with pytest.raises(Refused):
        probe_contract(release_id=stage.release.pk, key=KEY, url=server.url, by=stage.people.auditor, now=NOW)
    assert not server.seen and not Evidence.objects.filter(kind="record").exists()


def test_a_wrong_example_and_a_private_address_are_refused(stage, server, settings):
    about = {"release_id": stage.release.pk, "key": KEY, "url": server.url, "by": stage.people.engineer, "now": NOW}
    with pytest.raises(InvalidInput, match="fits the pinned input schema"):
        probe_contract(**about, example=[1])
    settings.EGRESS_ALLOW = []
    with pytest.raises(InvalidInput):
        probe_contract(**about)
    assert not server.seen


def test_the_api_answers_with_what_came_back(stage, server):
    client = sign_in(stage.people.engineer)
    response = client.post(
        f"/api/releases/{stage.release.pk}/items/{KEY}/probe", {"url": server.url}, content_type="application/json"
    )
    assert response.status_code == 201, response.content
    body = response.json()
    assert body["control"]["outcome"] == "accepted" and {case["outcome"] for case in body["cases"]} <= {
        "refused",
        "accepted",
    }
    assert Evidence.objects.get(pk=body["evidence"]).digest == body["digest"]
