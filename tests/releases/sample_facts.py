"""Facts of a release that may go: the start of every gate test, from which one thing at a time is taken away."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from releases.gate.types import (
    AnswerFact,
    BudgetFact,
    CanaryFact,
    DrillFact,
    EvaluationFact,
    EvidenceFact,
    Facts,
    ItemFact,
    PinFact,
    PlanFact,
    Question,
    RatesFact,
    VersionFact,
)
from releases.standard.load import parse, shipped

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
ANN, BEN, EVE, SOURCE = (f"01930000-0000-7000-8000-00000000000{n}" for n in range(1, 5))
STANDARD = parse(shipped()[1])


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def item_facts() -> tuple[ItemFact, ...]:
    """Every item of the shipped standard, with evidence by one person and verification by another."""
    facts = []
    for item in STANDARD.items:
        auto = item.verification == "auto"
        evidence = EvidenceFact(digest("e"), "file", ANN, NOW - timedelta(days=1), NOW + timedelta(days=30))
        facts.append(
            ItemFact(
                key=item.key,
                title=item.title,
                phase=item.phase,
                question=item.question,
                verification=item.verification,
                rule=item.auto_fact,
                side=item.side,
                owner_role=item.owner_role,
                owner=ANN,
                evidence=() if auto else (evidence,),
                verified_by=None if auto else BEN,
                verified_at=None if auto else NOW - timedelta(hours=1),
                verified_digests=() if auto else (digest("e"),),
                sent_back_reason=None,
                stale_reason=None,
                not_applicable_reason=None,
                not_applicable_proposed_by=None,
                not_applicable_confirmed_by=None,
                conditional=item.conditional is not None,
            )
        )
    return tuple(facts)


KINDS = ("prompt", "input_schema", "output_schema", "contract", "model", "dataset", "sources", "fallback", "artifact")


def go_facts(question: Question = Question.RELEASE) -> Facts:
    return Facts(
        release="0192",
        label="2026.11.2",
        system="support-bot",
        question=question,
        first_release=False,
        standard=VersionFact("2026.1", digest("a"), True, None),
        policy=VersionFact("1", digest("b"), True, None),
        ownership_gaps=(),
        pins=tuple(PinFact(kind, kind, 3, digest("c"), "approved", True) for kind in KINDS),
        asked_items=tuple(item.key for item in STANDARD.items),
        asked_questions=tuple(question.key for question in STANDARD.questions),
        items=item_facts(),
        answers=tuple(AnswerFact(q.key, q.text, "yes", "Yes, see the runbook.", None) for q in STANDARD.questions),
        evaluation=EvaluationFact(
            run="run-2",
            raw_digest=digest("d"),
            tool="inspect_ai",
            tool_version="0.3.285",
            dataset_hash=digest("c"),
            dataset_matches=True,
            pins_match=True,
            mismatch="",
            origin_proven=True,
            metric="accuracy",
            cases=200,
            errored=0,
            score=Decimal("0.12"),
            baseline_run="run-1",
            baseline_score=Decimal("0.10"),
            delta=Decimal("0.02"),
            lower=Decimal("0.005"),
            upper=Decimal("0.035"),
            outcome="pass",
            reasons=(),
        ),
        rates=RatesFact(
            since=NOW - timedelta(hours=25),
            until=NOW,
            requests=1000,
            errors=5,
            schema_checked=1000,
            schema_valid=990,
            with_sources=1000,
            with_request_id=1000,
            cost_known=1000,
            cost_usd=Decimal("1.1"),
            baseline_cost_per_request_usd=Decimal("0.001"),
            unapproved=0,
        ),
        budget=BudgetFact("ok", Decimal("12.5"), Decimal(50), Decimal(45), 2, 20),
        freezes=(),
        plan=PlanFact("canary", Decimal("0.10"), Decimal(24), Decimal("0.015"), 2000, SOURCE),
        canary=CanaryFact("running", NOW - timedelta(hours=25), Decimal(24), 0, 1000, "pass", (), digest("f")),
        drills=(
            DrillFact("rollback", "d1", NOW - timedelta(days=3), 400),
            DrillFact("incident", "d2", NOW - timedelta(days=3), 900),
        ),
        rejections=(),
        retained_release="2026.11.1",
        planned_promotion=NOW,
    )
