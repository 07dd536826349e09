"""The golden set beside real requests of the rollout, through ingest: evidence that another person verifies."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from audit import derivation, spanlog, vault
from audit.ingest.otlp import decode_json
from audit.ingest.receive import receive
from releases.models import Rollout
from releases.representing import KEY, attach_comparison, compare
from tests.audit import sending
from tests.releases.test_rollout import canary

__all__ = ["canary"]


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


def test_without_requests_it_is_unknown(running):
    rollout = Rollout.objects.select_related("release__system", "release__standard", "started_by").get()
    found = compare(rollout.release, since=rollout.began, until=timezone.now())
    assert (found.outcome, found.requests) == ("unknown", 0)
