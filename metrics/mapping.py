"""Evaluation results of no particular tool: rows, and a mapping that says which part of a row is what. Pure.

A column name (tables) or a JMESPath expression (JSON) stands for each part. What a row does not have is no number, and
never a pass; a case that stands twice is refused unless a repeat number tells its repeats apart.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from metrics import exact
from metrics.answers import ERROR_KEPT, OUTPUT_KEPT, CaseAnswer, Claims, RunAnswer, averaged, tags
from metrics.problems import Invalid, Unreadable
from metrics.reading import time

Get = Callable[[Any, str], Any]
MAX_ROWS = 200_000
NOT_MAPPED = ("location", "fresh_days")
_CLAIMS = ("release", "dataset_hash", "prompt_hash", "model")


@dataclass(frozen=True)
class Fields:
    """Where each part stands. `scores`: metric -> place; the first one is judged where the policy names none."""

    scores: Mapping[str, str] = field(default_factory=dict)
    case_id: str = "case_id"
    passed: str = "passed"
    error: str = "error"
    output: str = "output"
    tags: str = "tags"
    repeat: str = ""
    release: str = "readiness.release"
    dataset_hash: str = "readiness.dataset_hash"
    prompt_hash: str = "readiness.prompt_hash"
    model: str = "readiness.model"
    finished_at: str = "finished_at"
    tool_version: str = "tool_version"
    rows: str = ""  # JSON only: the list of cases
    total: str = ""  # JSON only: how many the tool says there are

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> "Fields":
        """The mapping of a source's settings. `location` is the source's own."""
        given = {
            name: value for name, value in config.items() if name not in NOT_MAPPED and value not in ("", None, {})
        }
        if unknown := sorted(set(given) - set(cls.__dataclass_fields__)):
            raise Invalid(f"A mapping has no {', '.join(unknown)}.")
        scores = given.get("scores", {})
        if not isinstance(scores, Mapping) or len(scores) > 50:
            raise Invalid("Write the scores as metric=place, 50 at most.")
        texts = [*scores, *scores.values(), *(value for name, value in given.items() if name != "scores")]
        if not all(isinstance(text, str) and 0 < len(text) <= 500 for text in texts):
            raise Invalid("Each place is a text of 500 characters at most.")
        return cls(**given)


def answer(tool: str, what: str, document: Any, rows: Sequence[Any], fields: Fields, get: Get) -> RunAnswer:
    """`get(row or document, place)`: the value there, None where there is none."""
    if not rows:
        raise Unreadable(f"{what} has no rows.")
    if len(rows) > MAX_ROWS:
        raise Unreadable(f"{what} has more than {MAX_ROWS:,} rows.")
    if fields.total and (told := get(document, fields.total)) != len(rows):
        raise Unreadable(f"{what} counts {told!r} cases and holds {len(rows)}.")
    if not fields.scores:
        raise Unreadable(f"{what} has no scores: name at least one.")
    repeats: dict[str, dict[str, CaseAnswer]] = {}
    for number, row in enumerate(rows, start=1):
        case = _case(row, number, what, fields, get)
        repeat = _text(get(row, fields.repeat)) if fields.repeat else ""
        if repeat in repeats.setdefault(case.case_id, {}):
            raise Unreadable(f"{what} has {case.case_id} twice{f' in repeat {repeat}' if repeat else ''}.")
        repeats[case.case_id][repeat] = case
    return RunAnswer(
        tool=tool,
        tool_version=(_text(get(document, fields.tool_version)) or "unknown")[:60],
        tool_run_id="",
        task="",
        metric=next(iter(fields.scores)),
        claims=_claims(document, fields, get),
        finished_at=time(get(document, fields.finished_at)),
        cases=tuple(averaged(name, list(found.values())) for name, found in repeats.items()),
    )


def _claims(document: Any, fields: Fields, get: Get) -> Claims:
    told = {name: _text(get(document, getattr(fields, name)))[:200] for name in _CLAIMS}
    release, dataset_hash = told.pop("release"), told.pop("dataset_hash")
    return Claims(release, dataset_hash, {name: value for name, value in sorted(told.items()) if value})


def _case(row: Any, number: int, what: str, fields: Fields, get: Get) -> CaseAnswer:
    name = _text(get(row, fields.case_id))
    if not name or len(name) > 200:
        raise Unreadable(f"{what} has no usable case id in row {number} (looked for {fields.case_id}).")
    error = _text(get(row, fields.error))
    passed = _truth(get(row, fields.passed))
    scores = {metric: None if error else _number(get(row, place)) for metric, place in fields.scores.items()}
    return CaseAnswer(
        case_id=name,
        scores=scores,
        passed=passed,
        error=error[:ERROR_KEPT],
        repeats=1,
        output=_text(get(row, fields.output))[:OUTPUT_KEPT],
        tags=tags(get(row, fields.tags)),
    )


def _text(value: Any) -> str:
    if value is None or isinstance(value, dict | list):
        return ""
    return str(value).strip()


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False, "1": True, "0": False}.get(_text(value).lower())


def _number(value: Any) -> Fraction | None:
    """A number as it stands, also as text; true and false are 1 and 0."""
    if isinstance(value, str):
        if (truth := _truth(value)) is not None:
            return Fraction(int(truth))
        try:
            value = Decimal(value.strip())
        except InvalidOperation:
            return None
    return exact.read(value)
