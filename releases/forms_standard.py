"""One item of a team's own standard, as a form: another way to write what the YAML says. The text stays the truth; what
is wrong with an item is said by the same check (releases/standard/flaws.py)."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.text import slugify

from releases.gate.rules_v1 import RULES
from releases.records import KINDS
from releases.standard.flaws import COMPONENT_KINDS, CONDITIONS, OWNER_ROLES, PHASES, SIDES, VERIFICATIONS

# What an item of a phase blocks.
BLOCKS = {"pre-production": "canary", "launch": "release", "post-launch": "none"}
_PHASES = {
    "pre-production": "Pre-production: blocks the canary",
    "launch": "Production launch: blocks the full release",
    "post-launch": "Post-launch: never blocks its own release",
}
_VERIFICATIONS = {
    "evidence": "One person attaches evidence, another verifies it",
    "recurring": "The same, and it lapses",
    "auto": "The product measures it",
}
_RECORDS = [(f"record:{key}", f"Record: {kind.title.lower()}") for key, kind in KINDS.items()]


def _plain(words: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(word, word.replace("_", " ").replace("-", " ").capitalize()) for word in words]


def _area() -> forms.Textarea:
    return forms.Textarea(attrs={"rows": 2})


class ItemForm(forms.Form):
    title = forms.CharField(max_length=200, help_text="What holds when it is done: Answers keep to the house style.")
    section = forms.ChoiceField(required=False)
    new_section = forms.CharField(required=False, max_length=60, label="Or a new section")
    name = forms.SlugField(max_length=60, help_text="Its key after the section, for ever the same: house-style.")
    phase = forms.ChoiceField(choices=[(phase, _PHASES[phase]) for phase in PHASES])
    owner_role = forms.ChoiceField(choices=_plain(OWNER_ROLES), label="Owned by")
    side = forms.ChoiceField(choices=_plain(SIDES), label="Signed for by")
    verification = forms.ChoiceField(
        choices=[(one, _VERIFICATIONS[one]) for one in ("evidence", "recurring", "auto")], label="Verified so"
    )
    evidence = forms.MultipleChoiceField(
        choices=[("file", "File"), ("link", "Link"), *_RECORDS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Evidence it accepts",
    )
    other_evidence = forms.CharField(
        required=False, max_length=200, label="Other records", help_text="record:drill.fallback, separated by commas."
    )
    validity_days = forms.IntegerField(
        required=False, min_value=1, max_value=3660, label="Lapses after, days", help_text="Of a recurring item."
    )
    auto_fact = forms.ChoiceField(
        required=False,
        choices=[("", "None"), *((rule, rule) for rule in sorted(RULES))],
        label="Rule that measures it",
        help_text="Where the product measures it.",
    )
    depends_on = forms.MultipleChoiceField(
        choices=_plain(COMPONENT_KINDS),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Another version of one of these makes it stale.",
    )
    conditional = forms.ChoiceField(
        required=False, choices=[("", "Always applies"), *_plain(CONDITIONS)], label="Applies with"
    )
    why = forms.CharField(widget=_area(), label="Why it matters")
    verify = forms.CharField(widget=_area(), label="How to verify it")
    good = forms.CharField(widget=_area(), label="What good evidence looks like")
    revision = forms.IntegerField(widget=forms.HiddenInput, min_value=0, required=False)  # else: the view

    def __init__(self, *args: Any, body: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["section"]
        field.choices = [("", "Choose"), *((one["key"], one["title"]) for one in body["sections"])]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if bool(data.get("section")) == bool(data.get("new_section")):
            self.add_error("section", "Choose a section, or name a new one.")
        elif data.get("new_section") and not slugify(data["new_section"]):
            self.add_error("new_section", "A section's name has letters.")
        return data

    def section_key(self) -> str:
        data = self.cleaned_data
        return data["section"] or slugify(data["new_section"])

    def item(self, before: Mapping[str, Any] | None) -> dict[str, Any]:
        """The item as the body of a standard holds it. Its `refs` and the order of its kinds are kept."""
        data = self.cleaned_data
        order = list((before or {}).get("evidence", ()))
        kinds = [*data["evidence"], *(word.strip() for word in data["other_evidence"].split(",") if word.strip())]
        kinds.sort(key=lambda kind: order.index(kind) if kind in order else len(order))
        auto = data["verification"] == "auto"
        optional = {
            "auto_fact": data["auto_fact"] if auto else "",
            "evidence": [] if auto else kinds,
            "validity_days": data["validity_days"] if data["verification"] == "recurring" else None,
            "depends_on": data["depends_on"],
            "conditional": data["conditional"],
            "refs": list((before or {}).get("refs", ())),
        }
        assert data["verification"] in VERIFICATIONS
        return {
            "key": f"{self.section_key()}.{data['name']}",
            **{name: data[name] for name in ("title", "phase", "owner_role", "side", "verification")},
            "question": BLOCKS[data["phase"]],
            **{name: value for name, value in optional.items() if value},
            "guidance": {name: data[name] for name in ("why", "verify", "good")},
        }

    def applied(self, body: Mapping[str, Any], key: str) -> dict[str, Any]:
        """The body with this item in place of the one with `key` or, where there is none, at its section's end."""
        before = next((one for one in body["items"] if one["key"] == key), None)
        made, sections = self.item(before), list(body["sections"])
        if self.section_key() not in {one["key"] for one in sections}:
            sections.append({"key": self.section_key(), "title": self.cleaned_data["new_section"]})
        items = [made if one["key"] == key else one for one in body["items"]]
        if before is None:
            of_section = [at for at, one in enumerate(items) if one["key"].partition(".")[0] == self.section_key()]
            items.insert(of_section[-1] + 1 if of_section else len(items), made)
        return {**body, "sections": sections, "items": items}

    @staticmethod
    def start(item: Mapping[str, Any] | None) -> dict[str, Any]:
        if item is None:
            return {"evidence": ["file", "link"], "verification": "evidence", "phase": "pre-production"}
        section, _, name = item["key"].partition(".")
        known = {"file", "link", *(value for value, _ in _RECORDS)}
        evidence = item.get("evidence", [])
        return {
            **item,
            **item["guidance"],
            "section": section,
            "name": name,
            "evidence": [one for one in evidence if one in known],
            "other_evidence": ", ".join(one for one in evidence if one not in known),
        }


def without(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    """The body without an item; sections that hold nothing then, and questions' pointers to it, go with it."""
    items = [one for one in body["items"] if one["key"] != key]
    used = {one["key"].partition(".")[0] for one in items}
    questions = [
        {**one, "backed_by": [other for other in one["backed_by"] if other != key]} if one.get("backed_by") else one
        for one in body["questions"]
    ]
    return {
        **body,
        "sections": [one for one in body["sections"] if one["key"] in used],
        "items": items,
        "questions": questions,
    }
