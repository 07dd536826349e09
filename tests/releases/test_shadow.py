"""A shadow run: the verdict only, nobody's users, a report beside the live release, and back to pre-production."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction

from audit.ledger import entries
from demo import walk
from metrics.models import Source, Window
from releases.actions import opening, rollout, shadow
from releases.decisions import standing
from releases.errors import Refused
from releases.gate.types import Question
from releases.locking import lock
from releases.models import Decision, Release, ShadowRun
from releases.watching import watch_all
from tests.factories import NOW
from tests.releases.ready import make_ready
from tests.releases.test_rollout import START

LIVE = "2026.10.4"
HOURS = 2


@pytest.fixture
def planned(stage):
    """Everything ready for a shadow run, and a live release to run beside."""
    mirror = Source.objects.create(
        system=stage.system, kind=Source.Kind.TRAIL, name="Mirror", config={"environments": ["shadow"]},
        created_by=stage.people.operator, created_at=NOW,
    )  # fmt: skip
    opening.plan_rollout(
        release_id=stage.release.pk, strategy="shadow", share=Decimal("0.10"), hours=24,
        error_rate_max=Decimal("0.015"), p95_ms_max=2000, source=stage.source, by=stage.people.product, now=NOW,
        shadow_source=mirror, shadow_hours=HOURS,
    )  # fmt: skip
    make_ready(stage)
    stage.mirror = mirror
    return stage


@pytest.fixture
def beside(planned, monkeypatch):
    """Its live release, which would take a whole other life to reach: only who it is matters here."""
    live = Release(
        system=planned.system, label=LIVE, state=Release.State.LIVE, opened_by=planned.people.product,
        standard=planned.release.standard, policy=planned.release.policy, opened_at=NOW, live_at=NOW,
    )  # fmt: skip
    for module in ("releases.actions.shadow", "releases.actions.rollout"):
        monkeypatch.setattr(f"{module}.live_release", lambda release: live)
    return planned


def windows(source, label, hours, *, errors=0, requests=20, slowest="200"):
    Window.objects.bulk_create(
        Window(
            source=source, release_label=label, since=START + timedelta(minutes=n),
            until=START + timedelta(minutes=n + 1), answered=True, requests=requests, errors=errors,
            latency=[["100", slowest, requests]], raw_digest="sha256:" + "0" * 64, asked_at=START,
        )
        for n in range(int(hours * 60))
    )  # fmt: skip


def begin(stage):
    return shadow.start_shadow(release_id=stage.release.pk, by=stage.people.operator, now=START)


def end_of(stage):
    watch_all(now=START + timedelta(hours=HOURS, minutes=2))
    return ShadowRun.objects.get(release=stage.release)


def test_it_takes_a_go_and_no_signatures_and_what_ended_is_kept(beside):
    run = begin(beside)
    assert (beside.again().state, run.live_label) == ("shadow", LIVE)
    decision = beside.release.decisions.get(occasion=Decision.Occasion.SHADOW)
    assert decision.verdict["outcome"] == "go" and not decision.cleared
    found = standing(beside.again(), Question.CANARY, now=START)
    assert found.open, "it closes no question"
    assert [row.act for row in beside.release.instructions.all()] == ["start-shadow"]
    shadow.end_shadow(release_id=beside.release.pk, by=beside.people.operator, now=START)
    run = ShadowRun.objects.get()
    assert (run.state, beside.again().state) == ("aborted", "pre-production")
    for forbidden in (lambda: ShadowRun.objects.update(state="passed"), run.delete):
        with pytest.raises(DatabaseError, match="kept as it is"), transaction.atomic():
            forbidden()
    with pytest.raises(Refused, match="No shadow run is going on"):
        shadow.end_shadow(release_id=beside.release.pk, by=beside.people.operator, now=START)


def test_without_a_live_release_or_a_go_or_the_role_it_is_refused(planned):
    with pytest.raises(Refused, match="No release is live"):
        begin(planned)
    with pytest.raises(Refused, match="Only engineering and operations") as refused:
        shadow.start_shadow(release_id=planned.release.pk, by=planned.people.product, now=START)
    assert len(refused.value.reasons) == 2
    reasons = shadow.refusals(planned.again(), by=planned.people.operator, go=False, now=START)
    assert "The verdict is no-go." in reasons
    lock(planned.release.pk)
    with pytest.raises(DatabaseError, match="starts with a decision"), transaction.atomic():
        Release.objects.filter(pk=planned.release.pk).update(state="shadow")


def test_as_sound_as_the_live_release_it_passes_and_only_then_the_canary_may_start(beside):
    walk.sign_both(beside.release, beside.people, now=START)
    with pytest.raises(Refused, match="begins with a shadow run"):
        rollout.start_rollout(release_id=beside.release.pk, by=beside.people.operator, now=START)
    begin(beside)
    windows(beside.mirror, "2026.11.2", HOURS + 1)
    windows(beside.source, LIVE, HOURS + 1, requests=200, errors=1)
    run = end_of(beside)
    assert (run.state, beside.again().state) == ("passed", "pre-production"), run.end_reason
    assert run.report["requests"] == HOURS * 60 * 20
    assert {one["name"]: one["change"]["outcome"] for one in run.report["compared"]} == {
        "error rate": "pass",
        "p95 latency": "pass",
    }
    later = START + timedelta(hours=3)
    rollout.start_rollout(release_id=beside.release.pk, by=beside.people.operator, now=later)
    assert beside.again().state == "canary"
    kinds = set(entries(subject=beside.release.subject).values_list("kind", flat=True))
    assert {"release.shadow-started", "release.shadow-ended", "release.rollout-started"} <= kinds


def slow(stage):
    windows(stage.mirror, "2026.11.2", HOURS + 1, slowest="900")
    windows(stage.source, LIVE, HOURS + 1)


def breached(stage):
    windows(stage.mirror, "2026.11.2", 1, errors=5)
    windows(stage.source, LIVE, 1)


def alone(stage):
    windows(stage.mirror, "2026.11.2", HOURS + 1)


def test_what_the_windows_show_decides_and_silence_never_passes(beside):
    begin(beside)
    cases = [
        (slow, "failed", "Worse than the live release: p95 latency."),
        (breached, "failed", "above 1.5 %"),
        (alone, "inconclusive", "Not enough windows"),
    ]
    for measured, state, reason in cases:
        with transaction.atomic():
            measured(beside)
            run = end_of(beside)
            assert (run.state, beside.again().state) == (state, "pre-production")
            assert reason in run.end_reason
            transaction.set_rollback(True)
