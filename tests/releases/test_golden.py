"""The golden vectors of gate 1: what it said once, to the byte, it says for ever."""

import json
from copy import deepcopy
from datetime import datetime
from typing import Any

import pytest

from audit import canonical
from releases import gate
from releases.gate.types import Question, facts_from_json
from systems.policy import release_bars
from tests.releases.sample_facts import NOW
from tests.vectors.gate_cases import CASES, FILE, RULES, base

GOLDEN = json.loads(FILE.read_text())
# Names that read as a bound met; every other vector is a no.
GOES = {name for name, row in GOLDEN["vectors"].items() if row["outcome"] == "go"}


def patched(name: str) -> dict[str, Any]:
    """From the file alone: facts as they were written then, with the vector's changes."""
    changes = CASES[name]
    facts = deepcopy(GOLDEN["facts"][changes.get("question", "release")])
    for path, value in changes.items():
        if path != "policy":
            target: Any = facts
            *head, last = path.split(".")
            for key in head:
                target = target[int(key)] if isinstance(target, list) else target[key]
            target[int(last) if isinstance(target, list) else last] = value
    return facts


@pytest.mark.parametrize("name", list(CASES))
def test_the_gate_says_what_it_said(name: str) -> None:
    now = datetime.fromisoformat(GOLDEN["now"])
    bars = release_bars(CASES[name].get("policy", {}))
    verdict = gate.judge(facts_from_json(patched(name)), bars, now=now, version=1)
    expected = GOLDEN["vectors"][name]
    assert [f"{reason.code}: {reason.sentence}" for reason in verdict.reasons] == expected["reasons"]
    assert (verdict.outcome.value, canonical.digest(verdict)) == (expected["outcome"], expected["digest"])


def test_each_rule_has_its_vectors_on_both_sides() -> None:
    assert len(GOES) > 30 and len(CASES) - len(GOES) > 70
    said = " ".join(reason for row in GOLDEN["vectors"].values() for reason in row["reasons"])
    assert [name for name in RULES if f": {name}: " not in said] == []


@pytest.mark.parametrize("question", list(Question))
def test_what_was_written_is_still_what_the_types_hold(question: Question) -> None:
    assert facts_from_json(GOLDEN["facts"][question.value]) == facts_from_json(base(question))
    assert canonical.plain(NOW) == GOLDEN["now"]


def test_at_each_bound_one_side_goes_and_the_other_does_not() -> None:
    """The pairs that a `<` for a `<=` would swap."""
    met = {
        "standard-superseded-just-in-time", "evidence-lapses-in-a-second", "first-at-the-bar", "one-case",
        "schema-just-enough", "requests-just-enough", "cost-at-the-limit", "cost-known-just-enough", "alarm-in-300",
        "first-cost-at-the-cap", "one-channel", "canary-just-enough", "drill-at-the-edge", "drill-just-now",
        "drill-in-30-minutes", "lower-bar-met", "plan-stricter", "canary-hours-above", "drill-latest-counts",
    }  # fmt: skip
    missed = {
        "standard-superseded-14-days", "evidence-lapses-now", "first-below-the-bar", "no-cases", "schema-too-few",
        "schema-just-below", "requests-too-few", "cost-above", "cost-known-too-few", "alarm-in-301", "no-channel",
        "first-cost-above-the-cap", "canary-too-few", "canary-hours-below", "drill-too-old", "drill-in-the-future",
        "drill-in-30-minutes-and-a-second", "lower-bar-missed", "plan-hours-below", "plan-share-above",
    }  # fmt: skip
    assert met <= GOES
    assert not missed & GOES
