"""From the canary's start to promotion or rollback: windows, breaches, what is restored."""

from datetime import timedelta

import pytest

from audit import fingerprints
from audit.ledger import entries
from demo import walk
from metrics.models import Window
from operations.queries import status_now
from releases.actions import rollout
from releases.decisions import standing
from releases.errors import Refused
from releases.gate.types import Question
from releases.models import Release, Rollout
from releases.watching import watch
from tests.factories import NOW
from tests.releases.ready import make_ready

START = NOW + timedelta(minutes=30)


@pytest.fixture
def canary(stage):
    make_ready(stage)
    walk.sign_both(stage.release, stage.people, now=START)
    rollout.start_rollout(release_id=stage.release.pk, by=stage.people.operator, now=START)
    return stage


def windows(stage, hours, *, errors=0, since=START, requests=20):
    """What a source would have answered, minute by minute."""
    Window.objects.bulk_create(
        Window(
            source=stage.source,
            release_label=stage.release.label,
            since=since + timedelta(minutes=n),
            until=since + timedelta(minutes=n + 1),
            answered=True,
            requests=requests,
            errors=errors,
            latency=[["100", "200", requests]],
            asked_at=since,
        )
        for n in range(int(hours * 60))
    )


def plan(stage):
    return Rollout.objects.select_related("release__system", "release__policy", "release__standard", "source").get(
        release=stage.release
    )


def test_starting_approves_its_traffic_and_only_its_share(canary):
    assert [row.release_label for row in fingerprints.approvals_of("support-bot")] == ["2026.11.2"]


def test_full_hours_without_a_breach_are_kept_as_evidence(canary):
    windows(canary, 24.5)
    watch(plan(canary), now=START + timedelta(hours=24, minutes=31))
    evidence = canary.release.items.get(key="rollout.canary-clean").evidence.get()
    assert evidence.title == "24 covered hours without a breach"
    assert entries(subject=canary.release.subject).filter(kind="release.canary-clean").count() == 1
    found = standing(canary.again(), Question.RELEASE, now=START + timedelta(hours=24, minutes=31))
    assert found.facts.canary.covered_hours == 24
    assert not found.cleared


def test_a_breach_rolls_back_at_once_and_says_why(canary):
    windows(canary, 3)
    windows(canary, 1, errors=2, since=START + timedelta(hours=3))
    watch(plan(canary), now=START + timedelta(hours=5))
    release = canary.again()
    assert release.state == "rolled-back"
    assert plan(canary).state == Rollout.State.BREACHED
    assert "1.5 %" in release.end_reason
    assert status_now(canary.system, START + timedelta(hours=5)).status == "stopped"
    kinds = entries(subject=release.subject).order_by("-index").values_list("kind", "actor_id")
    assert kinds[0] == ("release.rolled-back", "product")
    assert not standing(release, Question.CANARY, now=START + timedelta(hours=6)).cleared


def test_nobody_promotes_without_clearance(canary):
    with pytest.raises(Refused, match="no clearance"):
        rollout.promote(release_id=canary.release.pk, by=canary.people.operator, now=START + timedelta(hours=1))


def test_rolling_back_takes_a_role_and_a_reason_but_no_gate(canary):
    common = {"release_id": canary.release.pk, "now": START + timedelta(hours=1)}
    with pytest.raises(Refused, match="Only engineering and operations"):
        rollout.roll_back(reason="Slow.", by=canary.people.product, **common)
    assert rollout.roll_back(reason="Slow.", by=canary.people.operator, **common) is None
    assert canary.again().state == "rolled-back"


def test_one_release_at_a_time_is_in_canary(canary):
    second = Release.objects.get(pk=canary.release.pk)
    assert rollout.other_in_rollout(second) is None
    other = Release(system=canary.system, pk=None)
    assert rollout.other_in_rollout(other) == "2026.11.2"
