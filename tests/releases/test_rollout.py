"""From the canary's start to promotion or rollback: windows, breaches, what is restored."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.urls import reverse

from audit import fingerprints
from audit.ledger import entries
from audit.models import Fingerprint
from demo import walk
from metrics.models import Window
from metrics.targets import set_target
from operations.queries import status_now
from releases.actions import opening, rollout
from releases.decisions import standing
from releases.errors import InvalidInput, Refused
from releases.facts import references
from releases.gate.types import Question
from releases.models import Release, Rollout
from releases.state import state_digest
from releases.watching import watch
from tests.audit import sending, trailing
from tests.factories import NOW, sign_in
from tests.releases.conftest import made_ready

START = NOW + timedelta(minutes=30)

shared_stage = made_ready


@pytest.fixture
def canary(stage):
    walk.sign_both(stage.release, stage.people, now=START)
    rollout.start_rollout(release_id=stage.release.pk, by=stage.people.operator, now=START)
    return stage


def windows(stage, hours, *, errors=0, since=START, requests=20, label="2026.11.2", answered=True, note=""):
    """What a source would have answered, minute by minute."""
    Window.objects.bulk_create(
        Window(
            source=stage.source,
            release_label=label,
            since=since + timedelta(minutes=n),
            until=since + timedelta(minutes=n + 1),
            answered=answered,
            requests=requests if answered else None,
            errors=errors if answered else None,
            latency=[["100", "200", requests]] if answered else [],
            reason="" if answered else "Nothing was scraped.",
            note=note,
            raw_digest="" if answered else "sha256:" + "0" * 64,  # it answered, and was empty: not asked again
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
    told = list(release.instructions.order_by("id").values_list("act", "share", "serves"))
    assert told == [("start", Decimal("0.1"), ""), ("roll-back", Decimal(0), "")]
    assert status_now(canary.system, START + timedelta(hours=5)).status == "stopped"
    kinds = entries(subject=release.subject).order_by("-index").values_list("kind", "actor_id")
    assert kinds[0] == ("release.rolled-back", "product")
    assert not standing(release, Question.CANARY, now=START + timedelta(hours=6)).cleared


@pytest.fixture
def beside_live(canary):
    """The same canary, started while 2026.10.4 was live."""
    Rollout.objects.filter(release=canary.release).update(baseline_label="2026.10.4")
    return canary


def test_a_canary_is_compared_with_the_release_that_was_live_when_it_started(beside_live):
    """1 % of errors is below the trigger of 1.5 %; beside a live release with almost none it is worse all the same."""
    minutes = {"requests": 200, "errors": 2}
    windows(beside_live, 6, **minutes)
    windows(beside_live, 6, requests=1800, errors=3, label="2026.10.4")
    watch(plan(beside_live), now=START + timedelta(hours=6, minutes=5))
    release = beside_live.again()
    assert release.state == "rolled-back"
    assert release.end_reason.startswith("Worse than the live release in the same windows: 1 % of its requests failed")
    decision_rests_on = references(release, now=START + timedelta(hours=6))["windows"]
    assert {window["release"] for window in decision_rests_on} == {"2026.11.2", "2026.10.4"}


def test_the_live_release_is_pulled_in_the_same_minutes(beside_live):
    watch(plan(beside_live), now=START + timedelta(minutes=10))
    stored = set(Window.objects.values_list("release_label", "since"))
    assert len(stored) == 18
    assert {since for label, since in stored if label == "2026.10.4"} == {
        since for label, since in stored if label == "2026.11.2"
    }


def test_full_hours_without_a_comparison_that_was_due_are_no_pass(beside_live):
    windows(beside_live, 24.5)
    at = START + timedelta(hours=24, minutes=31)
    watch(plan(beside_live), now=at)
    fact = standing(beside_live.again(), Question.RELEASE, now=at).facts.canary
    assert (fact.outcome, fact.covered_hours) == ("inconclusive", 24)
    assert "Not enough data to compare with the live release" in fact.reasons[0]
    assert not beside_live.release.items.get(key="rollout.canary-clean").evidence.exists()


def test_a_canary_that_nobody_can_see_is_taken_back(canary):
    windows(canary, 1)
    windows(canary, 0.6, since=START + timedelta(hours=1), answered=False)
    watch(plan(canary), now=START + timedelta(hours=1, minutes=38))
    release = canary.again()
    assert release.state == "rolled-back"
    assert release.end_reason.endswith("pulls in a row were not answered; 30 are tolerated.")


def test_nobody_promotes_without_clearance(canary):
    with pytest.raises(Refused, match="no clearance"):
        rollout.promote(release_id=canary.release.pk, by=canary.people.operator, now=START + timedelta(hours=1))


def test_rolling_back_takes_a_role_and_a_reason_but_no_gate(canary):
    common = {"release_id": canary.release.pk, "now": START + timedelta(hours=1)}
    with pytest.raises(Refused, match="Only engineering and operations"):
        rollout.roll_back(reason="Slow.", by=canary.people.product, **common)
    assert rollout.roll_back(reason="Slow.", by=canary.people.operator, **common) is None
    assert canary.again().state == "rolled-back"


@pytest.mark.parametrize("how", ["rolled back", "abandoned"])
def test_no_source_is_asked_about_a_release_that_has_ended(stage, how):
    common = {"release_label": stage.release.label, "dataset_hash": "sha256:" + "d" * 64, "now": NOW}
    target = set_target(source=stage.source, **common)
    other = set_target(source=stage.source, **common | {"release_label": "2026.11.9"})
    if how == "abandoned":
        opening.abandon(release_id=stage.release.pk, reason="No need.", by=stage.people.product, now=START)
    else:
        walk.sign_both(stage.release, stage.people, now=START)
        rollout.start_rollout(release_id=stage.release.pk, by=stage.people.operator, now=START)
        rollout.roll_back(release_id=stage.release.pk, reason="Slow.", by=stage.people.operator, now=START)
    target.refresh_from_db()
    other.refresh_from_db()
    assert (target.ended_at, other.ended_at) == (START, None)


def test_one_release_at_a_time_is_in_canary(canary):
    second = Release.objects.get(pk=canary.release.pk)
    assert rollout.other_in_rollout(second) is None
    other = Release(system=canary.system, pk=None)
    assert rollout.other_in_rollout(other) == "2026.11.2"


def test_steps_raise_the_share_once_it_was_held_for_its_covered_hours(stage):
    opening.plan_rollout(
        release_id=stage.release.pk, strategy="canary", share=Decimal("0.10"), hours=24,
        error_rate_max=Decimal("0.015"), p95_ms_max=2000, source=stage.source, by=stage.people.product, now=NOW,
        steps=[(Decimal("0.01"), 2), (Decimal("0.05"), 3)],
    )  # fmt: skip
    walk.sign_both(stage.release, stage.people, now=START)
    rollout.start_rollout(release_id=stage.release.pk, by=stage.people.operator, now=START)
    windows(stage, 2)
    watch(plan(stage), now=START + timedelta(hours=1, minutes=59))
    assert (plan(stage).step, plan(stage).share_now) == (0, Decimal("0.01"))
    windows(stage, 4, since=START + timedelta(hours=2))
    for _ in range(2):
        watch(plan(stage), now=START + timedelta(hours=6, minutes=2))
    assert (plan(stage).step, plan(stage).share_now) == (2, Decimal("0.1"))
    orders = stage.release.instructions.order_by("ordered_at", "id").values_list("act", "share")
    shares = ("0.01", "0.05", "0.1")
    assert [(act, share.normalize()) for act, share in orders] == [
        (act, Decimal(share)) for act, share in zip(("start", "step", "step"), shares, strict=True)
    ]
    assert entries(subject=stage.release.subject).filter(kind="release.rollout-stepped").count() == 2
    assert Fingerprint.objects.get(release_id=str(stage.release.pk), until_at=None).share == Decimal("0.1")


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"steps": [(Decimal("0.05"), 2), (Decimal("0.05"), 2)]}, "more traffic than the one before"),
        ({"steps": [(Decimal("0.2"), 2)]}, "the planned share most"),
        ({"steps": [(Decimal("0.01"), 0)]}, "an hour at least"),
        ({"steps": [(Decimal("0.01"), 24)]}, "less than the whole rollout"),
        ({"steps": [(Decimal("NaN"), 2)]}, "above 0"),
        ({"shadow_hours": 2}, "Only the strategy shadow"),
        ({"strategy": "shadow"}, "needs the source"),
    ],
)
def test_steps_that_are_no_steps_are_refused(stage, more, reason):
    before = state_digest(stage.again())
    with pytest.raises(InvalidInput, match=reason):
        opening.plan_rollout(
            **{"release_id": stage.release.pk, "strategy": "canary", "share": Decimal("0.10"), "hours": 24,
               "error_rate_max": Decimal("0.015"), "p95_ms_max": 2000, "source": stage.source,
               "by": stage.people.product, "now": NOW, **more},
        )  # fmt: skip
    assert state_digest(stage.again()) == before


def test_page_and_api_say_which_share_reached_it(canary, settings):
    settings.REQUIRE_MFA = False
    at = START + timedelta(minutes=5)
    fingerprints.approve(
        system=canary.system.slug, release_label="2026.11.1", release_id="live", fingerprint={"release": ["2026.11.1"]},
        share=None, now=NOW,
    )  # fmt: skip
    for label, count in (("2026.11.1", 60), ("2026.11.2", 60)):
        spans = (sending.span(kind=2, start=at, readiness__release=label) for _ in range(count))
        trailing.send(*spans, system=canary.system.slug, now=at)
    trailing.settle(at)
    client = sign_in(canary.people.engineer)
    with time_machine.travel(at + timedelta(minutes=1), tick=False):
        page = client.get(reverse("releases:detail", args=[canary.system.slug, canary.release.label])).content.decode()
        found = client.get(f"/api/releases/{canary.release.pk}/rollout").json()["share_seen"]
    assert "50\N{NO-BREAK SPACE}% of the traffic reached it: 60 of 120 requests" in page and "Above its share" in page
    assert (Decimal(found["share"]), found["requests"], found["exceeded"]) == (Decimal("0.5"), 60, True)
