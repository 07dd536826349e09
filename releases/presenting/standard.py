"""A standard as a reader meets it: each section with its items, and of each who does what with which evidence."""

from typing import Any

from releases.presenting.rows import PHASES
from releases.records import takes
from releases.standard.load import ItemDef, StandardDef

_VERIFIED = {
    "auto": "measured by the product",
    "evidence": "verified by a second person",
    "recurring": "verified by a second person, again",
}


def sections(definition: StandardDef) -> list[dict[str, Any]]:
    return [
        {
            "key": section.key,
            "title": section.title,
            "entries": [_item(item) for item in definition.items if item.section == section.key],
        }
        for section in definition.sections
    ]


def _item(item: ItemDef) -> dict[str, Any]:
    verified = _VERIFIED[item.verification]
    if item.validity_days:
        verified = f"verified by a second person every {item.validity_days} days"
    only = f"only with {_plain(item.conditional)}" if item.conditional else ""
    said = (PHASES[item.phase], item.owner_role.capitalize(), verified, only)
    return {
        "key": item.key,
        "title": item.title,
        "line": " · ".join(part for part in said if part),
        "guidance": item.guidance,
        "takes": takes(item.evidence),
        "depends_on": ", ".join(_plain(kind) for kind in item.depends_on),
    }


def _plain(word: str) -> str:
    return word.replace("_", " ").replace("-", " ")
