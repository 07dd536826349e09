"""Two standards beside each other: what is new, gone or different, and what the later one asks less. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from releases.standard.load import ItemDef, StandardDef

# What an item asks, as against how it is put: another value here, and what was verified has to be looked at again.
_SUBSTANCE = ("question", "verification", "auto_fact", "evidence", "validity_days", "depends_on", "conditional")
_STRENGTH = {"auto": 2, "recurring": 1, "evidence": 0}
# How a reader would call what an item's fields say.
_CALLED = {
    "phase": "phase",
    "question": "blocks",
    "owner_role": "owned by",
    "side": "signed for by",
    "verification": "verified by",
    "auto_fact": "measured by the rule",
    "evidence": "takes",
    "validity_days": "lapses after days",
    "depends_on": "stale with a change of",
    "conditional": "applies only with",
    "guidance.why": "why it matters",
    "guidance.verify": "how to verify it",
    "guidance.good": "good evidence",
}
_LATER = {"canary": 0, "release": 1, None: 2}


@dataclass(frozen=True)
class Change:
    key: str
    title: str
    fields: tuple[tuple[str, str, str], ...]  # name, before, after

    @property
    def lines(self) -> tuple[tuple[str, str, str], ...]:
        """Its fields in the words of a reader."""
        return tuple((_CALLED.get(name, name), before, after) for name, before, after in self.fields)

    @property
    def asks_otherwise(self) -> bool:
        return any(name in (*_SUBSTANCE, "guidance.verify") for name, _, _ in self.fields)


@dataclass(frozen=True)
class Differences:
    added: tuple[ItemDef, ...]
    removed: tuple[ItemDef, ...]
    changed: tuple[Change, ...]
    questions: tuple[str, ...]  # sentences

    @property
    def none(self) -> bool:
        return not (self.added or self.removed or self.changed or self.questions)


def differences(old: StandardDef, new: StandardDef) -> Differences:
    before, after = ({item.key: item for item in one.items} for one in (old, new))
    changed = []
    for key in before.keys() & after.keys():
        if found := tuple(_fields(before[key], after[key])):
            changed.append(Change(key, after[key].title, found))
    return Differences(
        added=tuple(item for item in new.items if item.key not in before),
        removed=tuple(item for item in old.items if item.key not in after),
        changed=tuple(sorted(changed, key=lambda change: change.key)),
        questions=tuple(_questions(old, new)),
    )


def _fields(before: ItemDef, after: ItemDef) -> Iterator[tuple[str, str, str]]:
    for field in fields(ItemDef):
        if field.name in ("refs", "section"):
            continue
        old, new = getattr(before, field.name), getattr(after, field.name)
        if field.name == "guidance":
            for part in ("why", "verify", "good"):
                if getattr(old, part) != getattr(new, part):
                    yield f"guidance.{part}", getattr(old, part), getattr(new, part)
        elif old != new:
            yield field.name, _words(old), _words(new)


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "nothing"
    return "none" if value is None else str(value)


def _questions(old: StandardDef, new: StandardDef) -> Iterator[str]:
    before, after = ({question.key: question for question in one.questions} for one in (old, new))
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            yield f"The question “{before[key].text}” is gone."
        elif key not in before:
            yield f"The question “{after[key].text}” is new."
        elif before[key] != after[key]:
            yield f"The question “{after[key].text}” is put otherwise."


def weakenings(base: StandardDef, own: StandardDef) -> tuple[str, ...]:
    """Where the own standard asks less than its base. Each takes the platform owner's word besides, and shows on every
    release; an item that is only stricter, or new, weakens nothing."""
    mine = {item.key: item for item in own.items}
    found = []
    for item in base.items:
        if item.key not in mine:
            found.append(f"“{item.title}” is left out.")
        else:
            found += [f"“{item.title}” {less}" for less in _less(item, mine[item.key])]
    asked = {question.key for question in own.questions}
    found += [f"“{one.text}” is not asked." for one in base.questions if one.key not in asked]
    return tuple(found)


def _less(base: ItemDef, own: ItemDef) -> Iterator[str]:
    if _LATER[own.question] > _LATER[base.question]:
        yield "blocks later, or not at all."
    if _STRENGTH[own.verification] < _STRENGTH[base.verification]:
        yield f"is verified by {own.verification}, not {base.verification}."
    elif own.auto_fact != base.auto_fact:
        yield "is decided by another rule."
    if base.validity_days and (own.validity_days or 10**6) > base.validity_days:
        yield f"lapses after more than {base.validity_days} days."
    if own.conditional != base.conditional and own.conditional is not None:
        yield "may be set not applicable."
    if lost := set(base.depends_on) - set(own.depends_on):
        yield f"stays verified when this changes: {', '.join(sorted(lost))}."
    if more := set(own.evidence) - set(base.evidence):
        yield f"accepts {', '.join(sorted(more))} besides."
    if (own.owner_role, own.side) != (base.owner_role, base.side):
        yield "is answered for by others."
