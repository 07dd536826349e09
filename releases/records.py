"""Records as people fill them in: which fields each kind has, and the bytes that are kept. Pure: no Django, no clock.

`record:<kind>` in the standard names the kind. What the product makes itself (a drill, a review of its calendar, a
runbook) comes as a record by itself, see releases/feeding.py; the form says where it is made. A kind that only a team's
own standard knows has the plain form.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from audit import canonical

TYPE = "readiness/record/"
MOST_CHARS = 10_000


class RecordError(ValueError):
    """Each reason names its field."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(reasons[0])
        self.reasons = tuple(reasons)


@dataclass(frozen=True)
class Field:
    name: str
    label: str
    kind: str = "text"  # text, words (several lines), day, choice
    required: bool = True
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecordKind:
    key: str
    title: str
    fields: tuple[Field, ...]
    made_at: str = ""  # route of the page that makes it: no form then


_DAY = Field("day", "Done on", "day")
_WHO = Field("people", "Who took part")
_SCOPE = Field("scope", "What was looked at", "words")
_FINDINGS = Field("findings", "What was found", "words")
_OPEN = Field("open", "What is still to do, by whom and when", "words", required=False)
_OUTCOME = Field("outcome", "Outcome", "choice", choices=("fine", "fine with conditions", "not fine"))
_SOURCE = Field("source", "Where the numbers come from")

_REVIEW = (_SCOPE, _FINDINGS, _OUTCOME, _OPEN, _WHO, _DAY)
PLAIN = (Field("summary", "What was done", "words"), _FINDINGS, _WHO, _DAY)

KINDS: dict[str, RecordKind] = {
    kind.key: kind
    for kind in (
        RecordKind(
            "acknowledgement",
            "Acknowledgement",
            (
                Field("covers", "What is acknowledged", "words"),
                Field("known", "What its owner knows to be missing or weak", "words", required=False),
                _DAY,
            ),
        ),
        RecordKind("review.security", "Security review", (*_REVIEW, Field("models", "Threats considered", "words"))),
        RecordKind("review.privacy", "Privacy review", (*_REVIEW, Field("data", "Personal data, and why", "words"))),
        RecordKind("review.compliance", "Review of the data rules", (*_REVIEW, Field("rules", "Rules that apply"))),
        RecordKind(
            "review.access",
            "Access review",
            (_SCOPE, Field("holders", "Who has access now", "words"), _FINDINGS, _OUTCOME, _WHO, _DAY),
        ),
        RecordKind(
            "claim.encryption",
            "Encryption at rest",
            (
                Field("stores", "Stores, and how each is encrypted", "words"),
                Field("keys", "Who holds the keys, and how they rotate", "words"),
                Field("shown", "How that was seen", "words"),
                _DAY,
            ),
        ),
        RecordKind(
            "budget.model",
            "Budget model",
            (
                Field("requests", "Requests a day"),
                Field("tokens", "Tokens of an average request, in and out"),
                Field("price", "Price of a thousand tokens, USD"),
                Field("buffer", "Buffer, percent"),
                Field("cap", "Daily cap that follows, USD"),
                _SOURCE,
            ),
        ),
        RecordKind(
            "measurement",
            "Measurement",
            (
                Field("measured", "What was measured"),
                Field("value", "Value, with its unit"),
                Field("count", "Over how many"),
                Field("window", "From when to when"),
                _SOURCE,
            ),
        ),
        RecordKind(
            "evaluation.report",
            "Evaluation report",
            (
                Field("dataset", "Dataset, with its hash"),
                Field("compared", "Compared with"),
                _FINDINGS,
                _OUTCOME,
                _SOURCE,
                _DAY,
            ),
        ),
        RecordKind(
            "contract.probe",
            "Contract probe",
            (
                Field("target", "Address that was probed"),
                Field("sent", "What was sent", "words"),
                Field("came", "What came back", "words"),
                _OUTCOME,
                _DAY,
            ),
        ),
        RecordKind(
            "reproduction",
            "Reproduced decision",
            (Field("request", "Id of the request"), Field("steps", "What each step showed", "words"), _OUTCOME, _DAY),
        ),
        RecordKind("runbook", "Runbook", (), made_at="operations:runbooks"),
        RecordKind("degradation.plan", "Degradation plan", (), made_at="operations:degradation"),
        RecordKind("risk-register", "Risk register", (), made_at="operations:risks"),
        RecordKind("postmortem", "Post-mortem", (), made_at="operations:incidents"),
    )
}


def kinds_of(accepted: tuple[str, ...]) -> tuple[RecordKind, ...]:
    """The kinds of record that an item accepts, as its standard lists them."""
    return tuple(kind_of(entry.partition(":")[2]) for entry in accepted if entry.startswith("record:"))


def kind_of(key: str) -> RecordKind:
    if key in KINDS:
        return KINDS[key]
    family, _, rest = key.partition(".")
    title = f"{family.capitalize()}: {rest.replace('-', ' ')}" if rest else family.replace("-", " ").capitalize()
    if family == "drill":
        return RecordKind(key, title, (), made_at="operations:drills")
    return RecordKind(key, title, _REVIEW if family == "review" else PLAIN)


def record(kind: RecordKind, values: Mapping[str, str], *, release: str, item: str) -> bytes:
    """The bytes that are kept: canonical JSON with the labels as they were asked. Every reason against it at once."""
    if kind.made_at:
        raise RecordError([f"{kind.title}: the product makes this record itself."])
    given = {name: " ".join(str(value).split("\x00")).strip() for name, value in values.items()}
    reasons = [f"{name} is no field of this record." for name in sorted(set(given) - {f.name for f in kind.fields})]
    reasons += [reason for field in kind.fields for reason in _flaws(field, given.get(field.name, ""))]
    if reasons:
        raise RecordError(reasons)
    answers = [
        {"name": field.name, "label": field.label, "value": given[field.name]}
        for field in kind.fields
        if given.get(field.name)
    ]
    body: Any = {"type": f"{TYPE}v1", "record": kind.key, "title": kind.title, "release": release, "item": item}
    return canonical.dumps(body | {"fields": answers})


def _flaws(field: Field, value: str) -> list[str]:
    if not value:
        return [f"{field.label}: say something."] if field.required else []
    if len(value) > MOST_CHARS:
        return [f"{field.label}: at most {MOST_CHARS:,} characters."]
    if field.kind == "choice" and value not in field.choices:
        return [f"{field.label}: one of {', '.join(field.choices)}."]
    if field.kind == "day":
        try:
            date.fromisoformat(value)
        except ValueError:
            return [f"{field.label}: a day, such as 2026-12-01."]
    return []


def fields_of(body: Any) -> tuple[tuple[str, str], ...] | None:
    """Label and value of each field, where a JSON value is a record of ours; else None."""
    if not isinstance(body, Mapping) or not str(body.get("type", "")).startswith(TYPE):
        return None
    fields = body.get("fields")
    if not isinstance(fields, list):
        return None
    rows = [(one.get("label"), one.get("value")) for one in fields if isinstance(one, Mapping)]
    return tuple((str(label), str(value)) for label, value in rows)


def takes(evidence: tuple[str, ...]) -> str:
    """What is accepted, in words: "a record (contract probe), a file or a link"."""
    words = [f"a record ({kind.title[0].lower()}{kind.title[1:]})" for kind in kinds_of(evidence)]
    words += [f"a {entry}" for entry in evidence if not entry.startswith("record:")]
    return " or ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)
