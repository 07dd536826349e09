"""Walking a release through its life by the product's own actions: the demo project does it, and tests do.

Each function does what people would do, as those people, at the time it is given. Nothing is inserted behind the back
of a rule.
"""

import secrets
import time
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from django.utils import timezone

from accounts.models import User
from audit import derivation, spanlog
from operations import deliver, rehearsing
from operations.actions.alarms import acknowledge
from operations.actions.drills import end_drill, mark_recovered, plan_drill, start_drill
from operations.models import Drill, Notification
from releases.actions import checklist, signing
from releases.actions.signing import Proof, statement_for
from releases.decisions import standing
from releases.gate.types import Question
from releases.models import Release, SignOff
from releases.presenting.page import question_now
from releases.standard.load import ItemDef
from releases.standard.published import definition_of
from systems.models import System

BEATS = 40  # a span is summed up some seconds after it came


class Team(Protocol):
    """The people of a system: two for each role that both does and checks."""

    product: User
    product2: User
    engineer: User
    engineer2: User
    operator: User
    operator2: User
    platform: User
    privacy: User
    compliance: User


def verifier(team: Team, role: str) -> User:
    """Who verifies what the engineer attached."""
    return {
        "product": team.product2,
        "engineering": team.engineer2,
        "operations": team.operator,
        "platform": team.platform,
        "privacy": team.privacy,
        "compliance": team.compliance,
    }[role]


def attach(release: Release, item: ItemDef, *, by: User, now: datetime) -> None:
    """A small text that says what was looked at: what a team would paste from its own tools."""
    kind = "file" if "file" in item.evidence else item.evidence[0].partition(":")[0]
    content = f"{item.title}\nRelease {release.label} of {release.system.name}\n\n{item.guidance.good}\n"
    checklist.attach_evidence(
        release_id=release.pk,
        key=item.key,
        kind=kind,
        title=f"{item.key.partition('.')[2]}.txt",
        content=content.encode(),
        media_type="text/plain",
        by=by,
        now=now,
    )


def verify(release: Release, item: ItemDef, *, by: User, now: datetime) -> None:
    row = release.items.get(key=item.key)
    digests = list(row.evidence.filter(superseded_at=None).values_list("digest", flat=True))
    checklist.verify_item(release_id=release.pk, key=item.key, digests=digests, by=by, now=now)


def by_people(release: Release, *, questions: Iterable[str | None] = ("canary",)) -> list[ItemDef]:
    """Items that people attach evidence to, of the given questions."""
    items = definition_of(release.standard).items
    return [item for item in items if item.verification != "auto" and item.question in questions]


def do_checklist(
    release: Release,
    team: Team,
    *,
    now: datetime,
    questions: Iterable[str | None] = ("canary",),
    but: Iterable[str] = (),
) -> None:
    """Attaches and verifies every item that people do, except those named."""
    for item in by_people(release, questions=questions):
        if item.key not in but:
            attach(release, item, by=team.engineer, now=now)
            verify(release, item, by=verifier(team, item.owner_role), now=now)


def answer_questions(release: Release, *, by: User, now: datetime, but: Iterable[str] = ()) -> None:
    for question in definition_of(release.standard).questions:
        if question.key not in but:
            text = "Yes; it is written in the runbook, and was checked for this release."
            checklist.answer_question(release_id=release.pk, key=question.key, value="yes", text=text, by=by, now=now)


def drill(system: System, kind: str, team: Team, *, now: datetime, minutes: int = 12) -> Drill:
    """A rehearsal that starts at `now` and passes; its time is measured between its acts, as always."""
    planned = plan_drill(
        system=system,
        kind=kind,
        environment="staging",
        plan="Errors are injected in staging; the previous release must serve again.",
        participants=[team.operator, team.engineer],
        by=team.operator,
        now=now,
    )
    running = start_drill(drill=planned, by=team.operator, now=now)
    well = now + timedelta(minutes=minutes)
    mark_recovered(drill=running, by=team.operator, now=well)
    log = "The alert fired after one minute. The rollback was triggered by hand and took effect at once."
    written = well + timedelta(minutes=minutes / 4)
    return end_drill(drill=running, outcome="passed", log=log, by=team.operator, now=written)


def budget_drill(system: System, team: Team) -> Drill:
    """A budget drill, passed: the alarm went out for real, and its delay is what the gate judges."""
    drill = start_budget_drill(system, team)
    work_until_ended(drill)
    alarm = Notification.objects.get(subject=f"drill:{drill.pk}")
    acknowledge(notification=alarm, by=team.operator2, now=timezone.now())
    return drill


def start_budget_drill(system: System, team: Team) -> Drill:
    """The product runs it from here: synthetic spending crosses the cap, under a label of its own."""
    planned = plan_drill(
        system=system,
        kind=Drill.Kind.BUDGET_ALARM,
        environment="staging",
        plan="Synthetic spending crosses the daily cap; everybody on call must have the alarm in time.",
        participants=[team.operator2],
        by=team.operator,
        now=timezone.now(),
        by_product=True,
    )
    return start_drill(drill=planned, by=team.operator, now=timezone.now())


def work_until_ended(drill: Drill) -> None:
    """What the worker does while a drill of the product runs."""
    for _ in range(BEATS):
        rehearsing.advance_all(now=timezone.now())
        spanlog.sequence(now=timezone.now())
        derivation.derive(now=timezone.now())
        for delivery in deliver.due(timezone.now()).filter(notification__subject=f"drill:{drill.pk}"):
            deliver.attempt(str(delivery.pk), now=timezone.now())
        drill.refresh_from_db()
        if drill.state == Drill.State.ENDED:
            return
        time.sleep(0.5)
    raise RuntimeError("The budget drill did not come to its end; the worker's log may say why.")


def sign(release: Release, side: str, *, by: User, now: datetime, question: Question | None = None) -> SignOff:
    """Signs what stands now. Who the signer is was proved before: by whoever calls this."""
    release.refresh_from_db()
    found = standing(release, question or question_now(release), now=now)
    statement = statement_for(release, found, side, signer=by, nonce=secrets.token_urlsafe(24), now=now)
    return signing.sign_off(
        release_id=release.pk,
        statement=statement,
        shown_digest=found.state_digest,
        proof=Proof(SignOff.Method.TWO_FACTOR),
        by=by,
        now=now,
    )


def sign_both(release: Release, team: Team, *, now: datetime) -> None:
    sign(release, "engineering", by=team.engineer2, now=now)
    sign(release, "operations", by=team.operator2, now=now)
