"""The shipped standard: complete against the article it rests on, and read without mercy."""

from collections import Counter
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from accounts.roles import Role
from releases.gate.rules_v1 import RULES
from releases.standard import flaws
from releases.standard.load import SHIPPED, ItemDef, StandardDef, StandardError, parse, read, shipped
from systems.kinds import Kind
from systems.policy import ReleaseBars, RunningLimits

ARTICLE_MAP = yaml.safe_load(Path(SHIPPED).with_name("article_map.yaml").read_text())

# Statements of the article, counted by hand, section by section: a bullet, a setting, a validation line, a demand.
STATEMENTS = {
    "concepts": 3, "architecture": 5, "review": 3, "step-1": 5, "step-2": 3, "step-3": 5, "step-4": 5, "step-5": 4,
    "step-6": 4, "step-7": 4, "phase-pre-production": 4, "phase-launch": 4, "phase-post-launch": 4,
    "data-and-context": 4, "model-runtime": 4, "observability": 4, "release-and-rollback": 4, "rubric": 4,
    "evidence-required": 5, "operational-questions": 12, "audit-trail": 4, "compliance": 5, "condensed": 17,
    "sign-off": 4, "change-management": 5, "post-launch-review": 4, "risk-register": 4, "review-cadence": 4,
    "runbook-contents": 4, "training-and-access": 3, "degradation": 6, "dashboard-minimums": 4, "evidence-bundle": 5,
    "review-template": 7, "objectives": 4, "budgeting-model": 4, "ownership-map": 4, "data-and-privacy": 4,
    "model-behaviour": 4, "operational-ownership": 4, "common-mistakes": 3, "testing": 3, "trade-offs": 3,
    "production-checklist": 7, "final-notes": 5,
}  # fmt: skip


@pytest.fixture(scope="module")
def standard() -> StandardDef:
    return parse(shipped()[1])


def targets() -> list[tuple[str, str]]:
    """(reference, target) for every line of the map."""
    return [
        (f"{section['section']}.{ordinal}", target)
        for section in ARTICLE_MAP["sections"]
        for ordinal, found in section["map"].items()
        for target in found
    ]


def test_every_section_is_mapped_with_every_statement() -> None:
    mapped = {section["section"]: section for section in ARTICLE_MAP["sections"]}
    assert len(mapped) == len(ARTICLE_MAP["sections"])
    assert {name: section["count"] for name, section in mapped.items()} == STATEMENTS
    for name, section in mapped.items():
        assert list(section["map"]) == list(range(1, section["count"] + 1)), name
        assert all(found for found in section["map"].values()), name


def test_every_target_of_the_map_exists(standard: StandardDef) -> None:
    known = {item.key for item in standard.items}
    known |= {f"question:{question.key}" for question in standard.questions}
    known |= {f"policy:{field.name}" for part in (ReleaseBars, RunningLimits) for field in fields(part)}
    known |= {f"rule:{name}" for name in RULES}
    known |= {f"built-in:{name}" for name in ARTICLE_MAP["built_in"]}
    assert {target for _, target in targets()} <= known
    used = {target.removeprefix("built-in:") for _, target in targets() if target.startswith("built-in:")}
    assert used == set(ARTICLE_MAP["built_in"])


def test_every_item_and_question_comes_from_the_article_and_says_where(standard: StandardDef) -> None:
    found: dict[str, list[str]] = {}
    for reference, target in targets():
        found.setdefault(target, []).append(reference)
    for item in standard.items:
        assert list(item.refs) == found.get(item.key), item.key
    assert {f"question:{question.key}" for question in standard.questions} <= set(found)
    assert len(standard.questions) == 10
    assert ARTICLE_MAP["standard"] == standard.number


def test_automatic_items_name_rules_that_the_gate_has(standard: StandardDef) -> None:
    automatic = [item for item in standard.items if item.verification == "auto"]
    assert {item.auto_fact for item in automatic} <= set(RULES)
    rules = Counter(item.auto_fact for item in automatic)
    assert max(rules.values()) == 1, "two items decided by one rule are one item"


def test_what_the_rubric_blocks_is_asked_at_its_question(standard: StandardDef) -> None:
    asked = {item.auto_fact: item.question for item in standard.items if item.auto_fact}
    assert asked["evaluation-gate"] == "canary"
    assert asked["rollback-tested"] == "canary"
    assert asked["schema-validation-rate"] == "release"
    assert asked["cost-per-request"] == "release"
    assert asked["canary-clean"] == "release"


def test_no_item_after_launch_blocks_its_own_release(standard: StandardDef) -> None:
    after = [item for item in standard.items if item.phase == "post-launch"]
    assert after
    assert all(item.question is None for item in after)
    assert all(item.question for item in standard.items if item.phase != "post-launch")


def test_the_two_signing_sides_own_what_the_article_gives_them(standard: StandardDef) -> None:
    """Engineering answers for correctness and evaluation, operations for monitoring, alerts and rollback."""

    def sides(section: str) -> set[str]:
        return {item.side for item in standard.items if item.section == section}

    assert sides("evaluation") == sides("contracts") == {"engineering"}
    assert sides("observability") == sides("incidents") == {"operations"}
    assert standard.item("rollout.rollback-drill").side == "operations"


def test_words_of_the_standard_are_words_of_the_product(standard: StandardDef) -> None:
    assert set(flaws.COMPONENT_KINDS) == set(Kind.values)
    assert set(flaws.OWNER_ROLES) <= set(Role.values)
    assert {item.section for item in standard.items} == {section.key for section in standard.sections}


def test_guidance_is_there_and_short(standard: StandardDef) -> None:
    for item in standard.items:
        for text in (item.guidance.why, item.guidance.verify, item.guidance.good):
            assert 15 <= len(text) <= 220, item.key
            assert text.endswith((".", "?")), item.key
        assert len(item.title) <= 80, item.key


def one_item(**change: object) -> str:
    item: dict[str, object] = {
        "key": "a.b", "title": "T", "phase": "pre-production", "question": "canary", "owner_role": "product",
        "side": "engineering", "verification": "evidence", "evidence": ["file"],
        "guidance": {"why": "W.", "verify": "V.", "good": "G."},
    }  # fmt: skip
    item |= change
    body = {
        "number": "9",
        "title": "T",
        "summary": "S",
        "sections": [{"key": "a", "title": "A"}],
        "items": [{name: value for name, value in item.items() if value is not None}],
        "questions": [{"key": "q", "text": "Q?", "guidance": "G"}],
    }
    return yaml.safe_dump(body, sort_keys=False)


def test_a_written_standard_comes_back_as_it_was() -> None:
    body = read(one_item())
    assert parse(body) == parse(read(yaml.safe_dump(body, sort_keys=False)))
    item = parse(body).item("a.b")
    assert isinstance(item, ItemDef)
    assert (item.question, item.evidence, item.conditional) == ("canary", ("file",), None)
    with pytest.raises(KeyError):
        parse(body).item("a.c")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"phase": "someday"}, "phase is one of"),
        ({"question": "release"}, "an item of pre-production blocks canary"),
        ({"phase": "post-launch"}, "an item of post-launch blocks none"),
        ({"key": "b.c"}, "there is no section b"),
        ({"key": "nodot"}, "an item's key is its section"),
        ({"evidence": None}, "say which evidence is accepted"),
        ({"evidence": ["video"]}, "not video"),
        ({"verification": "auto"}, "names the rule"),
        ({"auto_fact": "evaluation-gate"}, "only an auto item has a rule"),
        ({"verification": "recurring"}, "write validity_days"),
        ({"validity_days": 3}, "only a recurring item lapses"),
        ({"depends_on": ["weather"]}, "weather is not a kind"),
        ({"conditional": "on-sundays"}, "conditional is one of"),
        ({"guidance": {"why": "W"}}, "good is missing"),
        ({"guidance": "read the docs"}, "a guidance is written as fields"),
        ({"title": None}, "title is missing"),
        ({"colour": "red"}, "colour is not a field"),
    ],
)
def test_flaws_are_named_with_their_line(change: dict[str, object], reason: str) -> None:
    with pytest.raises(StandardError) as refused:
        read(one_item(**change))
    assert any(found.startswith("Line ") and reason in found for found in refused.value.reasons), refused.value.reasons


def test_the_line_is_the_line() -> None:
    text = one_item(phase="someday")
    line = text.splitlines().index("  phase: someday") + 1
    with pytest.raises(StandardError, match=f"^Line {line}: phase"):
        read(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing in it"),
        ("a: [", "Line 1: this is not YAML"),
        ("number: '1'\nnumber: '2'", "Line 2: number is given twice"),
        ("number: 2026.1", 'put 2026.1 in quotes: "2026.1"'),
        ("a: &x [1]\nb: *x", "Line 2: aliases are not read here"),
        ("a: !!python/object:os.system x", "the tag"),
        ("- just\n- a list", "a standard is written as fields"),
        ("[" * 5000, "not YAML"),
    ],
)
def test_hostile_or_broken_yaml_is_refused(text: str, reason: str) -> None:
    with pytest.raises(StandardError) as refused:
        read(text)
    assert any(reason in found for found in refused.value.reasons), refused.value.reasons


def test_an_empty_standard_asks_nothing_and_is_refused() -> None:
    body = read(one_item())
    with pytest.raises(StandardError, match="an empty list asks nothing"):
        parse({**body, "items": []})
    twice = {**body, "items": [body["items"][0], body["items"][0]]}
    with pytest.raises(StandardError, match=r"a\.b is used twice"):
        parse(twice)
