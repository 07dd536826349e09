"""JUnit XML, which nearly every test runner writes: one case a test, 1 where it passed and 0 where it failed.

What bites: a skipped test is neither, so it has no number and counts as failed; a time without a zone is no time; and
XML can make a small file unfold without end, so declarations (DOCTYPE) are refused before it is read.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from fractions import Fraction
from xml.etree import ElementTree

from metrics import exact
from metrics.answers import ERROR_KEPT, OUTPUT_KEPT, PREFIX, CaseAnswer, RunAnswer, claims, tags
from metrics.problems import Unreadable
from metrics.reading import read_json, time

NAME = "junit"
SUFFIXES = (".xml",)
WHAT = "The JUnit file"
PASSED = "passed"
_SCORE = PREFIX + "score."
_COUNTS = ("tests", "failures", "errors", "skipped")


def describe() -> str:
    return "JUnit XML of any test runner, from a folder or an address."


def parse(raw: bytes) -> RunAnswer:
    root = _root(raw)
    suites = [root] if root.tag == "testsuite" else list(root.iter("testsuite"))
    if root.tag not in ("testsuite", "testsuites") or not suites:
        raise Unreadable(f"{WHAT} has no test suite.")
    found = [case for suite in suites for case in suite.findall("testcase")]
    if not found:
        raise Unreadable(f"{WHAT} has no tests.")
    for suite in suites:
        _reconcile(suite)
    about = dict(_properties(root))
    for suite in suites:
        for name, value in _properties(suite):
            if about.setdefault(name, value) != value:
                raise Unreadable(f"{WHAT} contradicts itself: {name} is {about[name]} and {value}.")
    cases: dict[str, CaseAnswer] = {}
    for element in found:
        case = _case(element)
        if case.case_id in cases:
            raise Unreadable(f"{WHAT} has {case.case_id} twice.")
        cases[case.case_id] = case
    own = ("readiness.tool", "readiness.tool_version", "readiness.finished_at")
    ended = time(about.get("readiness.finished_at")) or max(filter(None, map(_ended, suites)), default=None)
    return RunAnswer(
        tool=NAME,
        tool_version=(about.get("readiness.tool_version") or suites[0].get("name") or "unknown")[:60],
        tool_run_id="",
        task=(suites[0].get("name") or "")[:200],
        metric=PASSED,
        claims=claims({name: value for name, value in about.items() if name not in own}),
        finished_at=ended,
        cases=tuple(cases.values()),
    )


def _root(raw: bytes) -> ElementTree.Element:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unreadable(f"{WHAT} is not text in UTF-8.") from None
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise Unreadable(f"{WHAT} declares entities, which no test runner does.")
    try:
        return ElementTree.fromstring(text)  # noqa: S314 -- declarations were refused above
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise Unreadable(f"{WHAT} is not whole XML: {error}.") from None


def _properties(element: ElementTree.Element) -> Iterator[tuple[str, str]]:
    for one in element.findall("properties/property"):
        if name := one.get("name"):
            yield name, (one.get("value") if one.get("value") is not None else one.text or "") or ""


def _reconcile(suite: ElementTree.Element) -> None:
    """The suite's own counts against the tests that it holds: a lost one must not make the rest look better."""
    held = dict.fromkeys(_COUNTS, 0)
    for case in suite.iter("testcase"):
        held["tests"] += 1
        for kind, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            held[kind] += case.find(tag) is not None
    for kind in _COUNTS:
        told = suite.get(kind)
        if told is not None and told != str(held[kind]):
            raise Unreadable(f"{WHAT} counts {told} {kind} in {suite.get('name') or 'a suite'} and holds {held[kind]}.")


def _ended(suite: ElementTree.Element) -> datetime | None:
    began = time(suite.get("timestamp"))
    try:
        return began + timedelta(seconds=float(suite.get("time") or 0)) if began else None
    except (ValueError, OverflowError):
        return began


def _case(element: ElementTree.Element) -> CaseAnswer:
    name = ".".join(filter(None, (element.get("classname"), element.get("name"))))
    if not name or len(name) > 200:
        raise Unreadable(f"{WHAT} has a test without a usable name.")
    failed, error, skipped = (element.find(tag) for tag in ("failure", "error", "skipped"))
    why = ""
    if error is not None:
        why = error.get("message") or error.text or "an error without a message"
    elif skipped is not None:
        why = f"skipped: {skipped.get('message') or 'no reason given'}"
    properties = dict(_properties(element))
    scores: dict[str, Fraction | None] = {PASSED: None if why else Fraction(int(failed is None))}
    for key, value in properties.items():
        if key.startswith(_SCORE):
            scores[key.removeprefix(_SCORE)] = (
                None if why else exact.read(read_json(value.encode(), f"{key} of {name}"))
            )
    return CaseAnswer(
        case_id=name,
        scores=scores,
        passed=False if why else failed is None,
        error=why.strip()[:ERROR_KEPT],
        repeats=1,
        output=(element.findtext("system-out") or (failed.text if failed is not None else "") or "")[:OUTPUT_KEPT],
        tags=tags(properties.get("readiness.tags")),
    )
