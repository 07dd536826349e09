"""Taking away or spoiling what the gate is told: python -m tests.releases.monotonic CASES [SEED]

From facts that block, one to three inputs are deleted or made unreadable. The answer may be no-go or a refusal to read
the facts; a go is a fault. A bounded run is in CI; the long one does a million.

Whatever is spoiled gets the values of SPOILED, empty fields too: a text where a person, a digest or a number belongs is
none. Left out are fields whose emptiness is itself a statement (`SAYS_BY_ABSENCE`: no freeze, not sent back, no end):
there "nothing" is an answer and not a gap. That those are gathered afresh from tables that always answer is tested
elsewhere.
"""

import random
import sys
import time
from collections.abc import Iterator
from copy import copy, deepcopy
from typing import Any

import msgspec

from audit import canonical
from releases import gate
from releases.gate.types import Question, facts_from_json
from systems.policy import ReleaseBars
from tests.releases.sample_facts import ANN, BEN, EVE, NOW, go_facts

BARS = ReleaseBars()
# None of these is a value that a healthy source gives.
SPOILED: tuple[Any, ...] = (
    None,
    "",
    "NaN",
    "Infinity",
    "-Infinity",
    "unknown",
    "yes please",
    [],
    {},
    False,
    1.5,
    "\x00",
)
SAYS_BY_ABSENCE = {
    "ownership_gaps",
    "freezes",
    "rejections",
    "superseded_at",
    "sent_back_reason",
    "stale_reason",
    "valid_until",  # evidence without an end
    "question",  # of an item: none, so it blocks neither; comes from the published standard
    "first_release",  # decides which bars apply; comes from whether any release was ever live
}
# What makes each start block, at a place where the spoiling that follows may land as well.
BREAKS: tuple[tuple[tuple[str | int, ...], Any], ...] = (
    (("evaluation", "score"), "0.05"),
    (("evaluation", "outcome"), "fail"),
    (("evaluation", "dataset_matches"), False),
    (("evaluation", "origin_proven"), False),
    (("rates", "schema_valid"), 900),
    (("rates", "with_sources"), 999),
    (("rates", "requests"), 5),
    (("rates", "cost_usd"), "9"),
    (("budget", "state"), "exceeded"),
    (("budget", "channels"), 0),
    (("canary", "covered_hours"), "23.9"),
    (("canary", "breaches"), 1),
    (("canary", "outcome"), "inconclusive"),
    (("plan",), None),
    (("drills",), []),
    (("freezes",), [{"id": "f", "reason": "Drift", "since": canonical.plain(NOW), "spares": None}]),
    (("rejections",), [{"side": "operations", "by": EVE, "at": canonical.plain(NOW), "reason": "No."}]),
    (("ownership_gaps",), ["Budget"]),
    (("standard", "approved"), False),
    (("policy", "sha256"), ""),
    (("answers", 0, "answer"), None),
    (("pins", 0, "version"), None),
    (("pins", 0, "sha256"), None),
    (("pins", 0, "state"), None),
    (("plan", "source"), None),
    (("plan", "share"), "0.5"),
)
# What makes an item block that people verify.
ITEM_BREAKS: tuple[dict[str, Any], ...] = (
    {"evidence": []},
    {"verified_by": None},
    {"verified_by": ANN},  # who attached it
    {"verified_at": None},
    {"verified_digests": []},
    {"owner": None},
    {"not_applicable_proposed_by": BEN},
    {"not_applicable_proposed_by": BEN, "not_applicable_confirmed_by": BEN, "conditional": True},
    {"not_applicable_proposed_by": ANN, "not_applicable_confirmed_by": BEN, "conditional": False},
)


def starts() -> list[dict[str, Any]]:
    """Facts that block, each for one reason, for both questions where both ask."""
    found = []
    for question in Question:
        whole: Any = canonical.plain(go_facts(question))
        for path, value in BREAKS:
            facts = deepcopy(whole)
            _set(facts, path, value)
            found.append(facts)
        for change in ITEM_BREAKS:
            facts = deepcopy(whole)
            item = next(i for i in facts["items"] if i["verification"] != "auto" and i["question"] == "canary")
            # Taking back a proposal brings back the item as it was before: so that, too, has to block.
            item |= ({"evidence": []} if "not_applicable_proposed_by" in change else {}) | change
            found.append(facts)
    return [facts for facts in found if not goes(facts)]


def goes(facts: dict[str, Any]) -> bool:
    """Whether the gate says go. Facts that cannot be read let nothing through."""
    try:
        return gate.judge(facts_from_json(facts), BARS, now=NOW).go
    except msgspec.ValidationError:
        return False


def paths(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if key not in SAYS_BY_ABSENCE or (key == "question" and here == ()):
            yield (*here, key)
            yield from paths(inner, (*here, key))


def spoil(facts: Any, path: tuple[Any, ...], value: Any, *, delete: bool) -> Any:
    """The facts with that place changed; only what lies on the way is copied. Unchanged where the place is gone."""
    key, rest = path[0], path[1:]
    try:
        inner = facts[key]
    except (KeyError, IndexError, TypeError):
        return facts
    if rest and not isinstance(inner, dict | list):
        return facts
    changed = copy(facts)
    if rest:
        changed[key] = spoil(inner, rest, value, delete=delete)
    elif delete:
        del changed[key]
    else:
        changed[key] = value
    return changed


def _set(facts: Any, path: tuple[str | int, ...], value: Any) -> None:
    for key in path[:-1]:
        facts = facts[key]
    facts[path[-1]] = value


def run(cases: int, *, seed: int) -> tuple[int, list[str]]:
    """How many still blocked without being refused as unreadable, and what opened the gate."""
    chance = random.Random(seed)
    blocked = starts()
    places = [list(paths(facts)) for facts in blocked]
    read, opened = 0, []
    for _ in range(cases):
        number = chance.randrange(len(blocked))
        facts: Any = blocked[number]
        done = []
        for _ in range(chance.randint(1, 3)):
            path, value = chance.choice(places[number]), chance.choice(SPOILED)
            delete = chance.random() < 0.4
            facts = spoil(facts, path, value, delete=delete)
            done.append(f"{'.'.join(map(str, path))} {'deleted' if delete else value!r}")
        try:
            verdict = gate.judge(facts_from_json(facts), BARS, now=NOW)
        except msgspec.ValidationError:
            continue
        read += 1
        if verdict.go:
            opened.append("; ".join(done))
    return read, opened


def main() -> int:
    cases, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 13
    began = time.monotonic()
    read, opened = run(cases, seed=seed)
    for line in opened[:20]:
        print(f"OPENED by {line}")
    print(f"{cases:,} cases, {read:,} of them judged, {len(opened)} opened the gate, {time.monotonic() - began:.0f} s")
    return int(bool(opened))


if __name__ == "__main__":
    sys.exit(main())
