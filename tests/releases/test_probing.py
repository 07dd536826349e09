"""The contract probe: ordered as a job, what came back kept as evidence for a second person to verify."""

import json
from datetime import timedelta

import pytest

from audit import ledger, vault
from jobs import tasks
from jobs.models import Event, Job
from releases.actions import probing
from releases.errors import InvalidInput, Refused
from releases.models import ContractProbe, Evidence
from releases.tasks import probe_contract
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


@pytest.fixture
def order(stage, server):
    """Orders a probe; the job waits, as it does for a worker."""

    def ordering(**more):
        about = {"release_id": stage.release.pk, "key": KEY, "url": server.url, "by": stage.people.engineer, "now": NOW}
        return probing.order_probe(**about | more)

    return ordering


def worked(probe):
    """What a worker does with its job."""
    probe_contract.run(job_id=str(Job.objects.get(key=probe.job_key).pk))
    probe.refresh_from_db()
    return Job.objects.get(key=probe.job_key)


def test_ordering_sends_nothing_and_the_job_attaches_what_came_back(stage, server, order):
    probe = order(headers={"Authorization": "Bearer staging"})
    assert not server.seen and probe.outcome == "running" and "Bearer staging" not in probe.sealed
    job = worked(probe)
    assert (job.state, job.progress, probe.outcome, probe.sealed) == ("done", 100, "recorded", "")
    assert server.seen[0][1] == "Bearer staging"
    evidence = probe.evidence
    assert (evidence.kind, evidence.attached_by) == ("record", stage.people.engineer)
    content = vault.get(evidence.digest)
    record = json.loads(content)
    pin = stage.release.pins.get(component__kind=Kind.INPUT_SCHEMA).version
    assert (record["type"], record["input_schema"]) == ("contract.probe", pin.sha256)
    assert record["control"]["outcome"] == "accepted" and len(record["cases"]) == len(server.seen) - 1
    assert evidence.item.verified_by is None
    assert Event.objects.filter(topic="releases.evidence-attached").exists()
    kinds = list(ledger.entries(subject=evidence.item.subject).order_by("index").values_list("kind", flat=True))
    assert kinds[-2:] == ["item.probe-ordered", "item.evidence-attached"]
    stored = "".join(map(str, Job.objects.values_list("args", "message"))).encode() + content
    assert b"Bearer staging" not in stored


def test_delivered_twice_it_is_sent_and_attached_once(server, order):
    probe = order()
    worked(probe)
    sent = len(server.seen)
    probing.perform(probe_id=str(probe.pk), now=NOW)
    assert len(server.seen) == sent and Evidence.objects.filter(kind="record").count() == 1


def test_while_one_is_on_its_way_there_is_no_second(order):
    probe = order()
    with pytest.raises(InvalidInput, match="on its way"):
        order()
    worked(probe)
    assert order(now=NOW + timedelta(hours=1)).outcome == "running"


def test_who_may_not_attach_makes_nothing_leave_the_house(stage, server, order):
    with pytest.raises(Refused):
        order(by=stage.people.auditor)
    assert not ContractProbe.objects.exists() and not Job.objects.filter(task=probing.TASK).exists()


def test_an_address_that_became_private_is_not_asked_and_the_probe_says_so(server, order, settings):
    probe = order()
    settings.EGRESS_ALLOW = []
    assert worked(probe).state == "done"
    assert probe.outcome == "failed" and probe.error and probe.sealed == ""
    assert not server.seen and not Evidence.objects.filter(kind="record").exists()
    assert ledger.entries(subject=probe.item.subject).filter(kind="item.probe-failed").count() == 1


def given_up(probe):
    """What workers do with its job when it is past every try, and then with what that says to others."""
    tasks.requeue_lost(now=NOW + timedelta(days=1))
    tasks.relay(now=NOW + timedelta(days=1))
    for job in Job.objects.filter(task="jobs.handle", state="queued"):
        tasks.handle.run(job_id=str(job.pk))
    probe.refresh_from_db()
    return Job.objects.get(key=probe.job_key)


def test_a_probe_whose_workers_are_lost_fails_and_its_headers_are_erased(stage, server, order):
    probe = order(headers={"Authorization": "Bearer staging"})
    deadline = NOW + tasks.RUN_LIMIT
    Job.objects.filter(key=probe.job_key).update(state="running", attempts=1, started_at=NOW, deadline=deadline)
    assert given_up(probe).state == "queued" and probe.outcome == "running" and probe.sealed
    Job.objects.filter(key=probe.job_key).update(state="running", attempts=2, started_at=NOW, deadline=deadline)
    assert given_up(probe).state == "parked"
    assert (probe.outcome, probe.sealed, probe.finished_at) == ("failed", "", NOW + timedelta(days=1))
    assert probe.error == "Tried 3 times without an end, and given up. The worker was lost while it ran."
    assert ledger.entries(subject=probe.item.subject).filter(kind="item.probe-failed").count() == 1
    shown = sign_in(stage.people.engineer).get(
        f"/systems/{stage.system.slug}/releases/{stage.release.label}/items/{KEY}/probes/{probe.pk}/"
    )
    assert "given up" in shown.content.decode() and shown["HX-Trigger"] == "probe-ended"
    assert order(now=NOW + timedelta(days=2)).outcome == "running"


def test_a_wrong_example_and_a_private_address_are_refused_at_once(order, settings):
    with pytest.raises(InvalidInput, match="fits the pinned input schema"):
        order(example=[1])
    settings.EGRESS_ALLOW = []
    with pytest.raises(InvalidInput):
        order()
    assert not ContractProbe.objects.exists()


def test_the_api_returns_the_job_and_later_what_came_back(stage, server):
    client = sign_in(stage.people.engineer)
    address = f"/api/releases/{stage.release.pk}/items/{KEY}/probe"
    response = client.post(address, {"url": server.url}, content_type="application/json")
    assert response.status_code == 202, response.content
    ordered = response.json()
    assert (ordered["state"], ordered["outcome"], ordered["heard"], ordered["evidence"]) == (
        "queued", "running", None, None,
    )  # fmt: skip
    worked(ContractProbe.objects.get(pk=ordered["id"]))
    answered = client.get(f"{address}/{ordered['id']}").json()
    assert (answered["state"], answered["progress"], answered["outcome"]) == ("done", 100, "recorded")
    assert answered["heard"]["control"]["outcome"] == "accepted"
    assert {case["outcome"] for case in answered["heard"]["cases"]} <= {"refused", "accepted"}
    assert Evidence.objects.get(pk=answered["evidence"]).digest == answered["digest"]
    assert [one["id"] for one in client.get(address).json()["results"]] == [ordered["id"]]


def test_the_page_orders_shows_the_job_and_then_the_answers(stage, server):
    client = sign_in(stage.people.engineer)
    page = f"/systems/{stage.release.system.slug}/releases/{stage.release.label}/items/{KEY}/"
    shown = client.get(page).content.decode()
    assert "Send the probe" in shown and "null</textarea>" not in shown
    revision = stage.release.items.get(key=KEY).revision
    wrong = client.post(f"{page}act/probe/", {"url": server.url, "headers": "no colon", "revision": revision})
    assert wrong.status_code == 422 and "a colon and a value" in wrong.content.decode()
    client.post(f"{page}act/probe/", {"url": server.url, "headers": "X-A: b", "revision": revision})
    probe = ContractProbe.objects.get()
    part = f"{page}probes/{probe.pk}/"
    running = client.get(part).content.decode()
    assert f'hx-get="{part}"' in running and "<progress" in running
    assert "HX-Trigger" not in client.get(part)
    worked(probe)
    ended = client.get(part)
    done = ended.content.decode()
    assert (
        ended["HX-Trigger"] == "probe-ended"
        and "hx-get" not in done
        and probe.evidence.title in done
        and "cut JSON" in done
    )
    assert probe.evidence.title in client.get(page).content.decode()
