"""promptfoo results: the JSON that `promptfoo eval -o results.json` writes, results version 3.

What bites: a row whose score is NaN is dropped, yet the statistics count it; a repeated test is simply another row; an
error is a row with `failureReason` 2, and `error` holds the text of a failed assertion as well.
"""

from collections import Counter
from fractions import Fraction
from typing import Any

from metrics import exact
from metrics.answers import ERROR_KEPT, OUTPUT_KEPT, CaseAnswer, RunAnswer, averaged, claims, tags
from metrics.problems import Unreadable
from metrics.reading import member, optional, read_json, time

NAME = "promptfoo"
SUFFIXES = (".json",)
RESULTS_VERSION = 3
WHAT = "The promptfoo file"
SCORE, PASS = "score", "pass"
_ERROR = 2
_LOOKED_AT = 1_000  # results beyond those that are there, for the names of those that are not


def describe() -> str:
    return "Results of promptfoo as JSON, from a folder or an address."


def parse(raw: bytes) -> RunAnswer:
    file = read_json(raw, WHAT)
    version = optional(file, "results", "version")
    if version != RESULTS_VERSION:
        raise Unreadable(f"{WHAT} has results of version {version}; known is version {RESULTS_VERSION}.")
    rows = member(file, "results", "results", kind=list, what=WHAT)
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise Unreadable(f"{WHAT} has no rows.")
    repeat = optional(file, "runtimeOptions", "repeat") or optional(file, "config", "evaluateOptions", "repeat") or 1
    if not isinstance(repeat, int) or repeat < 1:
        raise Unreadable(f"{WHAT} was repeated {repeat!r} times.")
    _reconcile(file, rows, repeat)
    _check_one_subject(rows)
    cases: dict[str, list[CaseAnswer]] = {}
    for row in rows:
        case = _case(row, repeat)
        cases.setdefault(case.case_id, []).append(case)
    for name, found in cases.items():
        if len(found) != repeat:
            raise Unreadable(f"{WHAT} has {name} {len(found)} times, and it was repeated {repeat} times.")
    return RunAnswer(
        tool=NAME,
        tool_version=str(optional(file, "metadata", "promptfooVersion") or "unknown")[:60],
        tool_run_id=str(optional(file, "evalId") or "")[:120],
        task=str(optional(file, "config", "description") or "")[:200],
        metric=SCORE,
        claims=claims(
            optional(file, "config", "metadata"),
            *(optional(row, "metadata") for row in rows),
            model=str(optional(rows[0], "provider", "id") or ""),
        ),
        finished_at=time(optional(file, "results", "timestamp")),
        cases=tuple(averaged(name, found) for name, found in cases.items()),
    )


def _reconcile(file: Any, rows: list[dict[str, Any]], repeat: int) -> None:
    """The file's own statistics against its rows, one by one: a dropped row must not make the rest look better."""
    stats = member(file, "results", "stats", kind=dict, what=WHAT)
    counted = {name: member(stats, name, kind=int, what=WHAT) for name in ("successes", "failures", "errors")}
    if (total := sum(counted.values())) != len(rows):
        raise Unreadable(f"{WHAT} counts {total} results and holds {len(rows)}{_missing(file, rows, total, repeat)}.")
    held = Counter(
        "errors" if _errored(row) else "successes" if row.get("success") is True else "failures" for row in rows
    )
    for name, count in counted.items():
        if held[name] != count:
            raise Unreadable(f"{WHAT} counts {count} {name} and holds {held[name]}.")


def _missing(file: Any, rows: list[dict[str, Any]], total: int, repeat: int) -> str:
    """Which tests were dropped, where the file still lists them. NaN scores are the usual reason."""
    tests = optional(file, "config", "tests")
    counted = min(total, len(rows) + _LOOKED_AT)  # the file says how many there were, and may say anything
    gone = sorted(set(range(counted)) - {row.get("testIdx") for row in rows})
    names = []
    for index in dict.fromkeys(number // repeat for number in gone):
        test = tests[index] if isinstance(tests, list) and index < len(tests) else None
        names.append(str(optional(test, "metadata", "case_id") or optional(test, "vars", "case_id") or f"test-{index}"))
    return f": {', '.join(names[:5])} was dropped, as happens when a score is not a number" if names else ""


def _check_one_subject(rows: list[dict[str, Any]]) -> None:
    """One release is one prompt on one model. A table of several is a comparison, and each needs its own file."""
    subjects = {(row.get("promptIdx"), optional(row, "provider", "id")) for row in rows}
    if len(subjects) > 1:
        raise Unreadable(f"{WHAT} compares {len(subjects)} prompts or providers: run the one of the release alone.")


def _errored(row: dict[str, Any]) -> bool:
    return row.get("failureReason") == _ERROR or ("failureReason" not in row and bool(row.get("error")))


def _case(row: dict[str, Any], repeat: int) -> CaseAnswer:
    errored = _errored(row)
    named = row.get("namedScores") or {}
    scores: dict[str, Fraction | None] = {SCORE: row.get("score"), PASS: row.get("success")}
    # A metric belongs to a case when one of its assertions has it, whether or not it came to a score.
    scores |= {name: named.get(name) for name in dict.fromkeys([*_metrics_of(row), *named])}
    return CaseAnswer(
        case_id=_case_id(row, repeat),
        scores={name: None if errored else exact.read(value) for name, value in scores.items()},
        passed=row.get("success") is True,
        error=str(row.get("error") or "an error without a message")[:ERROR_KEPT] if errored else "",
        repeats=1,
        output=_output(row),
        tags=tags(optional(row, "metadata", "tags"), optional(row, "testCase", "metadata", "tags")),
    )


def _metrics_of(row: dict[str, Any]) -> list[str]:
    checks = optional(row, "testCase", "assert") or []
    nested = [inner for check in checks for inner in (optional(check, "assert") or [])]
    return [name for check in [*checks, *nested] if isinstance(name := optional(check, "metric"), str)]


def _case_id(row: dict[str, Any], repeat: int) -> str:
    """The case's own id from its metadata or variables; else its place, which holds while the dataset is the same."""
    for place in (("metadata", "case_id"), ("testCase", "metadata", "case_id"), ("vars", "case_id")):
        found = optional(row, *place)
        if isinstance(found, str | int) and not isinstance(found, bool) and 0 < len(str(found)) <= 200:
            return str(found)
    index = row.get("testIdx")
    if not isinstance(index, int):
        raise Unreadable(f"{WHAT} has a row without a case id and without a test number.")
    return f"test-{index // repeat}"


def _output(row: dict[str, Any]) -> str:
    said = optional(row, "response", "output")
    return (said if isinstance(said, str) else "" if said is None else str(said))[:OUTPUT_KEPT]
