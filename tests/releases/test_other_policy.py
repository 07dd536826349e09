"""An open release moves to the release policy in force; where that asks less than the shipped one, it is in sight."""

from datetime import timedelta

import pytest

from jobs.models import Event, Job
from releases.actions.opening import move_to_policy
from releases.decisions import standing
from releases.errors import InvalidInput
from releases.gate.types import Question
from releases.handlers import judge_by_other_bars
from releases.models import SignOff
from systems.actions import approve_policy, propose_policy
from tests.factories import NOW, sign_in
from tests.releases.conftest import made_ready
from tests.releases.test_signing import shown, sign

shared_stage = made_ready

LINE = "Rollback: error rate above: 3 %; shipped: 1.5 %."


def other_policy(stage, now, **body):
    policy = propose_policy(
        system=stage.system, part="release", body=body, reason="We learnt.", by=stage.people.engineer, now=now
    )
    approve_policy(policy=policy, role="product", by=stage.people.product, now=now)
    if policy.weakens:
        approve_policy(policy=policy, role="platform", by=stage.people.platform, now=now)


def test_an_open_release_moves_to_the_policy_in_force_and_is_judged_anew(stage):
    people, now = stage.people, NOW + timedelta(minutes=30)
    sign(stage, shown(stage, "engineering", people.engineer2, now=now), people.engineer2, now=now)
    other_policy(stage, now, min_requests=400)
    url = f"/systems/{stage.system.slug}/releases/{stage.release.label}/"
    client = sign_in(people.product)
    page = client.get(url).content.decode()
    assert "Release policy 2 is in force" in page
    assert "1 of its bars is set otherwise" in page
    # For two weeks the old one may judge; then the gate asks to move, and there is a way.
    late = standing(stage.again(), Question.CANARY, now=now + timedelta(days=15))
    assert "release-policy-superseded" in {reason.code for reason in late.verdict.reasons}
    with pytest.raises(InvalidInput, match="Version 2"):
        move_to_policy(release_id=stage.release.pk, number="1", by=people.product, now=now)
    assert client.post(f"{url}move/policy/", {"number": "2"}).status_code == 302
    assert stage.again().policy.number == 2
    assert SignOff.objects.get().voided_at is not None
    assert "Release policy 2 is in force" not in client.get(url).content.decode()
    judge_by_other_bars(Event.objects.get(topic="releases.policy-changed"))
    assert Job.objects.filter(task="releases.judge_waiting", key__startswith="judge-policy:").exists()
    late = standing(stage.again(), Question.CANARY, now=now + timedelta(days=15))
    assert "release-policy-superseded" not in {reason.code for reason in late.verdict.reasons}


def test_weaker_bars_show_on_every_release_that_is_judged_by_them(stage):
    now = NOW + timedelta(minutes=30)
    other_policy(stage, now, error_rate_max="0.03")
    client, product = sign_in(stage.people.auditor), sign_in(stage.people.product)
    api, page = f"/api/releases/{stage.release.pk}", f"/systems/{stage.system.slug}/releases/{stage.release.label}/"
    # Judged by the shipped bars still: it does not say so.
    assert client.get(api).json()["asks_less"] == []
    assert LINE not in client.get(page).content.decode()
    moved = product.post(f"{api}/act", {"act": "policy", "text": "2"}, content_type="application/json")
    assert moved.status_code == 200, moved.content
    said = client.get(api).json()
    assert (said["policy"], said["asks_less"]) == (2, [LINE])
    text = client.get(page).content.decode()
    assert "Its release policy asks less than the shipped one" in text
    assert LINE in text
