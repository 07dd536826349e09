"""Reviews: due by the calendar, made on frozen numbers, recorded with what was found."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.actions import revoke_role
from accounts.models import RoleGrant, User
from accounts.queries import living_grants
from audit import canonical, vault
from audit.actors import SYSTEM
from audit.ledger import append
from jobs.outbox import emit
from operations import calendar, numbers, rules
from operations.errors import InvalidInput, refuse
from operations.models import Launch, Review, RosterLine
from operations.queries import person
from systems.models import System

# What evidence of an item is called that such a review backs: see `evidence` in the standard.
RECORDS = {
    Review.Kind.POST_LAUNCH: "review.post-launch",
    Review.Kind.WEEKLY: "review.drift",
    Review.Kind.MONTHLY_COST: "review.cost",
    Review.Kind.MONTHLY_GOLDEN: "review.golden-set",
    Review.Kind.QUARTERLY_SECURITY: "review.controls",
    Review.Kind.QUARTERLY_COMPLIANCE: "review.compliance",
    Review.Kind.QUARTERLY_ACCESS: "review.access",
}


def note_launch(*, system: System, label: str, at: datetime, now: datetime) -> Launch:
    """A release serves everybody: its review is due in seven days. Told twice, it is noted once."""
    with transaction.atomic():
        Launch.objects.filter(system=system, ended_at=None).exclude(release_label=label).update(ended_at=at)
        launch, created = Launch.objects.get_or_create(
            system=system, release_label=label, ended_at=None, defaults={"live_at": at}
        )
        if created and not Review.objects.filter(system=system, kind="post_launch", release_label=label).exists():
            schedule(
                system=system, kind=Review.Kind.POST_LAUNCH, period=calendar.after_launch(at), label=label, now=now
            )
    return launch


def note_end(*, system: System, label: str, restored: str, at: datetime) -> None:
    """A release was taken back; what serves again is noted as live since then. It owes no second review for it."""
    with transaction.atomic():
        ended = Launch.objects.filter(system=system, release_label=label, ended_at=None).update(ended_at=at)
        if ended and restored:
            Launch.objects.get_or_create(system=system, release_label=restored, ended_at=None, defaults={"live_at": at})


def schedule(*, system: System, kind: str, period: calendar.Period, now: datetime, label: str = "") -> Review | None:
    """Puts a review into the calendar. None where it is there already."""
    with transaction.atomic():
        review, created = Review.objects.get_or_create(
            system=system,
            kind=kind,
            release_label=label,
            since=period.since,
            defaults={"until": period.until, "due_at": period.due_at, "created_at": now},
        )
        if not created:
            return None
        payload = {"kind": kind, "release": label, "since": period.since, "due_at": period.due_at}
        _record("review.scheduled", review, by=None, now=now, payload=payload)
    return review


def freeze_numbers(*, review: Review, by: User | None, now: datetime) -> Review:
    """Takes the numbers of the period so far, once: what is reviewed does not move. `by=None` is the product, when the
    period is over. An access review freezes the roster as well."""
    with transaction.atomic():
        row = _locked(review)
        if by is not None:
            refuse(rules.freeze_numbers(state_of(row), person(by, system=row.system, now=now)))
        elif row.frozen_at is not None or row.done_at is not None:
            return row
        row.until = min(row.until, now)
        if row.until <= row.since:
            raise InvalidInput("The period has not begun: there is nothing to freeze yet.")
        row.numbers = numbers.gather(row.system, since=row.since, until=row.until, release=row.release_label)
        row.numbers_digest, row.frozen_at = canonical.digest(row.numbers), now
        row.save(update_fields=["until", "numbers", "numbers_digest", "frozen_at"])
        if row.kind == Review.Kind.QUARTERLY_ACCESS:
            _freeze_roster(row, now=now)
        payload = {"numbers": row.numbers_digest, "until": row.until, "lines": row.roster.count()}
        _record("review.frozen", row, by=by, now=now, payload=payload)
    return row


def complete_review(*, review: Review, outcome: str, findings: str, by: User, now: datetime) -> Review:
    """Records what the review found. From then on it does not change, and backs the items that ask for it."""
    if outcome not in Review.Outcome.values:
        raise InvalidInput(f"A review ends as one of {', '.join(Review.Outcome.values)}.")
    if not findings.strip():
        raise InvalidInput("Write down what was found: a review without findings was not made.")
    with transaction.atomic():
        row = _locked(review)
        refuse(rules.complete_review(state_of(row), person(by, system=row.system, now=now)))
        row.outcome, row.findings, row.done_by, row.done_at = outcome, findings.strip(), by, now
        row.save(update_fields=["outcome", "findings", "done_by", "done_at"])
        record = record_of(row)
        digest = vault.put(
            canonical.dumps(record), kind="record", media_type="application/json", now=now, system=row.system.slug
        )
        emit(
            "operations.record-made",
            subject=f"review:{row.pk}",
            payload={
                "system": row.system.slug,
                "record": RECORDS[Review.Kind(row.kind)],
                "title": str(row),
                "label": row.release_label,
                "digest": digest,
                "by": by.actor_id,
            },
            now=now,
        )
        payload = {"outcome": outcome, "findings": row.findings, "numbers": row.numbers_digest, "record": digest}
        _record("review.made", row, by=by, now=now, payload=payload)
    return row


def decide_line(*, line: RosterLine, decision: str, by: User, now: datetime, reason: str = "") -> RosterLine:
    """Confirms one line of the roster, or takes the role away: at once, with the sessions of the person."""
    if decision not in RosterLine.Decision.values:
        raise InvalidInput("A line is confirmed or revoked.")
    if decision == RosterLine.Decision.REVOKED and not reason.strip():
        raise InvalidInput("Say why the role is taken away.")
    with transaction.atomic():
        rows = RosterLine.objects.select_for_update(of=("self",)).select_related("review__system", "person")
        row = rows.get(pk=line.pk)
        review = row.review
        state = rules.LineState(
            person=str(row.person_id), decided=row.decided_at is not None, review_done=review.done_at is not None
        )
        refuse(rules.decide_line(state, person(by, system=review.system, now=now)))
        grant = RoleGrant.objects.get(pk=row.grant_id)
        if decision == RosterLine.Decision.REVOKED and grant.revoked_at is None and grant.ended_at is None:
            revoke_role(grant=grant, by=by, now=now, reason=f"Access review: {reason.strip()}")
        row.decision, row.reason, row.decided_by, row.decided_at = decision, reason.strip(), by, now
        row.save(update_fields=["decision", "reason", "decided_by", "decided_at"])
        payload = {"person": row.person.actor_id, "role": row.role, "decision": decision, "reason": row.reason}
        _record("review.access-decided", review, by=by, now=now, payload=payload)
    return row


def state_of(review: Review) -> rules.ReviewState:
    return rules.ReviewState(
        kind=review.kind,
        done=review.done_at is not None,
        frozen=review.frozen_at is not None,
        undecided=review.roster.filter(decision="").count() if review.kind == Review.Kind.QUARTERLY_ACCESS else 0,
    )


def record_of(review: Review) -> dict[str, Any]:
    """A review that was made, as the structured record that evidence holds."""
    assert review.done_by is not None and review.done_at is not None
    return {
        "review": str(review.pk),
        "kind": review.kind,
        "release": review.release_label,
        "since": review.since.isoformat(),
        "until": review.until.isoformat(),
        "numbers": review.numbers,
        "numbers_digest": review.numbers_digest,
        "outcome": review.outcome,
        "findings": review.findings,
        "by": review.done_by.actor_id,
        "at": review.done_at.isoformat(),
        "roster": [
            {"person": line.person.actor_id, "role": line.role, "decision": line.decision, "reason": line.reason}
            for line in review.roster.select_related("person")
        ],
    }


def _freeze_roster(review: Review, *, now: datetime) -> None:
    """Everybody who has access to the system now, role by role."""
    grants = living_grants(now=now).filter(system__in=["", review.system.slug]).order_by("role", "user_id")
    RosterLine.objects.bulk_create(
        RosterLine(
            review=review,
            grant_id=grant.pk,
            person_id=grant.user_id,
            role=grant.role,
            everywhere=not grant.system,
            since=grant.starts_at,
        )
        for grant in grants
    )


def _locked(review: Review) -> Review:
    return Review.objects.select_for_update(of=("self",)).select_related("system").get(pk=review.pk)


def _record(kind: str, review: Review, *, by: User | None, now: datetime, payload: Mapping[str, object]) -> None:
    append(
        kind=kind,
        by=by or SYSTEM,
        subject=f"review:{review.pk}",
        system=review.system.slug,
        now=now,
        payload={"review": review.kind, **payload},
    )
