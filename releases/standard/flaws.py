"""What is wrong with the body of a standard: every flaw, each with its place. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

PHASES = ("pre-production", "launch", "post-launch")
QUESTIONS = ("canary", "release", "none")
VERIFICATIONS = ("auto", "evidence", "recurring")
SIDES = ("engineering", "operations")
OWNER_ROLES = ("product", "engineering", "operations", "platform", "privacy", "compliance")
COMPONENT_KINDS = (
    "prompt",
    "input_schema",
    "output_schema",
    "contract",
    "model",
    "dataset",
    "sources",
    "fallback",
    "infrastructure",
    "artifact",
)
CONDITIONS = ("retrieval", "several-consumers", "several-tenants", "regulated-data")

_KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_ITEM_KEY = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*\.[a-z][a-z0-9]*(-[a-z0-9]+)*")
_EVIDENCE = re.compile(r"file|link|record:[a-z]+([.-][a-z]+)*")
_REF = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\.[0-9]+")

# A place in the body: ("items", 3, "phase").
type Where = tuple[str | int, ...]

_FIELDS = {
    "": {"number", "title", "summary", "sections", "items", "questions"},
    "section": {"key", "title"},
    "item": {"key", "title", "phase", "question", "owner_role", "side", "verification", "guidance"},
    "question": {"key", "text", "guidance"},
    "guidance": {"why", "verify", "good"},
}
_MORE_FIELDS = {
    "item": {"auto_fact", "evidence", "validity_days", "depends_on", "conditional", "refs"},
    "question": {"backed_by"},
}
_CHOICES = {
    "phase": PHASES,
    "question": QUESTIONS,
    "owner_role": OWNER_ROLES,
    "side": SIDES,
    "verification": VERIFICATIONS,
}
# Which questions an item of a phase may block.
_BLOCKS = {"pre-production": ("canary",), "launch": ("release",), "post-launch": ("none",)}


def flaws(body: Any) -> Iterator[tuple[Where, str]]:
    top = list(_shape(body, "", ()))
    yield from top
    if top:
        return
    for name in ("number", "title", "summary"):
        yield from _text(body[name], (name,))
    for name in ("sections", "items", "questions"):
        if not isinstance(body[name], list) or not body[name]:
            yield (name,), f"there must be {name}; an empty list asks nothing."
            return
    yield from _sections(body["sections"])
    sections = {section.get("key") for section in body["sections"] if isinstance(section, dict)}
    for index, item in enumerate(body["items"]):
        yield from _item_flaws(item, ("items", index), sections)
    yield from _unique(body["items"], "items")
    keys = {item.get("key") for item in body["items"] if isinstance(item, dict)}
    for index, question in enumerate(body["questions"]):
        yield from _question_flaws(question, ("questions", index), keys)
    yield from _unique(body["questions"], "questions")


def _shape(value: Any, kind: str, where: Where) -> Iterator[tuple[Where, str]]:
    """It is a mapping with every field it needs and none that it does not know."""
    if not isinstance(value, Mapping):
        yield where, f"a {kind or 'standard'} is written as fields and values."
        return
    for name in sorted(_FIELDS[kind] - set(value)):
        yield where, f"{name} is missing."
    for name in sorted(set(value) - _FIELDS[kind] - _MORE_FIELDS.get(kind, set())):
        yield (*where, name), f"{name} is not a field of a {kind or 'standard'}."


def _text(value: Any, where: Where) -> Iterator[tuple[Where, str]]:
    if not isinstance(value, str) or not value.strip():
        yield where, f"{where[-1]} must be text."


def _unique(rows: list[Any], name: str) -> Iterator[tuple[Where, str]]:
    seen: set[str] = set()
    for index, row in enumerate(rows):
        key = row.get("key") if isinstance(row, Mapping) else None
        if isinstance(key, str) and key in seen:
            yield (name, index, "key"), f"the key {key} is used twice."
        elif isinstance(key, str):
            seen.add(key)


def _sections(sections: list[Any]) -> Iterator[tuple[Where, str]]:
    for index, section in enumerate(sections):
        where = ("sections", index)
        bad = list(_shape(section, "section", where))
        yield from bad
        if bad:
            continue
        yield from _text(section["title"], (*where, "title"))
        if not isinstance(section["key"], str) or not _KEY.fullmatch(section["key"]):
            yield (*where, "key"), "a key has lower-case words joined by dashes."
    yield from _unique(sections, "sections")


def _item_flaws(item: Any, where: Where, sections: set[Any]) -> Iterator[tuple[Where, str]]:
    bad = list(_shape(item, "item", where))
    yield from bad
    if bad:
        return
    key = item["key"]
    if not isinstance(key, str) or not _ITEM_KEY.fullmatch(key):
        yield (*where, "key"), "an item's key is its section, a dot, and words joined by dashes."
    elif key.partition(".")[0] not in sections:
        yield (*where, "key"), f"there is no section {key.partition('.')[0]}."
    yield from _text(item["title"], (*where, "title"))
    for name, choices in _CHOICES.items():
        if item[name] not in choices:
            yield (*where, name), f"{name} is one of {', '.join(choices)}."
    if item["phase"] in _BLOCKS and item["question"] in QUESTIONS and item["question"] not in _BLOCKS[item["phase"]]:
        yield (*where, "question"), f"an item of {item['phase']} blocks {_BLOCKS[item['phase']][0]}."
    yield from _lists(item, where)
    yield from _verification(item, where)
    if item.get("conditional") is not None and item["conditional"] not in CONDITIONS:
        yield (*where, "conditional"), f"conditional is one of {', '.join(CONDITIONS)}, or left out."
    bad = list(_shape(item["guidance"], "guidance", (*where, "guidance")))
    yield from bad
    if not bad:
        for name, text in item["guidance"].items():
            yield from _text(text, (*where, "guidance", name))


def _lists(item: Mapping[str, Any], where: Where) -> Iterator[tuple[Where, str]]:
    for name in ("evidence", "depends_on", "refs"):
        values = item.get(name, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            yield (*where, name), f"{name} is a list of words."
            continue
        for value in values:
            if name == "evidence" and not _EVIDENCE.fullmatch(value):
                yield (*where, name), f"evidence is file, link or record:<type>, not {value}."
            if name == "depends_on" and value not in COMPONENT_KINDS:
                yield (*where, name), f"{value} is not a kind of component."
            if name == "refs" and not _REF.fullmatch(value):
                yield (*where, name), f"a reference is a section and a number, such as step-1.2, not {value}."


def _verification(item: Mapping[str, Any], where: Where) -> Iterator[tuple[Where, str]]:
    """Auto items name a rule and take no evidence; the others take evidence; recurring ones lapse."""
    days = item.get("validity_days")
    if item["verification"] == "auto":
        if not isinstance(item.get("auto_fact"), str) or not _KEY.fullmatch(item["auto_fact"]):
            yield where, "an auto item names the rule that decides it, in auto_fact."
        if item.get("evidence"):
            yield (*where, "evidence"), "an auto item takes no evidence: its rule decides."
    elif item["verification"] in VERIFICATIONS:
        if item.get("auto_fact") is not None:
            yield (*where, "auto_fact"), "only an auto item has a rule."
        if not item.get("evidence"):
            yield where, "say which evidence is accepted."
    if item["verification"] == "recurring":
        if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= 3660:
            yield where, "a recurring item lapses: write validity_days, 1 to 3660."
    elif days is not None:
        yield (*where, "validity_days"), "only a recurring item lapses by itself."


def _question_flaws(question: Any, where: Where, items: set[Any]) -> Iterator[tuple[Where, str]]:
    bad = list(_shape(question, "question", where))
    yield from bad
    if bad:
        return
    if not isinstance(question["key"], str) or not _KEY.fullmatch(question["key"]):
        yield (*where, "key"), "a key has lower-case words joined by dashes."
    for name in ("text", "guidance"):
        yield from _text(question[name], (*where, name))
    backed_by = question.get("backed_by", [])
    if not isinstance(backed_by, list) or any(key not in items for key in backed_by):
        yield (*where, "backed_by"), "backed_by lists keys of items of this standard."
