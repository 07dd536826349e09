"""The standard as data: YAML text -> plain body -> frozen definitions. Pure: no Django, no clock.

A standard has sections, items and questions. Of an item:

- `key`: section and name, and for ever the same; evidence, links and reports refer to it.
- `phase`: when it belongs to the release (pre-production, launch, post-launch).
- `question`: what it blocks while it is not verified: the start of the canary, the full release, or none (its own
  release is out by then; overdue it freezes the system instead).
- `verification`: `auto` is decided by the gate's rule named in `auto_fact`, by nobody else; `evidence` is attached by
  one person and verified by another; `recurring` is the same and lapses after `validity_days`.
- `evidence`: what is accepted: `file`, `link`, or `record:<type>`, which the product or a form fills in.
- `depends_on`: kinds of components; pinning another version of one makes the item stale.
- `conditional`: when it does not apply at all; only such an item can be set not applicable.
- `refs`: where the item comes from, as article_map.yaml says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from releases.standard.flaws import flaws
from releases.standard.strict_yaml import YamlError, read_yaml

SHIPPED = Path(__file__).with_name("2026.1.yaml")


class StandardError(ValueError):
    """The text is not a standard. Each reason says where (a line, if the text is at hand) and what to write instead."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(reasons[0])
        self.reasons = tuple(reasons)


@dataclass(frozen=True)
class Guidance:
    why: str
    verify: str
    good: str


@dataclass(frozen=True)
class SectionDef:
    key: str
    title: str


@dataclass(frozen=True)
class ItemDef:
    key: str
    title: str
    section: str
    phase: str
    question: str | None
    owner_role: str
    side: str
    verification: str
    auto_fact: str | None
    evidence: tuple[str, ...]
    validity_days: int | None
    depends_on: tuple[str, ...]
    conditional: str | None
    guidance: Guidance
    refs: tuple[str, ...]


@dataclass(frozen=True)
class QuestionDef:
    key: str
    text: str
    guidance: str
    backed_by: tuple[str, ...]


@dataclass(frozen=True)
class StandardDef:
    number: str
    title: str
    summary: str
    sections: tuple[SectionDef, ...]
    items: tuple[ItemDef, ...]
    questions: tuple[QuestionDef, ...]

    def item(self, key: str) -> ItemDef:
        for item in self.items:
            if item.key == key:
                return item
        raise KeyError(key)


def read(text: str) -> dict[str, Any]:
    """The body of a standard written as YAML. Reasons name the line."""
    try:
        body, lines = read_yaml(text)
    except YamlError as error:
        raise StandardError([str(error)]) from None
    reasons = [f"Line {lines.at(where)}: {reason}" for where, reason in flaws(body)]
    if reasons:
        raise StandardError(reasons)
    return body


def write(body: Mapping[str, Any]) -> str:
    """The same body as YAML that `read` gives back: for download, for version control, for the editor."""
    return yaml.dump(dict(body), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


class _Dumper(yaml.SafeDumper):
    """Writes a value again where it occurs again: aliases are not read back."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def parse(body: Mapping[str, Any]) -> StandardDef:
    """The definitions in a body that was read or stored. What is wrong is refused with every reason."""
    reasons = [f"{'.'.join(map(str, where))}: {reason}".lstrip(": ") for where, reason in flaws(body)]
    if reasons:
        raise StandardError(reasons)
    return StandardDef(
        number=body["number"],
        title=body["title"],
        summary=body["summary"],
        sections=tuple(SectionDef(section["key"], section["title"]) for section in body["sections"]),
        items=tuple(_item(item) for item in body["items"]),
        questions=tuple(
            QuestionDef(q["key"], q["text"], q["guidance"], tuple(q.get("backed_by", ()))) for q in body["questions"]
        ),
    )


@cache
def _shipped_body() -> dict[str, Any]:
    return read(SHIPPED.read_text(encoding="utf-8"))


def shipped() -> tuple[str, dict[str, Any]]:
    """Number and body of the standard that this version of the product ships."""
    body = _shipped_body()
    return body["number"], body


def _item(item: Mapping[str, Any]) -> ItemDef:
    return ItemDef(
        key=item["key"],
        title=item["title"],
        section=item["key"].partition(".")[0],
        phase=item["phase"],
        question=None if item["question"] == "none" else item["question"],
        owner_role=item["owner_role"],
        side=item["side"],
        verification=item["verification"],
        auto_fact=item.get("auto_fact"),
        evidence=tuple(item.get("evidence", ())),
        validity_days=item.get("validity_days"),
        depends_on=tuple(item.get("depends_on", ())),
        conditional=item.get("conditional"),
        guidance=Guidance(**item["guidance"]),
        refs=tuple(item.get("refs", ())),
    )
