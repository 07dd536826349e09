"""Signing, rejecting, withdrawing. A signature binds to the statement that was shown, or is refused."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

from django.db import transaction

from accounts.models import RoleGrant, User
from accounts.queries import living_grants, roles_of
from audit import canonical, ledger
from jobs.outbox import emit
from releases import rules
from releases.actions.opening import label_of
from releases.decisions import Standing, standing, store
from releases.errors import InvalidInput, NotGo, Refused, StateMoved, refuse
from releases.gate.types import Question
from releases.locking import lock, open_questions
from releases.models import Decision, Rejection, Release, SignOff
from releases.people import authors, person
from releases.statement import build

SHOWN_FOR = timedelta(minutes=15)


@dataclass(frozen=True)
class Proof:
    """How the signer proved who they are, in the same request: `releases.views.signing` made sure of it."""

    method: str  # passkey | two-factor
    assertion: dict[str, Any] | None = None


def statement_for(
    release: Release, found: Standing, side: str, *, signer: User, nonce: str, now: datetime
) -> dict[str, Any]:
    """What the page shows and the signer signs."""
    live = {
        "budget": found.facts.budget,
        "freezes": found.facts.freezes,
        "canary": found.facts.canary,
        "rates": found.facts.rates,
        "evaluation": found.facts.evaluation
        and {
            "run": found.facts.evaluation.run,
            "score": found.facts.evaluation.score,
            "baseline_score": found.facts.evaluation.baseline_score,
            "outcome": found.facts.evaluation.outcome,
        },
        "items": {item.key: item.state for item in found.verdict.items},
    }
    return build(
        release=str(release.pk),
        label=release.label,
        system=release.system.slug,
        side=side,
        person={"id": str(signer.pk), "name": signer.name},
        state_digest=found.state_digest,
        verdict=found.verdict,
        live=live,
        nonce=nonce,
        shown_at=now,
    )


@dataclass(frozen=True)
class Signed:
    """Who wrote a release, and who has signed it and not withdrawn: read once for all of its sides."""

    authors: frozenset[str]
    sign_offs: tuple[SignOff, ...]

    @classmethod
    def of(cls, release: Release) -> Self:
        given = release.sign_offs.filter(withdrawn_at=None).defer("statement", "assertion").select_related("signer")
        return cls(authors(release), tuple(given.order_by("signed_at")))


def signing_view(release: Release, found: Standing, signed: Signed, *, signer: User, side: str) -> rules.SigningView:
    already = any(
        (one.question, one.side, one.signer_id, one.state_digest, one.voided_at)
        == (found.question, side, signer.pk, found.state_digest, None)
        for one in signed.sign_offs
    )
    return rules.SigningView(
        release_state=release.state,
        question=found.question,
        question_open=found.open,
        go=found.verdict.go,
        authors=signed.authors,
        other_side_signers=frozenset(str(one.signer_id) for one in signed.sign_offs if one.side != side),
        already_signed=already,
        author_may_sign_own_side=found.bars.author_may_sign_own_side,
    )


def sign_off(
    *, release_id: UUID, statement: dict[str, Any], shown_digest: str, proof: Proof, by: User, now: datetime
) -> SignOff:
    """Stores a signature over exactly what was shown.

    1. Take the release's lock, the same that everybody takes who changes what the signature covers.
    2. Refuse when the recorded state is not the one that the statement names, or the statement is old or another's.
    3. Gather the live facts afresh and refuse when the verdict is not go at this instant.
    4. Refuse by the rules (role, authorship, other side); store, decide, record.
    The race that remains: a live fact turns worse after step 3. The gate reads it again at each question.
    """
    question, side = Question(statement["question"]), statement["side"]
    with transaction.atomic():
        release = lock(release_id)
        found = standing(release, question, now=now)
        _check_shown(release, found, statement, shown_digest, by=by, now=now)
        view = signing_view(release, found, Signed.of(release), signer=by, side=side)
        refuse(rules.sign_refusals(person(by, release, now=now), side, view))
        signed = SignOff.objects.create(
            release=release,
            question=question,
            side=side,
            signer=by,
            state_digest=found.state_digest,
            statement=statement,
            statement_digest=canonical.digest(statement),
            nonce=statement["nonce"],
            method=proof.method,
            assertion=proof.assertion,
            grant=_grant(by, side, release, now=now),
            signed_at=now,
        )
        decision = store(release, standing(release, question, now=now), occasion=Decision.Occasion.SIGNED, now=now)
        ledger.append(
            kind="release.signed",
            by=by,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={
                "sign_off": str(signed.pk),
                "question": question,
                "side": side,
                "method": proof.method,
                "state_digest": found.state_digest,
                "statement_digest": signed.statement_digest,
                "decision": str(decision.pk),
                "decision_digest": decision.digest,
            },
        )
        emit(
            "releases.signed",
            subject=release.subject,
            payload=label_of(release) | {"side": side, "question": question},
            now=now,
        )
        return signed


def _check_shown(
    release: Release, found: Standing, statement: dict[str, Any], shown_digest: str, *, by: User, now: datetime
) -> None:
    if not shown_digest:
        raise InvalidInput("The digest of the state that you saw is missing.")
    if statement.get("release") != str(release.pk) or statement.get("person", {}).get("id") != str(by.pk):
        raise Refused("This statement was made for another release or another person.")
    if shown_digest != statement.get("state_digest") or shown_digest != found.state_digest:
        raise StateMoved("The release changed after you opened this page. Read what changed, then sign the new state.")
    shown_at = datetime.fromisoformat(statement["shown_at"])
    if not now - SHOWN_FOR <= shown_at <= now + timedelta(minutes=1):
        raise StateMoved("This page was opened more than 15 minutes ago. Open it again and sign what it shows now.")
    if SignOff.objects.filter(nonce=statement["nonce"]).exists():
        raise StateMoved("This statement has been used. Open the page again.")
    if found.open and not found.verdict.go:
        reasons = [reason.sentence for reason in found.verdict.reasons]
        raise NotGo(f"The verdict is no-go now. {reasons[0]}", reasons=reasons)


def _grant(signer: User, side: str, release: Release, *, now: datetime) -> RoleGrant:
    """The grant that the signature rests on: it is named on the certificate."""
    return (
        living_grants(now=now).filter(user=signer, role=side, system__in=["", release.system.slug]).latest("granted_at")
    )


def withdraw(*, sign_off_id: UUID, by: User, now: datetime) -> SignOff:
    """A signer takes an open signature back. The row stays, and says when."""
    with transaction.atomic():
        signed = SignOff.objects.get(pk=sign_off_id)
        release = lock(signed.release_id)
        signed.refresh_from_db()
        if signed.signer_id != by.pk:
            raise Refused("Only the signer withdraws a signature.")
        if Question(signed.question) not in open_questions(release) or signed.voided_at or signed.withdrawn_at:
            raise Refused("This signature is not open any more.")
        signed.withdrawn_at = now
        signed.save(update_fields=["withdrawn_at"])
        ledger.append(
            kind="release.sign-off-withdrawn",
            by=by,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={"sign_off": str(signed.pk), "side": signed.side, "question": signed.question},
        )
        return signed


def has_rejected(release: Release, person: User, side: str) -> bool:
    return release.rejections.filter(side=side, by=person, lifted_at=None).exists()


def reject(*, release_id: UUID, side: str, reason: str, by: User, now: datetime) -> Rejection:
    """A side says no. It blocks until its author lifts it, whatever changes meanwhile."""
    with transaction.atomic():
        release = lock(release_id)
        already = has_rejected(release, by, side)
        refuse(
            rules.reject_refusals(
                person(by, release, now=now), side, question_open=bool(open_questions(release)), already=already
            )
        )
        if not reason.strip():
            raise InvalidInput("Say why, so that it can be mended.")
        rejected = Rejection.objects.create(release=release, side=side, by=by, reason=reason.strip(), rejected_at=now)
        ledger.append(
            kind="release.rejected",
            by=by,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={"side": side, "reason": reason.strip()},
        )
        emit("releases.rejected", subject=release.subject, payload=label_of(release) | {"side": side}, now=now)
        return rejected


def lift_rejection(*, rejection_id: UUID, by: User, now: datetime) -> Rejection:
    with transaction.atomic():
        rejected = Rejection.objects.select_related("by").get(pk=rejection_id)
        release = lock(rejected.release_id)
        rejected.refresh_from_db()
        if rejected.lifted_at is not None:
            return rejected
        holds = rejected.side in roles_of(rejected.by, system=release.system.slug, now=now)
        refuse(
            rules.lift_refusals(
                person(by, release, now=now), side=rejected.side, author=str(rejected.by_id), author_holds_role=holds
            )
        )
        rejected.lifted_by, rejected.lifted_at = by, now
        rejected.save(update_fields=["lifted_by", "lifted_at"])
        ledger.append(
            kind="release.rejection-lifted",
            by=by,
            subject=release.subject,
            system=release.system.slug,
            now=now,
            payload={"rejection": str(rejected.pk), "side": rejected.side},
        )
        return rejected
