"""The release review: what the article's template asks of each release, filled from a decision's facts. Pure.

A value of None is a gap, and is shown as one.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from releases.gate.rules_v1 import percent, shown
from releases.gate.types import Facts, ItemVerdict, PinFact

SECTIONS = {"platform": "Security", "privacy": "Privacy", "compliance": "Regulated data"}


@dataclass(frozen=True)
class Row:
    name: str
    value: str | None


def review(facts: Facts) -> tuple[Row, ...]:
    """Release id, prompt version, dataset hash, evaluation score, canary result, rollback tested, in that order."""
    return (
        Row("Release", f"{facts.system} {facts.label}"),
        Row("Release id", facts.release),
        Row("Prompt version", _versions(pin for pin in facts.pins if pin.kind == "prompt")),
        Row("Model", _versions(pin for pin in facts.pins if pin.kind == "model")),
        Row("Dataset hash", ", ".join(p.sha256 for p in facts.pins if p.kind == "dataset" and p.sha256) or None),
        Row("Evaluation score", _score(facts)),
        Row("Schema validation", _schema(facts)),
        Row("Canary result", _canary(facts)),
        Row("Rollback tested", _drill(facts, "rollback")),
        Row("Incident rehearsed", _drill(facts, "incident")),
        Row(
            "Rolls back to",
            facts.retained_release or ("the fallback" if facts.first_release else None),
        ),
        Row("Budget alarm", _alarm(facts)),
    )


def section_items(facts: Facts, verdicts: Iterable[ItemVerdict], role: str) -> list[tuple[str, str]]:
    """Title and state of the items that one of the sections' owners answers for."""
    states = {found.key: found.state.value for found in verdicts}
    return [(item.title, states.get(item.key, "unknown")) for item in facts.items if item.owner_role == role]


def _versions(pins: Iterable[PinFact]) -> str | None:
    return ", ".join(f"{pin.component} {pin.version}" for pin in pins if pin.version is not None) or None


def _score(facts: Facts) -> str | None:
    run = facts.evaluation
    if run is None or run.score is None:
        return None
    against = f" against {shown(run.baseline_score)}" if run.baseline_score is not None else ""
    return f"{shown(run.score)}{against} ({run.metric}, {run.cases} cases): {run.outcome}"


def _schema(facts: Facts) -> str | None:
    rates = facts.rates
    if rates is None or rates.schema_checked < 1:
        return None
    return f"{percent(Decimal(rates.schema_valid) / Decimal(rates.schema_checked))} of {rates.schema_checked} requests"


def _canary(facts: Facts) -> str | None:
    canary = facts.canary
    if canary is None:
        return None
    hours = f"{shown(canary.covered_hours)} covered hours"
    return f"{canary.outcome}: {hours}, {canary.requests} requests, {canary.breaches} breaches"


def _drill(facts: Facts, kind: str) -> str | None:
    for drill in facts.drills:
        if drill.kind == kind:
            return f"{drill.ended_at:%Y-%m-%d}, {drill.seconds // 60} min {drill.seconds % 60} s measured"
    return None


def _alarm(facts: Facts) -> str | None:
    budget = facts.budget
    if budget is None or budget.alert_usd is None or budget.channels < 1:
        return None
    return f"at {shown(budget.alert_usd)} of {shown(budget.cap_usd)} USD a day, {budget.channels} channels"
