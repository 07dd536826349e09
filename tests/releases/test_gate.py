"""The gate alone: no database, no clock. Taking anything away never opens it."""

import dataclasses
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import canonical
from releases import gate
from releases.gate.rules_v1 import RULES
from releases.gate.types import (
    EvaluationFact,
    Facts,
    FreezeFact,
    ItemFact,
    ItemState,
    Outcome,
    Question,
    RejectionFact,
    VersionFact,
    facts_from_json,
    verdict_from_json,
)
from systems.policy import ReleaseBars
from tests.releases.sample_facts import ANN, BEN, NOW, STANDARD, digest, go_facts

BARS = ReleaseBars()


def judge(facts: Facts, bars: ReleaseBars = BARS) -> Any:
    return gate.judge(facts, bars, now=NOW)


def codes(facts: Facts, bars: ReleaseBars = BARS) -> list[str]:
    return [reason.code for reason in judge(facts, bars).reasons]


def with_item(facts: Facts, key: str, **changes: Any) -> Facts:
    return replace(facts, items=tuple(replace(i, **changes) if i.key == key else i for i in facts.items))


def with_evaluation(facts: Facts, **changes: Any) -> Facts:
    assert facts.evaluation is not None
    return replace(facts, evaluation=replace(facts.evaluation, **changes))


def first_of(verification: str, question: str | None = "canary") -> ItemFact:
    return next(i for i in go_facts().items if i.verification == verification and i.question == question)


@pytest.mark.parametrize("question", list(Question))
def test_a_release_with_everything_done_may_go(question):
    verdict = judge(go_facts(question))
    assert verdict.reasons == ()
    assert verdict.outcome is Outcome.GO
    assert verdict.go


@pytest.mark.parametrize(
    ("stricter", "rule"),
    [
        ({"eval_min_delta": "0.021"}, "evaluation-gate"),
        ({"eval_bar": "lower"}, "evaluation-gate"),
        ({"schema_valid_min": "0.991"}, "schema-validation-rate"),
        ({"cost_increase_max": "0.09"}, "cost-per-request"),
        ({"min_requests": 1001}, "schema-validation-rate"),
        ({"error_rate_max": "0.014"}, "rollout-plan"),
        ({"p95_ms_max": 1999}, "rollout-plan"),
        ({"canary_share": "0.09"}, "rollout-plan"),
        ({"canary_hours": 25}, "canary-clean"),
        ({"rollback_minutes": 6}, "rollback-tested"),
        ({"drill_validity_days": 2}, "rollback-tested"),
    ],
)
def test_a_release_that_just_holds_every_bar_fails_when_one_is_raised(stricter, rule):
    """Each threshold of the release policy decides: `go_facts` stands exactly on the shipped bars."""
    bars = ReleaseBars.parse(stricter)
    (asking,) = [item.key for item in STANDARD.items if item.auto_fact == rule]
    verdict = judge(go_facts(), bars)
    assert verdict.outcome is Outcome.NO_GO
    assert asking in {item.key for item in verdict.items if not item.state.done}


def test_a_first_release_is_held_to_the_absolute_bars_of_its_policy():
    facts = with_evaluation(replace(go_facts(), first_release=True), baseline_run=None, baseline_score=None, delta=None)
    facts = with_evaluation(facts, score=Decimal("0.7"))
    facts = replace(facts, rates=replace(facts.rates, cost_usd=Decimal(50), baseline_cost_per_request_usd=None))
    assert codes(facts) == []
    assert codes(facts, ReleaseBars.parse({"eval_min_score": "0.71"})) == ["item-failed"]
    assert codes(facts, ReleaseBars.parse({"first_release_cost_cap_usd": "0.049"})) == ["item-failed"]


def test_every_automatic_item_of_the_shipped_standard_names_a_rule_that_exists():
    assert {item.auto_fact for item in STANDARD.items if item.auto_fact} <= set(RULES)


def test_an_empty_checklist_is_no_pass():
    assert "items-missing" in codes(replace(go_facts(), items=()))
    assert "items-missing" in codes(replace(go_facts(), items=(), asked_items=()))
    later = tuple(i for i in go_facts().items if i.question is None)
    assert "no-items" in codes(replace(go_facts(), items=later, asked_items=tuple(i.key for i in later)))


def test_an_item_or_question_that_is_left_out_is_missing():
    facts = go_facts()
    assert codes(replace(facts, items=facts.items[1:])) == ["items-missing"]
    assert codes(replace(facts, answers=facts.answers[1:])) == ["questions-missing"]
    assert codes(replace(facts, answers=(), asked_questions=())) == ["questions-missing"]


def test_the_articles_rule_is_exact_where_binary_floats_are_not():
    # 0.10 + 0.02 > 0.12 in binary floats: the candidate meets the bar exactly, and would be refused.
    assert 0.10 + 0.02 > 0.12
    assert judge(go_facts()).go
    missed = judge(with_evaluation(go_facts(), score=Decimal("0.1199"), delta=Decimal("0.0199")))
    assert not missed.go
    assert "0.1199 is below baseline 0.1 + 0.02 = 0.12" in missed.reasons[0].sentence


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"outcome": "inconclusive", "reasons": ("Too few cases.",)}, "Too few cases."),
        ({"outcome": "fail", "reasons": ("Case 7 is harmful.",)}, "Case 7 is harmful."),
        ({"score": None}, "no score"),
        ({"score": Decimal("NaN")}, "no score"),
        ({"baseline_score": None}, "no run on this dataset"),
        ({"baseline_score": Decimal("NaN")}, "no run on this dataset"),
        ({"dataset_matches": False, "mismatch": "another dataset"}, "another dataset"),
        ({"pins_match": False, "mismatch": "another prompt"}, "another prompt"),
        ({"origin_proven": False}, "proven origin"),
        ({"tool_version": ""}, "which version of the tool"),
    ],
)
def test_an_evaluation_that_cannot_be_relied_on_blocks(changes, words):
    verdict = judge(with_evaluation(go_facts(Question.CANARY), **changes))
    assert verdict.outcome is Outcome.NO_GO
    assert any(words in reason.sentence for reason in verdict.reasons)


def test_the_strict_bar_asks_the_lower_end_of_the_interval():
    strict = replace(BARS, eval_bar="lower")
    assert "item-failed" in codes(go_facts(), strict)
    assert judge(with_evaluation(go_facts(), lower=Decimal("0.02")), strict).go


def test_a_first_release_has_absolute_bars_and_needs_a_simulated_incident():
    facts = replace(with_evaluation(go_facts(), score=Decimal("0.7"), baseline_score=None), first_release=True)
    assert judge(facts).go
    assert "item-failed" in codes(with_evaluation(facts, score=Decimal("0.69")))
    assert not judge(replace(facts, drills=facts.drills[:1])).go


@pytest.mark.parametrize(
    ("valid", "checked", "state"),
    [(990, 1000, ItemState.VERIFIED), (989, 1000, ItemState.FAILED), (299, 299, ItemState.UNKNOWN)],
)
def test_schema_validation_rate(valid, checked, state):
    facts = go_facts()
    facts = replace(facts, rates=replace(facts.rates, schema_valid=valid, schema_checked=checked))
    found = next(i for i in judge(facts).items if i.key == rule_item("schema-validation-rate"))
    assert found.state is state


@pytest.mark.parametrize(
    ("cost", "known", "base", "state"),
    [
        ("1.1", 1000, "0.001", ItemState.VERIFIED),
        ("1.1001", 1000, "0.001", ItemState.FAILED),
        ("1.045", 950, "0.001", ItemState.VERIFIED),
        ("1.0439", 949, "0.001", ItemState.UNKNOWN),
        ("1.1", 1001, "0.001", ItemState.UNKNOWN),
        ("1.1", 1000, None, ItemState.UNKNOWN),
        ("NaN", 1000, "0.001", ItemState.UNKNOWN),
        ("1.1", 1000, "0", ItemState.UNKNOWN),
    ],
)
def test_cost_per_request(cost, known, base, state):
    facts = go_facts()
    rates = replace(
        facts.rates,
        cost_usd=Decimal(cost),
        cost_known=known,
        baseline_cost_per_request_usd=None if base is None else Decimal(base),
    )
    found = next(i for i in judge(replace(facts, rates=rates)).items if i.key == rule_item("cost-per-request"))
    assert found.state is state


def rule_item(rule: str) -> str:
    return next(item.key for item in STANDARD.items if item.auto_fact == rule)


def test_the_full_release_asks_for_covered_hours_without_a_breach():
    facts = go_facts()
    short = judge(replace(facts, canary=replace(facts.canary, covered_hours=Decimal(23), outcome="running")))
    assert any("23 of 24 hours" in reason.sentence for reason in short.reasons)
    assert not judge(replace(facts, canary=replace(facts.canary, breaches=1))).go
    assert not judge(replace(facts, canary=None)).go
    assert judge(replace(go_facts(Question.CANARY), canary=None, rates=None)).go


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"owner": None}, ItemState.MISSING),
        ({"evidence": ()}, ItemState.MISSING),
        ({"verified_by": None}, ItemState.WAITING),
        ({"verified_by": ANN}, ItemState.UNKNOWN),
        ({"verified_digests": ()}, ItemState.WAITING),
        ({"verified_digests": (digest("9"),)}, ItemState.WAITING),
        ({"sent_back_reason": "Wrong commit."}, ItemState.SENT_BACK),
        ({"stale_reason": "The prompt changed."}, ItemState.STALE),
        ({"not_applicable_proposed_by": ANN}, ItemState.WAITING),
        (
            {"not_applicable_proposed_by": ANN, "not_applicable_confirmed_by": ANN, "conditional": True},
            ItemState.UNKNOWN,
        ),
        (
            {"not_applicable_proposed_by": ANN, "not_applicable_confirmed_by": BEN, "conditional": False},
            ItemState.UNKNOWN,
        ),
    ],
)
def test_an_item_that_is_not_verified_by_a_second_person_blocks(changes, state):
    item = first_of("evidence")
    facts = with_item(go_facts(Question.CANARY), item.key, **changes)
    verdict = judge(facts)
    assert next(i for i in verdict.items if i.key == item.key).state is state
    assert [reason.where for reason in verdict.reasons] == [f"item:{item.key}"]


def test_not_applicable_takes_two_people_and_a_standard_that_allows_it():
    item = first_of("evidence")
    facts = with_item(
        go_facts(Question.CANARY),
        item.key,
        conditional=True,
        evidence=(),
        not_applicable_reason="No retrieval.",
        not_applicable_proposed_by=ANN,
        not_applicable_confirmed_by=BEN,
    )
    assert judge(facts).go
    assert next(i for i in judge(facts).items if i.key == item.key).state is ItemState.NOT_APPLICABLE


def test_evidence_that_lapses_before_the_planned_promotion_counts_as_lapsed():
    item = first_of("evidence")
    assert item.evidence[0].valid_until is not None
    facts = replace(go_facts(Question.CANARY), planned_promotion=item.evidence[0].valid_until)
    found = {verdict.key: verdict.state for verdict in judge(facts).items}
    assert found[item.key] is ItemState.LAPSED
    assert judge(replace(facts, planned_promotion=item.evidence[0].valid_until - timedelta(seconds=1))).go


def test_standard_and_policy_may_be_superseded_for_fourteen_days():
    for name in ("standard", "policy"):
        young = VersionFact("1", digest("a"), True, NOW - timedelta(days=14) + timedelta(seconds=1))
        old = VersionFact("1", digest("a"), True, NOW - timedelta(days=14))
        assert judge(replace(go_facts(), **{name: young})).go
        assert not judge(replace(go_facts(), **{name: old})).go


def test_operations_can_stop_it():
    facts = go_facts()
    assert codes(replace(facts, budget=None)) != []
    assert "budget-exceeded" in codes(replace(facts, budget=replace(facts.budget, state="exceeded")))
    assert "budget-unknown" in codes(replace(facts, budget=replace(facts.budget, state="no idea")))
    frozen = FreezeFact("1", "Drift.", NOW, None)
    assert codes(replace(facts, freezes=(frozen,))) == ["frozen"]
    assert codes(replace(facts, freezes=(replace(frozen, spares="other"),))) == ["frozen"]
    assert judge(replace(facts, freezes=(replace(frozen, spares=facts.label),))).go
    assert codes(replace(facts, rejections=(RejectionFact("operations", BEN, NOW, "No."),))) == ["rejected"]


@pytest.mark.parametrize("answer", [None, "no", "maybe"])
def test_every_operational_question_wants_a_yes_in_words(answer):
    facts = go_facts()
    first = facts.answers[0]
    assert not judge(replace(facts, answers=(replace(first, answer=answer), *facts.answers[1:]))).go
    assert not judge(replace(facts, answers=(replace(first, text=" "), *facts.answers[1:]))).go


def test_the_rubric_holds_even_where_a_standard_forgets_it():
    rubric = {
        "rollout-plan",
        "evaluation-gate",
        "rollback-tested",
        "canary-clean",
        "schema-validation-rate",
        "cost-per-request",
    }
    facts = go_facts()
    kept = tuple(i for i in facts.items if i.rule not in rubric)
    bare = replace(facts, items=kept, asked_items=tuple(i.key for i in kept))
    assert judge(bare).go
    assert set(codes(replace(bare, plan=None, evaluation=None, drills=(), canary=None, rates=None))) >= rubric


def test_an_unknown_rule_is_not_done():
    item = first_of("auto")
    verdict = judge(with_item(go_facts(Question.CANARY), item.key, rule="vibes"))
    assert next(i for i in verdict.items if i.key == item.key).state is ItemState.UNKNOWN


def test_facts_and_verdict_survive_json_exactly():
    facts = go_facts()
    plain = canonical.plain(facts)
    again = facts_from_json(plain)
    assert canonical.plain(again) == plain
    verdict = judge(facts)
    assert canonical.plain(judge(again)) == canonical.plain(verdict)
    assert verdict_from_json(canonical.plain(verdict)) == verdict


def test_a_gate_that_is_not_here_is_an_error_not_a_pass():
    with pytest.raises(gate.UnknownGate):
        gate.judge(go_facts(), BARS, now=NOW, version=99)


# What can be taken away, at two depths. Facts whose type allows no absence cannot be stored without (see types).
_PRESENT = ("release", "label", "system", "question", "first_release", "planned_promotion", "standard", "policy")
_GOOD_WHEN_EMPTY = ("ownership_gaps", "freezes", "rejections")
_PATHS = [
    *[(field.name,) for field in dataclasses.fields(Facts) if field.name not in _PRESENT + _GOOD_WHEN_EMPTY],
    *[("evaluation", field.name) for field in dataclasses.fields(EvaluationFact)],
]


def without(facts: Facts, path: tuple[str, ...]) -> Facts:
    value = getattr(facts, path[0])
    if len(path) == 1:
        return replace(facts, **{path[0]: () if isinstance(value, tuple) else None})
    if value is None:
        return facts
    empty: Any = {bool: False, str: "", tuple: (), int: 0}.get(type(getattr(value, path[1])))
    return replace(facts, **{path[0]: replace(value, **{path[1]: empty})})


BREAKS: list[dict[str, Any]] = [{"evidence": ()}, {"verified_by": None}, {"owner": None}]


@settings(max_examples=300)
@given(st.data(), st.sampled_from(list(Question)))
def test_taking_facts_away_never_opens_the_gate(data, question):
    """From any facts, whatever is removed: a no stays a no."""
    facts = go_facts(question)
    for item in data.draw(st.lists(st.sampled_from(facts.items), max_size=3)):
        facts = with_item(facts, item.key, **data.draw(st.sampled_from(BREAKS)))
    before = judge(facts).go
    for path in data.draw(st.lists(st.sampled_from(_PATHS), min_size=1, max_size=4)):
        facts = without(facts, path)
    assert before or not judge(facts).go


@pytest.mark.parametrize("path", _PATHS, ids=".".join)
def test_each_fact_is_needed_by_one_question_or_does_not_matter_to_any(path):
    """Removing one fact alone: the full release never goes without it, except for what only informs."""
    informs = {"retained_release", "evaluation.metric", "evaluation.errored", "evaluation.reasons", "evaluation.run",
               "evaluation.baseline_run", "evaluation.raw_digest", "evaluation.tool", "evaluation.delta",
               "evaluation.lower", "evaluation.upper", "evaluation.mismatch"}  # fmt: skip
    assert judge(without(go_facts(), path)).go == (".".join(path) in informs)
