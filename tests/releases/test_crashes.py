"""The process dies at each statement of an act, and at its commit: either all of it happened, or nothing.

A child process does the act and kills itself at a chosen point; the parent looks at what is in the database then.
"""

import os
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from audit import ledger
from demo import walk
from jobs.models import Event
from releases.actions import rollout, signing
from releases.decisions import standing
from releases.gate.types import Question
from releases.models import Decision, Instruction, Release, Rollout, SignOff
from releases.watching import watch
from tests.audit.sending import chat_trace
from tests.audit.trailing import send, settle
from tests.factories import MODEL
from tests.releases.conftest import make_stage
from tests.releases.ready import make_ready
from tests.releases.test_rollout import plan, windows

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]
DIED, DONE, FAILED = 9, 0, 1


def in_a_child(act: Callable[[], object], *, dies_at: int | str) -> int:
    """Does the act in a fork. `dies_at`: the number of a statement, or the moment before or after the commit."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        connection.connection = None  # the parent's: not ours to use or to close
        seen = 0

        def point(execute: Any, *args: Any) -> Any:
            nonlocal seen
            if seen == dies_at:
                os._exit(DIED)
            seen += 1
            return execute(*args)

        commit = connection._commit

        def around_commit() -> None:
            if dies_at == "before commit":
                os._exit(DIED)
            commit()
            if dies_at == "after commit":
                os._exit(DIED)

        connection.ensure_connection()
        connection._commit = around_commit
        with connection.execute_wrapper(point):
            act()
        os._exit(DONE)
    except BaseException:
        os._exit(FAILED)


def statements_of(act: Callable[[], object]) -> int:
    """How many statements the act takes, in a transaction that is rolled back."""
    count = 0

    def counting(execute: Any, *args: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*args)

    with transaction.atomic():
        with connection.execute_wrapper(counting):
            act()
        transaction.set_rollback(True)
    return count - 2  # the savepoint around the act, which the child has no need of


def points(statements: int, *, every: int) -> list[int | str]:
    """Each so-many'th statement, all of the last twenty (where things are written), and the commit's two sides."""
    chosen = {*range(0, statements, every), *range(max(0, statements - 20), statements, max(1, every // 8))}
    return [*sorted(chosen), "before commit"]


def traces_of_signing(release: Release) -> tuple[int, int, int, int]:
    return (
        SignOff.objects.filter(release=release).count(),
        Decision.objects.filter(release=release, occasion="signed").count(),
        ledger.entries(subject=release.subject).filter(kind="release.signed").count(),
        Event.objects.filter(topic="releases.signed", subject=release.subject).count(),
    )


def traces_of_starting(release: Release) -> tuple[bool, int, int, int]:
    return (
        Release.objects.get(pk=release.pk).state == "canary",
        Decision.objects.filter(release=release, occasion="started").count(),
        ledger.entries(subject=release.subject).filter(kind="release.rollout-started").count(),
        Event.objects.filter(topic="releases.canary-started", subject=release.subject).count(),
    )


def traces_of_promoting(release: Release) -> tuple[bool, bool, int, int, int, int]:
    return (
        Release.objects.get(pk=release.pk).state == "live",
        Rollout.objects.get(release=release).state == Rollout.State.PASSED,
        Decision.objects.filter(release=release, occasion="promoted").count(),
        release.instructions.filter(act=Instruction.Act.PROMOTE).count(),
        ledger.entries(subject=release.subject).filter(kind="release.promoted").count(),
        Event.objects.filter(topic="releases.promoted", subject=release.subject).count(),
    )


def signs(stage: Any) -> Callable[[], object]:
    now, by = timezone.now(), stage.people.engineer2
    found = standing(stage.again(), Question.CANARY, now=now)
    nonce = secrets.token_urlsafe(24)
    statement = signing.statement_for(stage.again(), found, "engineering", signer=by, nonce=nonce, now=now)

    def act() -> object:
        return signing.sign_off(
            release_id=stage.release.pk,
            statement=statement,
            shown_digest=found.state_digest,
            proof=signing.Proof(SignOff.Method.TWO_FACTOR),
            by=by,
            now=now,
        )

    return act


def crash_everywhere(stage: Any, act: Callable[[], object], traces: Callable[[Release], tuple[Any, ...]], every: int):
    nothing = traces(stage.release)
    statements = statements_of(act)
    assert statements > 20
    for at in points(statements, every=every):
        code = in_a_child(act, dies_at=at)
        assert (code, traces(stage.release)) == (DIED, nothing), f"at {at} of {statements}"
    assert in_a_child(act, dies_at="after commit") == DIED
    everything = traces(stage.release)
    assert all(after and after != before for before, after in zip(nothing, everything, strict=True)), everything
    entries = list(ledger.entries().values_list("index", flat=True))
    assert entries == list(range(len(entries))), "a crash left a gap in the ledger"


@pytest.mark.parametrize("every", [25, pytest.param(1, marks=pytest.mark.long)])
def test_a_crash_leaves_nothing_half_signed(now_stage, every):
    crash_everywhere(now_stage, signs(now_stage), traces_of_signing, every)


@pytest.mark.parametrize("every", [30, pytest.param(1, marks=pytest.mark.long)])
def test_a_crash_leaves_nothing_half_started(now_stage, every):
    now = timezone.now()
    walk.sign_both(now_stage.release, now_stage.people, now=now)
    act = lambda: rollout.start_rollout(release_id=now_stage.release.pk, by=now_stage.people.engineer, now=now)  # noqa: E731
    crash_everywhere(now_stage, act, traces_of_starting, every)


def answers(stage: Any, count: int, *, since: datetime) -> None:
    """So many requests in the trail, each with everything that a release is judged by."""
    prompt = stage.release.pins.get(component__kind="prompt").version.sha256
    said = {"readiness__prompt__hash": prompt, "readiness__schema__output__valid": True}
    said |= {"gen_ai__provider__name": MODEL["provider"], "gen_ai__request__model": MODEL["deployment"]}
    starts = (since + timedelta(minutes=1 + number) for number in range(count))
    traces = (chat_trace(start=at, **said) for at in starts)
    over = since + timedelta(minutes=count + 5)
    send(*chain.from_iterable(traces), system=stage.system.slug, now=over)
    settle(now=over)


@pytest.fixture
def may_go_live(whole, monkeypatch):
    """A canary of 24 hours without a breach, and both signatures for question two."""
    began = timezone.now().replace(microsecond=0) - timedelta(hours=26)
    for module in ("tests.releases.conftest", "tests.releases.ready"):
        monkeypatch.setattr(f"{module}.NOW", began - timedelta(hours=1))
    stage = make_ready(make_stage(whole))
    walk.sign_both(stage.release, stage.people, now=began)
    rollout.start_rollout(release_id=stage.release.pk, by=stage.people.engineer, now=began)
    windows(stage, 24.5, since=began)
    answers(stage, 300, since=began)
    over = began + timedelta(hours=24, minutes=31)
    watch(plan(stage), now=over)
    walk.do_checklist(stage.release, stage.people, now=over, questions=("release",))
    walk.sign_both(stage.release, stage.people, now=over + timedelta(minutes=10))
    return stage


@pytest.mark.parametrize("every", [30, pytest.param(1, marks=pytest.mark.long)])
def test_a_crash_leaves_nothing_half_promoted(may_go_live, every):
    """Live, with everything that says so, or in canary as before: never live without its decision."""
    stage, now = may_go_live, timezone.now()
    act = lambda: rollout.promote(release_id=stage.release.pk, by=stage.people.operator, now=now)  # noqa: E731
    crash_everywhere(stage, act, traces_of_promoting, every)
