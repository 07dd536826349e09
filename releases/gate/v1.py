"""Gate, version 1. Never edited once released: see `releases.gate`."""

from datetime import datetime, timedelta

from releases.gate.rules_v1 import RULES, shown
from releases.gate.types import Facts, ItemFact, ItemState, ItemVerdict, Outcome, Question, Reason, Verdict
from systems.policy import ReleaseBars

VERSION = 1
# A standard or policy may be superseded this long before a release must move to the new one.
GRACE = timedelta(days=14)

NOT_DONE = "What cannot be verified counts as not done."


def judge(facts: Facts, bars: ReleaseBars, *, now: datetime) -> Verdict:
    """The verdict on one question: go only where no reason is left. An empty checklist is a reason, not a pass."""
    items = tuple(judge_item(item, facts, bars, now=now) for item in facts.items)
    reasons = [
        *_versions(facts, now=now),
        *_pins(facts),
        *_checklist(facts, items),
        *_questions(facts),
        *_rubric(facts, bars, now=now),
        *_operations(facts),
        *_rejections(facts),
    ]
    return Verdict(
        question=facts.question,
        outcome=Outcome.NO_GO if reasons else Outcome.GO,
        reasons=tuple(reasons),
        items=items,
        gate_version=VERSION,
        at=now,
    )


def asked_by(question: Question, item: ItemFact) -> bool:
    """Whether the item blocks this question. Everything that blocks the canary blocks the release too."""
    if question is Question.CANARY:
        return item.question == Question.CANARY
    return item.question in (Question.CANARY, Question.RELEASE)


def judge_item(item: ItemFact, facts: Facts, bars: ReleaseBars, *, now: datetime) -> ItemVerdict:
    """The state of one item, derived afresh from what is recorded about it."""
    state, sentence = _state(item, facts, bars, now=now)
    return ItemVerdict(item.key, state, sentence)


def _state(item: ItemFact, facts: Facts, bars: ReleaseBars, *, now: datetime) -> tuple[ItemState, str]:
    if item.not_applicable_confirmed_by:
        if not item.conditional:
            return ItemState.UNKNOWN, "The standard does not allow this item to be set not applicable."
        if item.not_applicable_proposed_by is None:
            return ItemState.UNKNOWN, "Nobody proposed that this does not apply, so nobody could confirm it."
        if item.not_applicable_confirmed_by == item.not_applicable_proposed_by:
            return ItemState.UNKNOWN, "The same person proposed and confirmed that this does not apply."
        return ItemState.NOT_APPLICABLE, item.not_applicable_reason or "Does not apply."
    if item.not_applicable_proposed_by:
        return ItemState.WAITING, "Proposed as not applicable; a second person confirms."
    if item.verification == "auto":
        return _auto(item, facts, bars, now=now)
    return _evidence(item, facts, now=now)


def _auto(item: ItemFact, facts: Facts, bars: ReleaseBars, *, now: datetime) -> tuple[ItemState, str]:
    rule = RULES.get(item.rule or "")
    if rule is None:
        return ItemState.UNKNOWN, f"This gate has no rule named {item.rule!r}. {NOT_DONE}"
    finding = rule(facts, bars, now)
    if finding.met is None:
        return ItemState.UNKNOWN, finding.sentence
    return (ItemState.VERIFIED if finding.met else ItemState.FAILED), finding.sentence


def _evidence(item: ItemFact, facts: Facts, *, now: datetime) -> tuple[ItemState, str]:
    if item.owner is None:
        return ItemState.MISSING, "It has no owner, so it cannot be verified."
    if item.sent_back_reason:
        return ItemState.SENT_BACK, f"Sent back: {item.sent_back_reason}"
    if item.stale_reason:
        return ItemState.STALE, item.stale_reason
    if not item.evidence:
        return ItemState.MISSING, f"No evidence is attached. {NOT_DONE}"
    if item.verified_by is None or item.verified_at is None:
        return ItemState.WAITING, "Evidence is attached; another person verifies it."
    living = {evidence.digest for evidence in item.evidence}
    if not item.verified_digests or set(item.verified_digests) != living:
        return ItemState.WAITING, "The evidence is not the one that was verified."
    if any(evidence.attached_by is None and evidence.kind != "measurement" for evidence in item.evidence):
        return ItemState.UNKNOWN, "Nobody is named who attached the evidence, so it may be the person who verified it."
    if any(evidence.attached_by == item.verified_by for evidence in item.evidence):
        return ItemState.UNKNOWN, "The person who attached the evidence verified it."
    horizon = max(now, facts.planned_promotion)
    for evidence in item.evidence:
        if evidence.valid_until is not None and evidence.valid_until <= horizon:
            return ItemState.LAPSED, f"Evidence is valid until {evidence.valid_until:%Y-%m-%d %H:%M} UTC only."
    return ItemState.VERIFIED, "Verified by a second person."


def _versions(facts: Facts, *, now: datetime) -> list[Reason]:
    reasons = []
    for what, version in (("standard", facts.standard), ("release policy", facts.policy)):
        if not version.approved or not version.sha256:
            reasons.append(
                Reason(
                    f"{what.replace(' ', '-')}-not-approved",
                    f"The {what} {version.name} is not approved.",
                    "product",
                    "pins",
                )
            )
        elif version.superseded_at is not None and now >= version.superseded_at + GRACE:
            sentence = f"The {what} {version.name} was superseded more than 14 days ago. Move to the current one."
            reasons.append(Reason(f"{what.replace(' ', '-')}-superseded", sentence, "product", "pins"))
    return reasons


def _pins(facts: Facts) -> list[Reason]:
    if not facts.pins:
        return [Reason("nothing-pinned", "Nothing is pinned: a release is made of versions.", "engineering", "pins")]
    reasons = []
    for pin in facts.pins:
        if pin.version is None or not pin.sha256:
            reasons.append(Reason("pin-missing", f"{pin.component} has no pinned version.", "engineering", "pins"))
        elif pin.state not in ("approved", "deprecated") or not pin.reviewed:
            sentence = f"{pin.component} version {pin.version} is not approved by a second person."
            reasons.append(Reason("pin-not-approved", sentence, "engineering", "pins"))
    return reasons


def _checklist(facts: Facts, items: tuple[ItemVerdict, ...]) -> list[Reason]:
    if not facts.asked_items or sorted(facts.asked_items) != sorted(item.key for item in facts.items):
        return [Reason("items-missing", f"The checklist is not the standard's. {NOT_DONE}", "product", "pins")]
    asked = [(item, found) for item, found in zip(facts.items, items, strict=True) if asked_by(facts.question, item)]
    if not asked:
        return [Reason("no-items", f"The checklist asks nothing, which proves nothing. {NOT_DONE}", "product", "pins")]
    return [
        Reason(f"item-{found.state}", f"{item.title}: {found.sentence}", _who(item, found), f"item:{item.key}")
        for item, found in asked
        if not found.state.done
    ]


def _who(item: ItemFact, found: ItemVerdict) -> str:
    """Who can clear it: the owner, or, once evidence waits, somebody else with the owner's role or that of its side."""
    if found.state is ItemState.WAITING:
        return f"another person: {item.owner_role} or {item.side}"
    return item.owner_role


def _questions(facts: Facts) -> list[Reason]:
    """Each question of the standard, answered yes, in words. A standard that asks none proves nothing."""
    if not facts.asked_questions or sorted(facts.asked_questions) != sorted(answer.key for answer in facts.answers):
        return [
            Reason("questions-missing", f"The questions are not the standard's. {NOT_DONE}", "product", "questions")
        ]
    return [
        Reason(
            "question-unanswered" if answer.answer is None else "question-no",
            f"“{answer.question}” "
            + ("has no answer." if answer.answer is None else "is answered no, or without words."),
            "engineering or operations",
            "questions",
        )
        for answer in facts.answers
        if answer.answer != "yes" or not answer.text.strip()
    ]


def _rubric(facts: Facts, bars: ReleaseBars, *, now: datetime) -> list[Reason]:
    """What the article's rubric asks of every full release, whatever the standard in use says."""
    wanted = ["rollout-plan", "evaluation-gate", "rollback-tested"]
    if facts.first_release:
        wanted.append("incident-simulated")
    if facts.question is Question.RELEASE:
        wanted += ["canary-clean", "schema-validation-rate", "cost-per-request"]
    covered = {item.rule for item in facts.items if item.verification == "auto" and asked_by(facts.question, item)}
    reasons = []
    for name in wanted:
        if name in covered:
            continue
        finding = RULES[name](facts, bars, now)
        if not finding.met:
            reasons.append(Reason(name, finding.sentence, "engineering or operations", "rollout"))
    return reasons


def _operations(facts: Facts) -> list[Reason]:
    reasons = []
    budget = facts.budget
    if budget is None or budget.state not in ("ok", "alert", "exceeded"):
        reasons.append(Reason("budget-unknown", f"Today's spend is unknown. {NOT_DONE}", "operations", "budget"))
    elif budget.state == "exceeded":
        sentence = f"Today's budget is spent: {shown(budget.spent_usd)} of {shown(budget.cap_usd)} USD."
        reasons.append(Reason("budget-exceeded", sentence, "operations", "budget"))
    for freeze in facts.freezes:
        if freeze.spares is None or freeze.spares != facts.label:
            sentence = f"The system is frozen: {freeze.reason}"
            reasons.append(Reason("frozen", sentence, "engineering and operations", "freeze"))
    return reasons


def _rejections(facts: Facts) -> list[Reason]:
    return [
        Reason("rejected", f"{rejection.side.capitalize()} rejected it: {rejection.reason}", rejection.side, "sign-off")
        for rejection in facts.rejections
    ]
