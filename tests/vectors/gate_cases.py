"""What the golden vectors of a gate are made from: facts that go, changed at each bound and each branch of a rule.

`python -m tests.vectors.gate_cases` writes what the present gate says into gate_v1.json, for cases not there yet.
A vector once written is never rewritten: if it no longer holds, a released gate was edited.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from audit import canonical
from releases import gate
from releases.gate.types import Question, Verdict, facts_from_json
from systems.policy import release_bars
from tests.releases.sample_facts import ANN, BEN, EVE, NOW, go_facts

FILE = Path(__file__).parent / "gate_v1.json"
RULES = (
    "prompt-versioned",
    "pins-reviewed",
    "ownership-map-complete",
    "evaluation-stored",
    "baseline-stored",
    "evaluation-gate",
    "schema-validation-rate",
    "source-attribution",
    "request-ids",
    "cost-per-request",
    "budget-guard",
    "alarm-delay",
    "rollout-plan",
    "canary-clean",
    "approved-traffic",
    "artifacts-retained",
    "rollback-tested",
    "incident-simulated",
)


def at(**ago: float) -> Any:
    return canonical.plain(NOW - timedelta(**ago))


def base(question: Question = Question.RELEASE) -> dict[str, Any]:
    """Small facts that go: one item that people verify for each question, and one for each rule."""
    facts: Any = canonical.plain(go_facts(question))
    people = [i for i in facts["items"] if i["verification"] != "auto" and i["question"] == "canary"][:1]
    template = next(i for i in facts["items"] if i["verification"] == "auto" and i["question"] == "canary")
    autos = [template | {"key": f"auto.{name}", "title": name, "rule": name} for name in RULES]
    launch = {"canary-clean", "schema-validation-rate", "source-attribution", "request-ids", "cost-per-request"}
    for item in autos:
        item["question"] = "release" if item["rule"] in launch | {"approved-traffic"} else "canary"
    facts["items"] = [*people, *autos]
    facts["asked_items"] = [item["key"] for item in facts["items"]]
    facts["answers"] = facts["answers"][:2]
    facts["asked_questions"] = facts["asked_questions"][:2]
    return facts


def item(key: str, value: Any) -> dict[str, Any]:
    return {f"items.0.{key}": value}


NOT_APPLICABLE = {
    "items.0.not_applicable_reason": "No retrieval.",
    "items.0.not_applicable_proposed_by": ANN,
    "items.0.not_applicable_confirmed_by": BEN,
    "items.0.conditional": True,
}
FREEZE = {"id": "f", "reason": "Drift", "since": at(days=1), "spares": None}
FIRST = {"first_release": True, "evaluation.score": "0.7", "evaluation.baseline_score": None, "retained_release": None}
EVIDENCE = {"kind": "file", "attached_by": ANN, "attached_at": at(days=1), "valid_until": None}
BUDGET = "budget.worst_alarm_delay_seconds"

# name -> paths to set; "question", "policy" and "now" are of the vector, everything else of the facts.
CASES: dict[str, dict[str, Any]] = {
    "go": {},
    "go-canary": {"question": "canary"},
    # versions
    "standard-not-approved": {"standard.approved": False},
    "standard-without-digest": {"standard.sha256": ""},
    "policy-not-approved": {"policy.approved": False},
    "standard-superseded-just-in-time": {"standard.superseded_at": at(days=13, hours=23, minutes=59, seconds=59)},
    "standard-superseded-14-days": {"standard.superseded_at": at(days=14)},
    "policy-superseded": {"policy.superseded_at": at(days=15)},
    # pins
    "nothing-pinned": {"pins": []},
    "pin-without-version": {"pins.1.version": None},
    "pin-without-digest": {"pins.0.sha256": ""},
    "pin-draft": {"pins.0.state": "draft"},
    "pin-deprecated": {"pins.0.state": "deprecated"},
    "pin-not-reviewed": {"pins.0.reviewed": False},
    "no-prompt": {"pins.0.kind": "sources"},
    "prompt-twice": {"pins.1.kind": "prompt"},
    # the checklist
    "no-items-asked": {"asked_items": [], "items": []},
    "an-item-is-missing": {"asked_items.0": "other.item"},
    "nothing-asked-for-the-canary": {"question": "canary", **{f"items.{n}.question": "release" for n in range(19)}},
    "item-of-neither-question": {"items.0.question": None, "items.0.owner": None},
    "item-of-release-does-not-block-the-canary": {
        "question": "canary", "items.0.question": "release", "items.0.owner": None
    },
    "item-without-owner": item("owner", None),
    "item-sent-back": item("sent_back_reason", "Too short."),
    "item-stale": item("stale_reason", "The prompt changed."),
    "item-without-evidence": item("evidence", []),
    "item-not-verified": item("verified_by", None),
    "item-verified-never": item("verified_at", None),
    "item-verified-other-evidence": item("verified_digests", ["sha256:" + "9" * 64]),
    "item-verified-nothing": item("verified_digests", []),
    "item-verified-less": item("verified_digests", ["sha256:" + "e" * 64, "sha256:" + "9" * 64]),
    "item-verified-by-attacher": item("verified_by", ANN),
    "item-verified-by-one-of-two-attachers": {
        "items.0.evidence": [
            EVIDENCE | {"digest": "sha256:" + "e" * 64},
            EVIDENCE | {"digest": "sha256:" + "f" * 64, "attached_by": BEN},
        ],
        "items.0.verified_digests": ["sha256:" + "e" * 64, "sha256:" + "f" * 64],
    },
    "evidence-attached-by-nobody": {"items.0.evidence.0.attached_by": None},
    "evidence-measured-by-the-product": {
        "items.0.evidence.0.attached_by": None, "items.0.evidence.0.kind": "measurement"
    },
    "evidence-lapses-now": {"items.0.evidence.0.valid_until": canonical.plain(NOW)},
    "evidence-lapses-in-a-second": {"items.0.evidence.0.valid_until": canonical.plain(NOW + timedelta(seconds=1))},
    "evidence-without-end": {"items.0.evidence.0.valid_until": None},
    "evidence-lapses-before-the-promotion": {
        "planned_promotion": canonical.plain(NOW + timedelta(days=1)),
        "items.0.evidence.0.valid_until": canonical.plain(NOW + timedelta(days=1)),
    },
    "promotion-planned-in-the-past": {"planned_promotion": at(days=1), "items.0.evidence.0.valid_until": at(hours=1)},
    "not-applicable": NOT_APPLICABLE,
    "not-applicable-without-reason": NOT_APPLICABLE | {"items.0.not_applicable_reason": None},
    "not-applicable-proposed": NOT_APPLICABLE | {"items.0.not_applicable_confirmed_by": None},
    "not-applicable-by-one": NOT_APPLICABLE | {"items.0.not_applicable_confirmed_by": ANN},
    "not-applicable-by-nobody": NOT_APPLICABLE | {"items.0.not_applicable_proposed_by": None},
    "not-applicable-not-allowed": NOT_APPLICABLE | {"items.0.conditional": False},
    "unknown-rule": {"items.1.rule": "nothing"},
    "no-rule": {"items.1.rule": None},
    # questions
    "no-questions": {"answers": [], "asked_questions": []},
    "question-missing": {"asked_questions.0": "another"},
    "question-unanswered": {"answers.0.answer": None},
    "question-no": {"answers.0.answer": "no"},
    "question-without-words": {"answers.1.text": "  "},
    # the rubric, where the standard forgets it
    "rubric-without-items": {f"items.{n}.verification": "recurring" for n in range(1, 19)},
    "rubric-rule-asked-later": {"question": "canary", "items.13.question": "release", "plan": None},
    "rubric-rule-on-a-manual-item": {"items.13.verification": "evidence", "plan": None},
    "rubric-incident": FIRST | {"items.18.rule": "prompt-versioned", "drills": []},
    "rubric-canary-question": {"question": "canary", "canary": None, "rates": None},
    # operations
    "budget-unknown": {"budget": None},
    "budget-alert": {"budget.state": "alert"},
    "budget-strange": {"budget.state": "unknown"},
    "budget-exceeded": {"budget.state": "exceeded", "budget.spent_usd": "50.50"},
    "frozen": {"freezes": [FREEZE]},
    "frozen-spares-another": {"freezes": [FREEZE | {"spares": "2026.11.9"}]},
    "frozen-spares-this": {"freezes": [FREEZE | {"spares": "2026.11.2"}]},
    "rejected": {"rejections": [{"side": "operations", "by": EVE, "at": at(hours=1), "reason": "Alerts are muted."}]},
    # rules
    "owner-gap": {"ownership_gaps": ["Budget", "Escalation"]},
    "run-missing": {"evaluation": None},
    "run-without-dataset": {"evaluation.dataset_hash": None},
    "run-without-tool-version": {"evaluation.tool_version": ""},
    "run-of-another-dataset": {"evaluation.dataset_matches": False, "evaluation.mismatch": "another dataset."},
    "run-of-other-pins": {"evaluation.pins_match": False, "evaluation.mismatch": "another prompt."},
    "run-pushed": {"evaluation.origin_proven": False},
    "baseline-run-missing": {"evaluation.baseline_run": None},
    "baseline-score-missing": {"evaluation.baseline_score": None},
    "baseline-score-nan": {"evaluation.baseline_score": "NaN"},
    "score-missing": {"evaluation.score": None},
    "score-nan": {"evaluation.score": "NaN"},
    "no-cases": {"evaluation.cases": 0},
    "one-case": {"evaluation.cases": 1},
    "score-just-below": {"evaluation.score": "0.1199"},
    "score-above": {"evaluation.score": "0.13"},
    "lower-bar-met": {"policy": {"eval_bar": "lower"}, "evaluation.lower": "0.02"},
    "lower-bar-missed": {"policy": {"eval_bar": "lower"}, "evaluation.lower": "0.0199"},
    "lower-bar-unknown": {"policy": {"eval_bar": "lower"}, "evaluation.lower": None},
    "lower-bar-nan": {"policy": {"eval_bar": "lower"}, "evaluation.lower": "NaN"},
    "point-bar-forgets-the-lower": {"evaluation.lower": None},
    "inconclusive": {"evaluation.outcome": "inconclusive", "evaluation.reasons": ["Forty more cases."]},
    "judge-failed-it": {"evaluation.outcome": "fail", "evaluation.reasons": ["A critical case failed."]},
    "judge-failed-silently": {"evaluation.outcome": "fail"},
    "judge-errored": {"evaluation.outcome": "error"},
    "first-at-the-bar": FIRST,
    "first-below-the-bar": FIRST | {"evaluation.score": "0.6999"},
    "no-rates": {"rates": None},
    "schema-too-few": {"rates.schema_checked": 299, "rates.schema_valid": 299},
    "schema-just-enough": {"rates.schema_checked": 300, "rates.schema_valid": 297},
    "schema-just-below": {"rates.schema_checked": 1000, "rates.schema_valid": 989},
    "schema-more-valid-than-checked": {"rates.schema_valid": 1001},
    "schema-negative": {"rates.schema_valid": -1},
    "schema-all-valid": {"rates.schema_valid": 1000},
    "schema-none-valid": {"rates.schema_valid": 0},
    "sources-missing-one": {"rates.with_sources": 999},
    "ids-missing-one": {"rates.with_request_id": 999},
    "requests-too-few": {"rates.requests": 299, "rates.cost_known": 299},
    "requests-just-enough": {
        "rates.requests": 300, "rates.cost_known": 300, "rates.with_sources": 300, "rates.with_request_id": 300,
        "rates.schema_checked": 300, "rates.schema_valid": 300, "rates.cost_usd": "0.3",
    },
    "cost-at-the-limit": {"rates.cost_usd": "1.1"},
    "cost-above": {"rates.cost_usd": "1.1001"},
    "cost-known-just-enough": {"rates.cost_known": 950, "rates.cost_usd": "0.95"},
    "cost-known-too-few": {"rates.cost_known": 949, "rates.cost_usd": "0.9"},
    "cost-known-of-more": {"rates.cost_known": 1001},
    "cost-nan": {"rates.cost_usd": "NaN"},
    "cost-baseline-missing": {"rates.baseline_cost_per_request_usd": None},
    "cost-baseline-nan": {"rates.baseline_cost_per_request_usd": "NaN"},
    "cost-baseline-zero": {"rates.baseline_cost_per_request_usd": "0"},
    "cost-baseline-tiny": {"rates.baseline_cost_per_request_usd": "0.0000001"},
    "first-cost-at-the-cap": FIRST | {"policy": {"first_release_cost_cap_usd": "0.001"}, "rates.cost_usd": "1"},
    "first-cost-above-the-cap": FIRST | {"policy": {"first_release_cost_cap_usd": "0.001"}, "rates.cost_usd": "1.01"},
    "no-cap": {"budget.cap_usd": None},
    "no-alert": {"budget.alert_usd": None},
    "no-channel": {"budget.channels": 0},
    "one-channel": {"budget.channels": 1},
    "no-alarm-yet": {BUDGET: None},
    "alarm-in-300": {BUDGET: 300},
    "alarm-in-301": {BUDGET: 301},
    "plan-share-nan": {"plan.share": "NaN"},
    "plan-hours-infinite": {"plan.hours": "Infinity"},
    "plan-errors-nan": {"plan.error_rate_max": "NaN"},
    "cap-nan": {"budget.cap_usd": "NaN"},
    "alert-nan": {"budget.alert_usd": "NaN"},
    "no-plan": {"plan": None},
    "plan-without-source": {"plan.source": None},
    "plan-share-above": {"plan.share": "0.1001"},
    "plan-hours-below": {"plan.hours": "23.9"},
    "plan-errors-looser": {"plan.error_rate_max": "0.0151"},
    "plan-latency-looser": {"plan.p95_ms_max": 2001},
    "plan-stricter": {"plan.share": "0.05", "plan.hours": "48", "plan.error_rate_max": "0.01", "plan.p95_ms_max": 1500},
    "no-canary": {"canary": None},
    "canary-one-breach": {"canary.breaches": 1, "canary.reasons": ["Error rate 0.02."]},
    "canary-failed": {"canary.outcome": "fail"},
    "canary-too-few": {"canary.requests": 299},
    "canary-just-enough": {"canary.requests": 300},
    "canary-hours-below": {"canary.covered_hours": "23.99"},
    "canary-hours-above": {"canary.covered_hours": "24.01"},
    "canary-hours-nan": {"canary.covered_hours": "NaN"},
    "canary-inconclusive": {"canary.outcome": "inconclusive", "canary.reasons": ["A gap."]},
    "canary-running": {"canary.outcome": "running"},
    "traffic-none": {"rates.requests": 0},
    "traffic-one": {"rates.requests": 1},
    "traffic-unapproved": {"rates.unapproved": 1},
    "retained-fallback": {"retained_release": None},
    "retained-nothing": {"retained_release": None, "pins.7.kind": "sources"},
    "retained-fallback-not-pinned": {"retained_release": None, "pins.7.version": None},
    "retained-nothing-first-canary": FIRST | {"question": "canary", "pins.7.kind": "sources"},
    "retained-nothing-first-release": FIRST | {"pins.7.kind": "sources"},
    "retained-nothing-canary": {"question": "canary", "retained_release": None, "pins.7.kind": "sources"},
    "no-drills": {"drills": []},
    "drill-in-the-future": {"drills.0.ended_at": canonical.plain(NOW + timedelta(seconds=1))},
    "drill-just-now": {"drills.0.ended_at": canonical.plain(NOW)},
    "drill-at-the-edge": {"drills.0.ended_at": at(days=90)},
    "drill-too-old": {"drills.0.ended_at": at(days=90, seconds=1)},
    "drill-in-30-minutes": {"drills.0.seconds": 1800},
    "drill-in-30-minutes-and-a-second": {"drills.0.seconds": 1801},
    "drill-latest-counts": {
        "drills": [
            {"kind": "rollback", "id": "a", "ended_at": at(days=9), "seconds": 9000},
            {"kind": "rollback", "id": "b", "ended_at": at(days=3), "seconds": 90},
            {"kind": "incident", "id": "c", "ended_at": at(days=1), "seconds": 9999},
        ]
    },
    "first-without-incident": FIRST | {"drills.1.kind": "runbook"},
    "not-first-without-incident": {"drills.1.kind": "runbook"},
}  # fmt: skip


def facts_of(name: str) -> dict[str, Any]:
    changes = dict(CASES[name])
    facts = base(Question(changes.get("question", "release")))
    for path, value in changes.items():
        if path != "policy":
            target: Any = facts
            *head, last = path.split(".")
            for key in head:
                target = target[int(key)] if isinstance(target, list) else target[key]
            target[int(last) if isinstance(target, list) else last] = value
    return facts


def judged(facts: dict[str, Any], policy: dict[str, Any], now: Any, *, version: int = 1) -> Verdict:
    return gate.judge(facts_from_json(facts), release_bars(policy), now=now, version=version)


def vector(name: str) -> dict[str, Any]:
    """Facts as a patch of the base, and all that the gate says: the digest is over every byte of the verdict."""
    policy = CASES[name].get("policy", {})
    verdict = judged(facts_of(name), policy, NOW)
    return {
        "outcome": verdict.outcome.value,
        "reasons": [f"{reason.code}: {reason.sentence}" for reason in verdict.reasons],
        "digest": canonical.digest(verdict),
    }


def main() -> int:
    kept = json.loads(FILE.read_text()) if FILE.exists() else {}
    added = {name: vector(name) for name in CASES if name not in kept.get("vectors", {})}
    content = {
        "about": "What gate 1 said. Never rewritten: python -m tests.vectors.gate_cases only adds.",
        "now": canonical.plain(NOW),
        "facts": kept.get("facts") or {question.value: base(question) for question in Question},
        "vectors": kept.get("vectors", {}) | added,
    }
    FILE.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(added)} added, {len(content['vectors'])} in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
