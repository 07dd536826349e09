"""Verdict and clearance as they are now, and the decisions that were stored: where gate and database meet."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import OuterRef, QuerySet

from accounts.queries import living_grants
from audit import canonical
from releases import gate
from releases.facts import gather, references
from releases.gate.clearance import missing_signatures
from releases.gate.types import Facts, Question, Reason, SignatureFact, Verdict
from releases.locking import open_questions
from releases.models import Decision, Release, SignOff
from releases.people import authors
from releases.state import ItemRow, read, recorded_state, state_digest
from systems.policy import PolicyError, ReleaseBars, release_bars
from web.prepared import Prepared


@dataclass(frozen=True)
class Standing:
    """Where one question of a release stands now. A closed question answers with its decision."""

    question: Question
    facts: Facts
    bars: ReleaseBars
    verdict: Verdict
    state_digest: str
    signatures: tuple[SignatureFact, ...]
    missing: tuple[Reason, ...]  # what is missing for clearance; empty: cleared
    closed_by: Decision | None
    answers_no: str  # why a release that has ended answers no-go whatever was decided once
    items: tuple[ItemRow, ...] = ()  # what all this was read from

    @property
    def cleared(self) -> bool:
        if self.answers_no:
            return False
        return self.closed_by.cleared if self.closed_by else not self.missing

    @property
    def open(self) -> bool:
        return self.closed_by is None and not self.answers_no


def standing(release: Release, question: Question, *, now: datetime) -> Standing:
    """Gathers the facts and judges them. Between two calls only what nobody wrote is remembered (releases.state)."""
    rows = read(release)
    facts = gather(release, question, now=now, rows=rows)
    bars = release_bars(release.policy.body)
    verdict = gate.judge(facts, bars, now=now)
    digest = state_digest(release, rows)
    signatures = signature_facts(release, question, now=now)
    ended = ""
    if release.state in Release.ENDED:
        ended = f"The release is {release.get_state_display().lower()}; it may not be served again."
    return Standing(
        question=question,
        facts=facts,
        bars=bars,
        verdict=verdict,
        state_digest=digest,
        signatures=signatures,
        missing=missing_signatures(verdict, signatures, state_digest=digest, bars=bars),
        closed_by=closing_decision(release, question),
        answers_no=ended,
        items=rows.items,
    )


def closing_decision(release: Release, question: Question) -> Decision | None:
    if question in open_questions(release):
        return None
    occasion = Decision.Occasion.STARTED if question is Question.CANARY else Decision.Occasion.PROMOTED
    return release.decisions.filter(question=question, occasion=occasion).first()


def _given(release: Any, question: Any, system: Any, now: Any) -> QuerySet[Any]:
    """With the roles that each signer holds now."""
    grants = living_grants(now=now).filter(system__in=["", system], user=OuterRef("signer"))
    rows = SignOff.objects.filter(release=release, question=question, withdrawn_at=None).order_by("signed_at")
    rows = rows.only("side", "signer", "state_digest", "signed_at", "method", "voided_at")
    return rows.annotate(roles=ArraySubquery(grants.values("role")))


_given_now = Prepared(_given)


def signature_facts(release: Release, question: Question, *, now: datetime) -> tuple[SignatureFact, ...]:
    """Living and voided signatures on the question. Whether the signer holds the role is read now, not remembered."""
    rows = _given_now(release=release.pk, question=question.value, system=release.system.slug, now=now)
    wrote = authors(release)
    return tuple(
        SignatureFact(
            side=row.side,
            signer=str(row.signer_id),
            state_digest=row.state_digest,
            signed_at=row.signed_at,
            method=row.method,
            voided=row.voided_at is not None,
            holds_role=row.side in row.roles,
            is_author=str(row.signer_id) in wrote,
        )
        for row in rows
    )


def store(release: Release, found: Standing, *, occasion: str, now: datetime) -> Decision:
    """Freezes what was decided on: inside the caller's transaction, under the release's lock."""
    body: Any = canonical.plain(
        {
            "type": "readiness/decision/v1",
            "release": release.pk,
            "label": release.label,
            "system": release.system.slug,
            "question": found.question,
            "occasion": occasion,
            "gate_version": found.verdict.gate_version,
            "state_digest": found.state_digest,
            "facts": found.facts,
            "policy": {"number": release.policy.number, "sha256": release.policy.sha256, "body": found.bars.body()},
            "verdict": found.verdict,
            "cleared": found.cleared,
            "signatures": _signers(release, found),
            "references": references(release, now=now) | {"state": recorded_state(release)},
            "decided_at": now,
        }
    )
    return Decision.objects.create(
        release=release,
        question=found.question,
        occasion=occasion,
        gate_version=found.verdict.gate_version,
        state_digest=found.state_digest,
        facts=body["facts"],
        policy=body["policy"],
        verdict=body["verdict"],
        cleared=body["cleared"],
        signatures=body["signatures"],
        references=body["references"],
        digest=canonical.digest(body),
        decided_at=now,
    )


def decision_body(decision: Decision) -> dict[str, Any]:
    """What the digest of a stored decision is over, rebuilt from its row."""
    body: Any = canonical.plain(
        {
            "type": "readiness/decision/v1",
            "release": decision.release_id,
            "label": decision.release.label,
            "system": decision.release.system.slug,
            "question": decision.question,
            "occasion": decision.occasion,
            "gate_version": decision.gate_version,
            "state_digest": decision.state_digest,
            "facts": decision.facts,
            "policy": decision.policy,
            "verdict": decision.verdict,
            "cleared": decision.cleared,
            "signatures": decision.signatures,
            "references": decision.references,
            "decided_at": decision.decided_at,
        }
    )
    return dict(body)


class Unreadable(Exception):
    """What is stored of a decision cannot be read any more: it was altered, or a newer program wrote it."""


def replay(decision: Decision) -> tuple[Verdict, bool]:
    """Runs the gate that decided again, on the stored facts. Returns its verdict, and whether it is the stored one."""
    try:
        facts = gate.types.facts_from_json(decision.facts)
        bars = release_bars(decision.policy["body"])
        verdict = gate.judge(facts, bars, now=decision.decided_at, version=decision.gate_version)
    except (msgspec.ValidationError, PolicyError, gate.UnknownGate, KeyError, TypeError) as error:
        raise Unreadable(f"The stored decision cannot be read: {error}") from error
    return verdict, canonical.plain(verdict) == decision.verdict


def _signers(release: Release, found: Standing) -> list[dict[str, Any]]:
    """The signatures that were there, with what the two-person rules ask of each: a verifier asks nobody else."""
    rows = SignOff.objects.filter(release=release, question=found.question, voided_at=None, withdrawn_at=None)
    facts = {(fact.side, fact.signer, fact.signed_at): fact for fact in found.signatures}
    return [
        {
            "sign_off": str(row.pk),
            "side": row.side,
            "signer": str(row.signer_id),
            "name": row.signer.name,
            "grant": str(row.grant_id),
            "founding": row.grant.founding,
            "holds_role": facts[row.side, str(row.signer_id), row.signed_at].holds_role,
            "is_author": facts[row.side, str(row.signer_id), row.signed_at].is_author,
            "method": row.method,
            "statement_digest": row.statement_digest,
            "public_key": row.assertion["public_key"] if row.assertion else None,
            "signed_at": row.signed_at,
        }
        for row in rows.select_related("signer", "grant").order_by("side", "signed_at")
    ]
