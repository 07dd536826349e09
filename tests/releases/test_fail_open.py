"""Ways in which other gates were found to say yes: each tried here, by what those systems' users reported.

The list is that of our study of the field; each case names where it was seen. All must be no.
"""

import json
from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from audit import canonical
from releases import gate
from releases.gate import types
from releases.gate.clearance import missing_signatures
from releases.gate.types import Facts, ItemFact, Question, SignatureFact, facts_from_json
from systems.policy import PolicyError, ReleaseBars, release_bars
from tests.releases.sample_facts import ANN, BEN, NOW, digest, go_facts

BARS = ReleaseBars()


def go(facts: Facts, *, now: Any = NOW) -> bool:
    return gate.judge(facts, BARS, now=now).go


def canary(**changes: Any) -> Facts:
    facts = go_facts()
    assert facts.canary
    return replace(facts, canary=replace(facts.canary, **changes))


def evaluation(**changes: Any) -> Facts:
    facts = go_facts()
    assert facts.evaluation
    return replace(facts, evaluation=replace(facts.evaluation, **changes))


def rates(**changes: Any) -> Facts:
    facts = go_facts()
    assert facts.rates
    return replace(facts, rates=replace(facts.rates, **changes))


def items(change: Callable[[ItemFact], ItemFact]) -> Facts:
    facts = go_facts()
    return replace(facts, items=tuple(change(item) for item in facts.items))


def by_hand(item: ItemFact, **changes: Any) -> ItemFact:
    return item if item.verification == "auto" else replace(item, **changes)


NAN = Decimal("NaN")
CASES: list[tuple[str, Facts]] = [
    ("argo 4479: every measurement errored, and the run was successful", canary(outcome="inconclusive", requests=0)),
    ("argo 1329: terminated early counts as successful", canary(state="ended", covered_hours=Decimal("0.5"))),
    ("argo 1466: an empty result is a success", canary(requests=0, outcome="", covered_hours=Decimal(0))),
    ("argo: neither condition given is successful", canary(outcome="undecided")),
    ("argo: a run that was never made", replace(go_facts(), canary=None)),
    ("kayenta 326: a group without data scores 100", replace(go_facts(), rates=None)),
    ("kayenta: NaN is removed before judging", evaluation(score=NAN)),
    ("kayenta: NaN of the baseline is removed", evaluation(baseline_score=NAN)),
    ("kayenta: NaN is replaced by zero cost", rates(cost_usd=NAN)),
    ("kayenta: a metric that errored loses its weight", evaluation(outcome="error", reasons=("The judge failed.",))),
    ("kayenta: no minimum sample", rates(requests=1, schema_checked=1, schema_valid=1, with_sources=1, cost_known=1)),
    ("kayenta: zero mean of the baseline is ignored", rates(baseline_cost_per_request_usd=Decimal(0))),
    ("datadog: NO_DATA passes", rates(requests=0, schema_checked=0, schema_valid=0, cost_known=0)),
    ("deepeval, promptfoo: no cases, no failures", evaluation(cases=0)),
    ("langfuse: a missing evaluator is skipped", replace(go_facts(), evaluation=None)),
    ("langfuse: a run of other prompts counts", evaluation(pins_match=False, mismatch="another prompt")),
    ("mlflow 24742: whoever pushes a result is believed", evaluation(origin_proven=False)),
    ("ciso-assistant, verifywise 4587: an expiry that nothing reads", items(
        lambda item: by_hand(item, evidence=tuple(replace(e, valid_until=NOW) for e in item.evidence))
    )),
    ("ciso-assistant 4789: evidence changed after it was approved", items(
        lambda item: by_hand(item, verified_digests=(digest("9"),))
    )),
    ("github 825, otterdog 680: self-review", items(
        lambda item: by_hand(item, evidence=tuple(replace(e, attached_by=BEN) for e in item.evidence))
    )),
    ("kosli: compliant by default", items(lambda item: by_hand(item, evidence=(), verified_digests=()))),
    ("kosli: the template was replaced for this trail", replace(go_facts(), asked_items=("one.item",))),
    ("kosli: an empty template", replace(go_facts(), asked_items=(), items=())),
    ("kosli: a waiver by one person", items(
        lambda item: replace(item, not_applicable_proposed_by=ANN, not_applicable_confirmed_by=ANN)
    )),
    ("cortex: a waiver where the rule allows none", items(
        lambda item: replace(
            item, conditional=False, not_applicable_proposed_by=ANN, not_applicable_confirmed_by=BEN
        )
    )),
    ("servicenow: no decision matched, so it is skipped", items(
        lambda item: replace(item, rule="unheard-of") if item.verification == "auto" else item
    )),
    ("cost tools: an unknown spend is no spend", replace(go_facts(), budget=None)),
    ("cost tools: a state nobody knows", replace(go_facts(), budget=replace(go_facts().budget, state=""))),  # type: ignore[type-var]
    ("octopus 9173: a freeze that spares whoever asks", replace(
        go_facts(), freezes=(types.FreezeFact("f", "Drift", NOW, ""),)
    )),
]  # fmt: skip


@pytest.mark.parametrize("facts", [facts for _, facts in CASES], ids=[name for name, _ in CASES])
def test_what_opened_other_gates_does_not_open_this_one(facts: Facts) -> None:
    assert go(go_facts())
    assert not go(facts)


@pytest.mark.parametrize("attached_by", [None, BEN])
def test_one_piece_of_several_that_nobody_else_attached_is_enough(attached_by: Any) -> None:
    """github 825 again: a second piece, by somebody else, hides no self-review."""

    def add(item: ItemFact) -> ItemFact:
        if item.verification == "auto":
            return item
        more = replace(item.evidence[0], kind="file", digest=digest("8"), attached_by=attached_by)
        return replace(item, evidence=(*item.evidence, more), verified_digests=(*item.verified_digests, more.digest))

    assert not go(items(add))


@pytest.mark.parametrize("question", list(Question))
def test_silence_is_never_consent_however_long(question: Question) -> None:
    """agentic-qe 673: the gate approved itself after 300 seconds. Time alone opens nothing, and closes what lapses."""
    facts = replace(go_facts(question), drills=())
    assert not any(go(facts, now=NOW + timedelta(minutes=n)) for n in (0, 5, 6, 60, 60 * 24 * 400))
    verdict = gate.judge(go_facts(question), BARS, now=NOW)
    assert missing_signatures(verdict, (), state_digest=digest("a"), bars=BARS)


def test_no_fact_has_a_default_that_could_stand_for_it() -> None:
    """kosli: `--compliant` is true unless said otherwise. Here what is left out cannot even be read."""
    for name in dir(types):
        kind = getattr(types, name)
        if name.endswith("Fact") or name == "Facts":
            assert [f.name for f in fields(kind) if f.default is not MISSING] == [], name
    whole: Any = canonical.plain(go_facts())
    for key in whole:
        less = json.loads(json.dumps(whole))
        del less[key]
        with pytest.raises(msgspec.ValidationError, match=key):
            facts_from_json(less)


def test_an_approval_does_not_move_to_another_state() -> None:
    """phoenix 3769 on GitHub: a force-push re-attached an approval to a new head."""
    verdict = gate.judge(go_facts(), BARS, now=NOW)
    rows = [
        SignatureFact(side, who, digest("a"), NOW, "passkey", False, True, False)
        for side, who in (("engineering", ANN), ("operations", BEN))
    ]
    assert not missing_signatures(verdict, rows, state_digest=digest("a"), bars=BARS)
    assert len(missing_signatures(verdict, rows, state_digest=digest("b"), bars=BARS)) == 2


def test_a_limit_cannot_be_switched_off() -> None:
    """argo: `failureLimit: -1` disables the judge. A policy that says so is refused, and so is one it cannot read."""
    for body in ({"failure_limit": -1}, {"min_requests": 0}, {"coverage": "0"}, {"eval_min_score": "NaN"}, {"off": 1}):
        with pytest.raises(PolicyError):
            release_bars(body)


def test_a_float_is_no_decimal() -> None:
    """Decimals are text in stored facts. Found by the million: a score that was spoiled to 1.5 passed its bar."""
    facts: Any = canonical.plain(go_facts())
    facts["evaluation"]["score"] = 1.5
    with pytest.raises(msgspec.ValidationError, match="float"):
        facts_from_json(facts)
