"""Signing over HTTP while somebody else changes what is signed: no signature ever counts for a state it does not cover.

The short run is in CI; a thousand races with --long.
"""

import threading
from typing import Any

import pytest
from django.utils import timezone

from audit import ledger
from releases.decisions import standing
from releases.gate.types import Question
from releases.models import SignOff
from releases.state import state_digest
from tests.accounts.authenticator import SoftKey
from tests.releases.signing_over_http import Caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]


@pytest.fixture
def callers(now_stage, live_server):
    people = now_stage.people
    return (
        Caller(live_server.url, people.engineer2, SoftKey()),
        Caller(live_server.url, people.operator2, SoftKey(credential_id=b"soft-key-0000002")),
        Caller(live_server.url, people.product),
    )


def at_once(*calls: Any) -> list[Any]:
    """All of them let go at the same moment, each on a thread of its own."""
    start, results = threading.Barrier(len(calls)), [None] * len(calls)

    def run(number: int, call: Any) -> None:
        start.wait()
        results[number] = call()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def race(stage: Any, callers: Any, number: int) -> tuple[int, int]:
    """One signature against one change of an answer. Returns both answers' statuses."""
    engineer, _, product = callers
    prepared = engineer.prepare(stage.release, "engineering")
    key = stage.again().answers.order_by("key").first().key
    change = {"act": "answer", "key": key, "value": "yes", "text": f"Said anew, for the {number}. time."}
    signed, changed = at_once(
        lambda: engineer.sign(stage.release, "engineering", prepared),
        lambda: product.call(
            "POST", f"/api/releases/{stage.release.pk}/act", change, **{"Idempotency-Key": f"r{number}"}
        ),
    )
    return signed[0], changed[0]


def check_nothing_counts_that_was_not_seen(stage: Any) -> None:
    digest = state_digest(stage.again())
    for row in SignOff.objects.filter(release=stage.release):
        assert row.statement["state_digest"] == row.state_digest
        assert row.voided_at is not None or row.state_digest == digest, "a living signature over another state"
    recorded = ledger.entries(subject=stage.release.subject).filter(kind="release.signed")
    assert recorded.count() == SignOff.objects.count()
    found = standing(stage.again(), Question.CANARY, now=timezone.now())
    assert not found.cleared


def run(stage: Any, callers: Any, races: int) -> dict[tuple[int, int], int]:
    seen: dict[tuple[int, int], int] = {}
    for number in range(races):
        answers = race(stage, callers, number)
        seen[answers] = seen.get(answers, 0) + 1
        check_nothing_counts_that_was_not_seen(stage)
    # Either the signature was first and the change voided it, or it came too late and was refused. Nothing else.
    assert set(seen) <= {(201, 200), (409, 200)}, seen
    return seen


def test_a_signature_races_a_change(now_stage, callers):
    run(now_stage, callers, 8)


@pytest.mark.long
def test_a_signature_races_a_change_a_thousand_times(now_stage, callers):
    seen = run(now_stage, callers, 1000)
    assert len(seen) == 2, f"only one of them ever came first: {seen}"


def test_one_assertion_signs_once_and_nothing_else(now_stage, callers):
    """Sent twice at once, moved to the other side, sent by the other person, and sent again later."""
    engineer, operator, _ = callers
    prepared = engineer.prepare(now_stage.release, "engineering")
    answers = at_once(*[lambda: engineer.sign(now_stage.release, "engineering", prepared)] * 4)
    assert sorted(status for status, _ in answers) == [201, 409, 409, 409]
    assert SignOff.objects.count() == 1
    assert engineer.sign(now_stage.release, "engineering", prepared)[0] == 409
    assert engineer.sign(now_stage.release, "operations", prepared)[0] == 422
    assert operator.sign(now_stage.release, "engineering", prepared)[0] in (403, 409, 422)
    theirs = operator.prepare(now_stage.release, "operations")
    swapped = theirs | {"passkey": prepared["passkey"]}
    assert operator.sign(now_stage.release, "operations", swapped)[0] in (400, 403, 422)
    assert operator.sign(now_stage.release, "operations", theirs | {"state_digest": ""})[0] == 422
    assert operator.sign(now_stage.release, "operations", theirs)[0] == 201
    assert SignOff.objects.count() == 2


def test_both_sides_at_once_start_once(now_stage, callers):
    """Two people sign at the same moment, then both start the canary at the same moment: one start."""
    engineer, operator, _ = callers
    release = now_stage.release
    mine, theirs = engineer.prepare(release, "engineering"), operator.prepare(release, "operations")
    answers = at_once(
        lambda: engineer.sign(release, "engineering", mine), lambda: operator.sign(release, "operations", theirs)
    )
    assert [status for status, _ in answers] == [201, 201]
    starts = at_once(
        *[
            lambda who=who: who.call(
                "POST", f"/api/releases/{release.pk}/act", {"act": "start"}, **{"Idempotency-Key": who.cookie[-12:]}
            )
            for who in (engineer, operator)
        ]
    )
    assert sorted(status for status, _ in starts) == [200, 403], starts
    assert release.decisions.filter(occasion="started").count() == 1
