"""The golden set beside real requests of the rollout, through ingest: evidence that another person verifies."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from audit import derivation, spanlog, vault
from audit.ingest.otlp import decode_json
from audit.ingest.receive import receive
from audit.models import SideEnvironment
from releases import representing
from releases.models import Rollout
from releases.representing import KEY, attach_comparison, beside_production, compare
from tests.audit import sending
from tests.factories import NOW, make_user, sign_in
from tests.releases.conftest import made_ready
from tests.releases.test_rollout import canary

__all__ = ["canary"]

shared_stage = made_ready


def ask(stage, texts, at):
    spans = [
        sending.span("answer", start=at + timedelta(seconds=n), kind=2, readiness__release=stage.release.label,
                     readiness__input=text)
        for n, text in enumerate(texts)
    ]  # fmt: skip
    found = receive(
        decode_json(sending.request_json(*spans)), system=stage.system.slug, environment="production", now=at
    )
    assert found.refused_count == 0
    spanlog.sequence(now=at)
    derivation.derive(now=at + timedelta(minutes=10))


@pytest.fixture
def running(canary):
    began = timezone.now() - timedelta(hours=1)
    Rollout.objects.update(started_at=began)
    return canary


def test_requests_unlike_the_golden_set_are_said_and_attached_once(running):
    rollout = Rollout.objects.select_related("release__system", "release__standard", "started_by").get()
    at = rollout.began + timedelta(minutes=1)
    ask(running, [f"Meine Garantie ist abgelaufen, was kann ich tun? {n}" for n in range(40)], at)
    found = compare(rollout.release, since=rollout.began, until=timezone.now())
    assert (found.cases, found.requests, found.outcome) == (40, 40, "differs")
    assert "garantie" in dict(found.missing)
    evidence = attach_comparison(rollout, now=timezone.now())
    assert evidence.title == "Golden set beside 40 requests: differs"
    assert json.loads(vault.get(evidence.digest))["outcome"] == "differs"
    assert evidence.attached_by == running.people.operator, "so another person verifies it"
    assert attach_comparison(rollout, now=timezone.now()) is None
    assert running.release.items.get(key=KEY).evidence.count() == 1


def test_what_was_attached_while_it_was_compared_stays(running, monkeypatch):
    """Two workers at once: the second would take back what somebody verified meanwhile."""
    rollout = Rollout.objects.select_related("release__system", "release__standard", "started_by").get()
    first = []

    def overtaken(release, **times):
        found = compare(release, **times)
        monkeypatch.setattr(representing, "compare", compare)
        first.append(attach_comparison(rollout, now=timezone.now()))
        return found

    monkeypatch.setattr(representing, "compare", overtaken)
    assert attach_comparison(rollout, now=timezone.now()) is None
    assert list(running.release.items.get(key=KEY).evidence.all()) == first


def test_without_requests_it_is_unknown(running):
    rollout = Rollout.objects.select_related("release__system", "release__standard", "started_by").get()
    found = compare(rollout.release, since=rollout.began, until=timezone.now())
    assert (found.outcome, found.requests) == ("unknown", 0)


def test_page_and_api_show_it_before_any_rollout(stage, settings):
    settings.REQUIRE_MFA = False
    client = sign_in(stage.people.engineer)
    page = reverse("releases:golden-set", args=[stage.system.slug])
    assert "40 cases and 0 requests; 30 of each are needed." in client.get(page).content.decode()
    ask(
        stage,
        [f"Meine Garantie ist abgelaufen, was kann ich tun? {n}" for n in range(40)],
        timezone.now() - timedelta(minutes=2),
    )
    shown = client.get(page).content.decode()
    assert "Differs" in shown and "<b>garantie</b>" in shown
    assert 'data-plot="golden-0"' in shown and 'id="golden-0"' in shown
    address = f"/api/systems/{stage.system.slug}/golden-set"
    found = client.get(address, {"release": stage.release.label}).json()
    assert (found["release"], found["outcome"], found["cases"], found["requests"]) == ("2026.11.2", "differs", 40, 40)
    assert ["garantie", "1"] in found["missing"]
    assert client.get(address, {"release": "2027.1"}).status_code == 404
    assert "No golden set is pinned" in client.get(page, {"release": "2027.1"}).content.decode()
    assert sign_in(make_user("Stray Stranger")).get(page).status_code in (403, 404)


def test_what_was_measured_in_a_rollout_is_listed_and_side_environments_are_left_out(running):
    rollout = Rollout.objects.select_related("release__system", "release__standard", "started_by").get()
    attach_comparison(rollout, now=timezone.now())
    page = reverse("releases:golden-set", args=[running.system.slug])
    shown = sign_in(running.people.engineer).get(page).content.decode()
    assert "Golden set beside 0 requests: unknown" in shown
    ask(running, [f"Where is parcel {n}?" for n in range(35)], timezone.now() - timedelta(minutes=2))
    assert beside_production(rollout.release, now=timezone.now()).requests == 35
    SideEnvironment.objects.create(
        system=running.system.slug, name="production", kind="test", daily_requests=100, reason="A test of this test.",
        proposed_by="person:1", proposed_by_name="One", proposed_as="admin", proposed_at=NOW,
        confirmed_by="person:2", confirmed_by_name="Two", confirmed_at=NOW,
    )  # fmt: skip
    assert beside_production(rollout.release, now=timezone.now()).requests == 0
